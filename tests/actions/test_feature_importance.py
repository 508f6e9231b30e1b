"""The importance of a feature is what predictions lose without it."""

import numpy as np
import pandas as pd
import pytest
import qiime2
from planted_study import PLANTED, halves, plant_asvs
from simulated_study import QUICK_FIT, SimulatedStudy, simulate_study, table_artifact

from q2_aam.actions.explain import feature_importance
from q2_aam.types import AAMModelDirectoryFormat

ALL = 1000


@pytest.fixture(scope="module")
def importance(aam, mixed_study, fitted):
    def run(study=mixed_study, model=fitted.regressor, **settings) -> pd.DataFrame:
        return aam.feature_importance(
            study.table, model, sequences=study.sequences, **settings
        ).importance.view(pd.DataFrame)

    return run


@pytest.fixture(scope="module")
def planted():
    return plant_asvs(160)


@pytest.fixture(scope="module")
def planted_regressor(aam, planted):
    study, _ = planted
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, **QUICK_FIT
    ).regressor


@pytest.fixture(scope="module")
def classifier(aam, planted):
    study, _ = planted
    return aam.fit_classifier(
        study.table, halves(study), sequences=study.sequences, **QUICK_FIT
    ).classifier


def precision(found: pd.DataFrame, planted: pd.Series) -> float:
    return len(set(found.index[:PLANTED]) & set(planted.index)) / PLANTED


def test_features_that_drive_a_number_are_found_with_their_direction(
    importance, planted, planted_regressor
):
    study, effects = planted
    found = importance(study, planted_regressor)
    assert precision(found, effects) >= 0.8
    of_planted = found.loc[effects.index]
    direction = np.sign(of_planted["raises"] - of_planted["lowers"])
    assert (direction == np.sign(effects)).mean() >= 0.8


def test_features_that_drive_a_class_are_found(importance, planted, classifier):
    study, effects = planted
    found = importance(study, classifier)
    assert precision(found, effects) >= 0.8
    of_planted = found.loc[effects.index]
    direction = np.sign(of_planted["raises old"] - of_planted["lowers old"])
    assert (direction == np.sign(effects)).mean() >= 0.8


def test_effects_are_what_predictions_lose_without_the_feature(
    aam, importance, mixed_study, fitted
):
    def predict(study):
        return aam.predict_regression(
            study.table, fitted.regressor, sequences=study.sequences, confidence_level=0.5
        ).predictions.view(pd.Series)

    found, whole = importance(samples_per_feature=ALL), predict(mixed_study)
    for name in (*found.index[:2], found.index[-1]):
        kept = mixed_study.counts.drop(columns=name)
        without = predict(SimulatedStudy(kept, mixed_study.dna, None, mixed_study.ages, None))
        effects = whole - without[whole.index]
        expected = [
            effects.abs().mean(),
            effects.clip(lower=0).mean(),
            -effects.clip(upper=0).mean(),
        ]
        assert np.allclose(found.loc[name], expected, rtol=1e-3, atol=1e-4), name
    assert found["importance"].iloc[0] > 10 * found["importance"].iloc[-1]


def test_effects_on_classes_are_what_probabilities_lose(aam, importance, planted, classifier):
    study = planted[0].select(planted[0].counts.index[:12])

    def predict(one):
        return aam.predict_classification(
            one.table, classifier, sequences=one.sequences
        ).probabilities.view(pd.DataFrame)

    found = importance(study, classifier, samples_per_feature=ALL)
    assert list(found) == ["importance", "raises old", "lowers old", "raises young", "lowers young"]
    name = found.index[0]
    kept = SimulatedStudy(study.counts.drop(columns=name), study.dna, None, study.ages, None)
    whole = predict(study)
    effects = whole - predict(kept).loc[whole.index]
    assert np.allclose(found.loc[name, "importance"], effects["old"].abs().mean(), atol=1e-5)
    assert np.allclose(
        found.loc[name, "raises old"], effects["old"].clip(lower=0).mean(), atol=1e-5
    )
    assert np.allclose(found["raises old"], found["lowers young"], atol=1e-6)


def test_the_most_important_come_first_and_every_feature_is_there(importance, mixed_study):
    found = importance()
    assert list(found) == ["importance", "raises", "lowers"]
    assert sorted(found.index) == sorted(mixed_study.counts)
    assert found["importance"].is_monotonic_decreasing
    assert (found >= 0).all(axis=None)
    assert np.allclose(found["importance"], found["raises"] + found["lowers"])


def test_the_same_numbers_come_again_in_any_order(importance, mixed_study):
    found, again = importance(), importance()
    assert found.equals(again)
    shuffled = importance(mixed_study.shuffled(3))
    assert np.allclose(found, shuffled.loc[found.index], atol=1e-4)


def test_features_of_the_same_dna_share_its_effect_by_their_reads(importance, mixed_study):
    whole = importance(samples_per_feature=ALL)
    name = whole.index[0]
    counts, dna = mixed_study.counts.copy(), mixed_study.dna.copy()
    counts["copy"] = np.floor(counts[name] / 4)
    counts[name] -= counts["copy"]
    dna["copy"] = dna[name]
    found = importance(
        SimulatedStudy(counts, dna, None, mixed_study.ages, None), samples_per_feature=ALL
    )
    share = counts["copy"].sum() / (counts["copy"] + counts[name]).sum()
    assert np.allclose(found.loc["copy"], share * whole.loc[name], rtol=1e-3)
    assert np.allclose(found.loc["copy"] + found.loc[name], whole.loc[name], rtol=1e-3)


def test_some_samples_of_each_feature_tell_nearly_as_much(importance, planted, planted_regressor):
    study, _ = planted
    every = importance(study, planted_regressor, samples_per_feature=ALL)["importance"]
    some = importance(study, planted_regressor, samples_per_feature=10)["importance"]
    assert not some.equals(every)
    assert some.corr(every.loc[some.index]) > 0.95


def test_a_sample_of_one_feature_cannot_lose_it(importance, mixed_study):
    counts = mixed_study.counts.iloc[:2].copy()
    counts.iloc[0] = 0
    counts.iloc[0, 0] = 7
    counts = counts.loc[:, counts.sum() > 0]
    study = SimulatedStudy(counts, mixed_study.dna[list(counts)], None, mixed_study.ages, None)
    both = importance(study)
    assert np.isfinite(both).all(axis=None)
    alone = importance(study.select(counts.index[1:]))
    assert np.allclose(both.loc[alone.index], alone / 2, atol=1e-5)


def test_where_every_sample_holds_one_asv_nothing_is_important(aam, importance, study):
    """As of isolates: fitted, explained and shown without a fault."""
    counts = study.counts.iloc[:, :2] * 0.0
    counts.iloc[::2, 0], counts.iloc[1::2, 1] = 7, 9
    alone = SimulatedStudy(counts, study.dna[list(counts)], None, study.ages, None)
    fitted = aam.fit_regressor(
        alone.table, alone.age_column, sequences=alone.sequences, **QUICK_FIT
    )
    found = importance(alone, fitted.regressor)
    assert sorted(found.index) == sorted(counts)
    assert (found == 0).all(axis=None)
    predicted = aam.predict_regression(alone.table, fitted.regressor, sequences=alone.sequences)
    shown = qiime2.Artifact.import_data("FeatureData[Importance]", found)
    assert aam.evaluate_regression(predicted.predictions, alone.age_column, importance=shown)


def test_an_asv_that_dwarfs_all_others_has_a_finite_importance(aam, importance, study):
    counts = study.counts.copy()
    counts.iloc[:, 0] += 1e9
    found = importance(
        SimulatedStudy(counts, study.dna, None, study.ages, None),
        aam.fit_regressor(
            table_artifact(SimulatedStudy(counts, study.dna, None, study.ages, None).biom),
            study.age_column, sequences=study.sequences, **QUICK_FIT,
        ).regressor,
    )  # fmt: skip
    assert np.isfinite(found).all(axis=None)


def test_covariates_are_read_and_asked_for(aam, refused, study):
    frame = pd.DataFrame({"sex": np.where(np.arange(20) % 2, "f", "m")}, study.counts.index)
    covariates = qiime2.Metadata(frame)
    model = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, covariates=covariates,
        covariate_columns=["sex"], **QUICK_FIT,
    ).regressor  # fmt: skip

    def run(**settings):
        return aam.feature_importance(study.table, model, sequences=study.sequences, **settings)

    found = run(covariates=covariates).importance.view(pd.DataFrame)
    assert found["importance"].iloc[0] > 0
    refused(run, "1 covariate", "'sex'")


def test_sample_classifier_draws_the_most_important(aam, planted, classifier):
    from qiime2.plugins import sample_classifier

    study, _ = planted
    few = study.select(study.counts.index[:16])
    found = aam.feature_importance(few.table, classifier, sequences=few.sequences)
    page, filtered = sample_classifier.actions.heatmap(
        few.table, found.importance, sample_metadata=halves(study), feature_count=5
    )
    assert str(page.type) == "Visualization"
    most = found.importance.view(pd.DataFrame).index[:5]
    assert sorted(filtered.view(pd.DataFrame).columns) == sorted(most)


def test_an_encoder_is_refused(aam, refused, study, pretrained):
    with pytest.raises(TypeError, match="AAMEncoder"):
        aam.feature_importance(study.table, pretrained.encoder, sequences=study.sequences)
    model = pretrained.encoder.view(AAMModelDirectoryFormat)
    refused(lambda: feature_importance(study.biom, model), "an encoder", "fit-regressor")


def test_ids_that_are_not_dna_are_explained(aam, refused, fitted):
    study = simulate_study(12, 30, 9)
    refused(
        lambda: aam.feature_importance(study.table, fitted.regressor), "30 feature ids", "sequences"
    )
