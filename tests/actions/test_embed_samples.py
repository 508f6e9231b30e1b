"""Embeddings are what the model has learned of each sample, and go into other tools."""

import numpy as np
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
import skbio
from scipy.spatial.distance import pdist

from q2_aam.types import AAMEmbeddingsFormat


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
