"""What a model has learned: embeddings of samples, and what predictions lose without a feature."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
import skbio
from scipy.spatial.distance import pdist
from scipy.stats import zscore

from q2_aam.actions.explain import feature_importance
from q2_aam.types import AAMEmbeddingsFormat, AAMModelDirectoryFormat

ALL, PLANTED = 1000, 10


@pytest.fixture(scope="module")
def importance(aam, mixed_study, fitted):
    def run(study=mixed_study, model=fitted.regressor, **settings) -> pd.DataFrame:
        given = {"sequences": study.sequences} | settings
        return sim.values_of(aam.feature_importance(study.table, model, **given).importance)

    return run


@pytest.fixture(scope="module")
def planted():
    """Samples whose ages follow from the log abundances of some ASVs of many.

    Returns the study, and by how much a standard deviation of each planted ASV raises the age.
    """
    random, base = np.random.default_rng([1, 7]), sim.simulate_study(160, 60, 0)
    counts = base.counts.apply(random.permutation)  # no two of them go together
    prevalence = counts.astype(bool).mean()
    chosen = random.choice(counts.columns[prevalence > 0.15], PLANTED, replace=False)
    seen = np.log1p(1e4 * counts[chosen].div(counts.sum(axis=1), axis=0))
    weights = random.choice([-1, 1], PLANTED) * random.uniform(0.7, 1.3, PLANTED)
    ages = zscore(zscore(seen) @ weights)
    ages = pd.Series(30 + 5 * ages + random.normal(0, 1, 160), base.counts.index, name="age")
    return base.replaced(counts=counts, ages=ages), pd.Series(5 * weights, chosen)


@pytest.fixture(scope="module")
def planted_models(planted):
    study, _ = planted
    classes = sim.by_age(study, (study.ages.median(),), ("young", "old"))
    return {"regressor": quick.fit(study)[0], "classifier": quick.fit(study, classes)[0]}


@pytest.mark.parametrize(("kind", "effect"), [("regressor", ""), ("classifier", " old")])
def test_features_that_drive_a_target_are_found_with_their_direction(
    importance, planted, planted_models, kind, effect
):
    study, effects = planted
    found = importance(study, planted_models[kind])
    assert len(set(found.index[:PLANTED]) & set(effects.index)) >= 0.8 * PLANTED
    of_planted = found.loc[effects.index]
    direction = np.sign(of_planted[f"raises{effect}"] - of_planted[f"lowers{effect}"])
    assert (direction == np.sign(effects)).mean() >= 0.8


@pytest.mark.parametrize(("kind", "effect"), [("regressor", ""), ("classifier", " old")])
def test_effects_are_what_predictions_lose_without_the_feature(
    importance, planted, planted_models, kind, effect
):
    study, model = planted[0].select(planted[0].counts.index[:12]), planted_models[kind]

    def predict(counts):
        one = study.replaced(counts=counts)
        return quick.probabilities(one, model)["old"] if effect else quick.predictions(one, model)

    found, whole = importance(study, model, samples_per_feature=ALL), predict(study.counts)
    for name in (*found.index[:2], found.index[-1]):
        effects = whole - predict(study.counts.drop(columns=name))[whole.index]
        raised, lowered = effects.clip(lower=0).mean(), -effects.clip(upper=0).mean()
        of_name = found.loc[name, ["importance", f"raises{effect}", f"lowers{effect}"]]
        expected = [effects.abs().mean(), raised, lowered]
        assert np.allclose(of_name, expected, rtol=1e-3, atol=1e-4), name
    assert found["importance"].iloc[0] > 10 * found["importance"].iloc[-1]
    if effect:
        classes = ["raises old", "lowers old", "raises young", "lowers young"]
        assert list(found) == ["importance", *classes]
        assert np.allclose(found["raises old"], found["lowers young"], atol=1e-6)


def test_importance_does_not_depend_on_how_many_are_taken_out_at_once(importance, monkeypatch):
    at_once = importance()
    monkeypatch.setattr("q2_aam.importance._ASVS_AT_ONCE", {True: 1, False: 1})
    one_by_one = importance().loc[at_once.index]
    np.testing.assert_allclose(one_by_one, at_once, atol=1e-5 * at_once.to_numpy().max())


def test_the_most_important_come_first_whatever_the_order(importance, mixed_study):
    found = importance()
    assert list(found) == ["importance", "raises", "lowers"]
    assert sorted(found.index) == sorted(mixed_study.counts)
    assert found["importance"].is_monotonic_decreasing
    assert (found >= 0).all(axis=None)
    assert np.allclose(found["importance"], found["raises"] + found["lowers"])
    assert found.equals(importance())
    assert np.allclose(found, importance(mixed_study.shuffled(3)).loc[found.index], atol=1e-4)


def test_features_of_the_same_dna_share_its_effect_by_their_reads(importance, mixed_study):
    whole = importance(samples_per_feature=ALL)
    name = whole.index[0]
    study = mixed_study.with_copy(name, 1 / 4)
    found = importance(study, samples_per_feature=ALL)
    share = study.counts["copy"].sum() / mixed_study.counts[name].sum()
    assert np.allclose(found.loc["copy"], share * whole.loc[name], rtol=1e-3)
    assert np.allclose(found.loc["copy"] + found.loc[name], whole.loc[name], rtol=1e-3)


def test_some_samples_of_each_feature_tell_nearly_as_much(importance, planted, planted_models):
    model = planted_models["regressor"]
    every, some = (importance(planted[0], model, samples_per_feature=one) for one in (ALL, 10))
    assert not some.equals(every)
    assert some["importance"].corr(every["importance"]) > 0.95


def test_a_sample_of_one_feature_cannot_lose_it(importance, mixed_study):
    counts = mixed_study.counts.iloc[:2].copy()
    counts.iloc[0] = 0
    counts.iloc[0, 0] = 7
    study = mixed_study.replaced(counts=counts.loc[:, counts.sum() > 0])
    both = importance(study)
    assert np.isfinite(both).all(axis=None)
    alone = importance(study.select(counts.index[1:]))
    assert np.allclose(both.loc[alone.index], alone / 2, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [lambda c: c.assign(**{c.columns[0]: c.iloc[:, 0] + 1e9}),  # one dwarfs all others
     lambda c: c.iloc[:, :1] * 0 + 3,  # there is only one
     lambda c: c.iloc[:, :20] * 0 + np.eye(len(c)) + (np.arange(20) < 5),  # most occur once
     lambda c: c.iloc[:, :2] * 0 + 7 * np.eye(2)[np.arange(len(c)) % 2]],  # as of isolates
)  # fmt: skip
def test_importance_is_finite_for_every_table_that_can_be_fitted(aam, importance, study, change):
    odd = study.replaced(counts=change(study.counts))
    fitted = quick.fit(odd)
    found = importance(odd, fitted.regressor)
    assert sorted(found.index) == sorted(odd.counts)
    assert np.isfinite(found).all(axis=None)
    if odd.counts.astype(bool).sum(axis=1).max() == 1:  # where each sample holds one ASV
        assert (found == 0).all(axis=None)
        shown = qiime2.Artifact.import_data("FeatureData[Importance]", found)
        predicted = quick.predict(odd, fitted).predictions
        assert aam.evaluate_regression(predicted, odd.age_column, importance=shown)


def test_covariates_are_read_and_asked_for(importance, refused, study):
    frame = pd.DataFrame({"sex": [*"fm" * 10]}, study.counts.index)
    given = {"covariates": qiime2.Metadata(frame)}
    model = quick.fit(study, covariate_columns=["sex"], **given).regressor
    assert importance(study, model, **given)["importance"].iloc[0] > 0
    refused(importance, "1 covariate", "'sex'", study=study, model=model)


def test_sample_classifier_draws_the_most_important(aam, planted, planted_models):
    from qiime2.plugins import sample_classifier

    study, _ = planted
    few = study.select(study.counts.index[:16])
    found = aam.feature_importance(few.table, planted_models["classifier"], few.sequences)
    diets = sim.column_of(sim.by_age(study))
    page, filtered = sample_classifier.actions.heatmap(
        few.table, found.importance, sample_metadata=diets, feature_count=5
    )
    assert str(page.type) == "Visualization"
    most = sim.values_of(found.importance).index[:5]
    assert sorted(filtered.view(pd.DataFrame).columns) == sorted(most)


def test_what_cannot_be_explained_is_refused(importance, refused, study, pretrained):
    with pytest.raises(TypeError, match="AAMEncoder"):
        importance(study, pretrained.encoder)
    given = {"table": study.biom, "model": pretrained.encoder.view(AAMModelDirectoryFormat)}
    refused(feature_importance, "an encoder", "fit-regressor", **given)
    refused(importance, "40 feature ids", "sequences", sequences=None)


@pytest.fixture(scope="module")
def embed(aam, mixed_study, descended):
    def run(study=mixed_study, model=descended.regressor, **settings):
        return aam.embed_samples(study.table, model, sequences=study.sequences, **settings)

    return run


@pytest.fixture(scope="module")
def frame_of(embed):
    return lambda *given, **settings: sim.values_of(embed(*given, **settings).embeddings)


@pytest.mark.parametrize(
    ("content", "columns"), [("branches", 32), ("presence", 32), ("pooled", 16)]
)
def test_a_sample_is_described_whatever_its_company(frame_of, mixed_study, content, columns):
    whole = frame_of(content=content)
    assert whole.shape == (len(mixed_study.counts), columns)
    assert whole.std().max() > 0.05
    part = mixed_study.select(mixed_study.counts.index[5:9])
    alone = frame_of(part, content=content)
    assert sorted(alone.index) == sorted(part.counts.index)
    assert np.abs(whole.loc[alone.index] - alone).to_numpy().max() < 1e-4


def test_the_presence_of_branches_gives_the_predicted_distances(frame_of, mixed_study, descended):
    present = frame_of(content="presence")
    matrix = quick.distances(mixed_study, descended.regressor)
    length = np.exp(sim.model_of(descended)[1]["distance_head.log_length"])
    left, right = present.iloc[0] * length, present.iloc[1:] * length
    found = (right - left).abs().sum(axis=1) / right.clip(lower=left, axis=1).sum(axis=1)
    expected = [matrix[present.index[0], name] for name in found.index]
    assert np.allclose(found, expected, atol=1e-5)


def test_samples_that_resemble_each_other_lie_close(frame_of, study, pretrained):
    frame = frame_of(study, pretrained.encoder)
    unifrac = study.unifrac.filter(frame.index).condensed_form()
    assert np.corrcoef(pdist(frame), unifrac)[0, 1] > 0.4


def test_principal_components_and_the_ordination_keep_what_differs_most(
    embed, frame_of, mixed_study
):
    every, found = frame_of(), embed(dimensions=3)
    some, variance = sim.values_of(found.embeddings), every.var().sum()
    assert list(some) == ["component 1", "component 2", "component 3"]
    assert (every.index == some.index).all()
    assert some.var().is_monotonic_decreasing
    assert some.var().sum() > 0.5 * variance
    assert np.allclose(pdist(frame_of(dimensions=15)), pdist(every), atol=1e-4)
    ordination = found.ordination.view(skbio.OrdinationResults)
    assert ordination.samples.shape == (16, 10)
    assert np.allclose(ordination.samples.loc[some.index].iloc[:, :3], some, atol=1e-4)
    explained = ordination.proportion_explained
    assert np.allclose(explained[:3], some.var() / variance, atol=1e-5)
    assert explained.is_monotonic_decreasing
    assert 0.5 < explained.sum() <= 1
    one = embed(mixed_study.select(mixed_study.counts.index[:1]))
    assert (one.ordination.view(skbio.OrdinationResults).samples == 0).all(axis=None)
    emperor = pytest.importorskip("qiime2.plugins.emperor", reason="no q2-emperor here")
    (page,) = emperor.actions.plot(found.ordination, qiime2.Metadata(mixed_study.ages.to_frame()))
    assert str(page.type) == "Visualization"


def test_embeddings_are_metadata_and_ids_stay_text(embed):
    ids = [f"{number:04d}" for number in range(1, 13)]
    study = sim.simulate_study(asvs=30, seed=14, sample_ids=ids)
    metadata = embed(study, dimensions=2).embeddings.view(qiime2.Metadata)
    assert list(metadata.ids) == ids
    merged = metadata.merge(qiime2.Metadata(study.ages.to_frame()))
    assert sorted(merged.columns) == ["age", "component 1", "component 2"]


@pytest.mark.parametrize("level", ["min", "max"])
def test_a_changed_file_is_not_valid_at_any_level(embed, tmp_path, level):
    path = tmp_path / "embeddings.tsv"
    embed().embeddings.view(AAMEmbeddingsFormat).save(str(path))
    path.write_text(path.read_text().rstrip().rsplit("\t", 1)[0] + "\tnan\n")
    with pytest.raises(qiime2.plugin.ValidationError):
        AAMEmbeddingsFormat(str(path), mode="r").validate(level)


def test_what_was_never_trained_or_cannot_be_is_refused(
    refused, embed, frame_of, study, mixed_study, pretrained
):
    pooling = quick.pretrain(study, epochs=1, distance_form="euclidean").encoder
    blind = quick.pretrain(study, epochs=1, unifrac_weight=0.0, nucleotide_weight=1.0).encoder
    one, pooled = mixed_study.select(mixed_study.counts.index[:1]), {"content": "pooled"}
    for given, parts in (
        ({"model": pretrained.encoder} | pooled, ["'branches'", "Set 'content'"]),
        ({"model": pooling}, ["'euclidean'", "Set 'content' to 'pooled'"]),
        ({"model": pooling, "content": "presence"}, ["'euclidean'", "Set 'content' to 'pooled'"]),
        ({"model": blind}, ["never learned distances", "unifrac_weight"]),
        ({"dimensions": 16}, ["16", "16 samples", "15 principal components"]),
        ({"study": one, "dimensions": 1}, ["1 sample", "0 principal components"]),
    ):
        refused(embed, *parts, **given)
    assert frame_of(study, pooling, **pooled).shape == (20, 16)
