"""Embeddings are what the model has learned of each sample, and go into other tools."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import skbio
from scipy.spatial.distance import pdist
from simulated_study import model_of, simulate_study

from q2_aam.types import AAMEmbeddingsFormat


@pytest.fixture(scope="module")
def embed(aam, mixed_study, descended):
    def run(study=mixed_study, model=descended.regressor, **settings):
        return aam.embed_samples(study.table, model, sequences=study.sequences, **settings)

    return run


@pytest.fixture(scope="module")
def frame_of(embed):
    return lambda *given, **settings: embed(*given, **settings).embeddings.view(pd.DataFrame)


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
    length = np.exp(model_of(descended.regressor)[1]["distance_head.log_length"])
    left, right = present.iloc[0] * length, present.iloc[1:] * length
    found = (right - left).abs().sum(axis=1) / right.clip(lower=left, axis=1).sum(axis=1)
    expected = [matrix[present.index[0], name] for name in found.index]
    assert np.allclose(found, expected, atol=1e-5)


def test_samples_that_resemble_each_other_lie_close(frame_of, study, pretrained):
    frame = frame_of(study, pretrained.encoder)
    unifrac = study.unifrac.filter(frame.index).condensed_form()
    assert np.corrcoef(pdist(frame), unifrac)[0, 1] > 0.4


def test_principal_components_keep_what_differs_most(frame_of):
    every, some = frame_of(), frame_of(dimensions=3)
    assert list(some) == ["component 1", "component 2", "component 3"]
    assert (every.index == some.index).all()
    variance = some.var()
    assert variance.is_monotonic_decreasing
    assert variance.sum() > 0.5 * every.var().sum()
    assert np.allclose(pdist(frame_of(dimensions=15)), pdist(every), atol=1e-4)


def test_the_ordination_shows_the_components_and_what_they_explain(embed, mixed_study):
    found = embed(dimensions=3)
    ordination = found.ordination.view(skbio.OrdinationResults)
    every, some = embed().embeddings.view(pd.DataFrame), found.embeddings.view(pd.DataFrame)
    assert ordination.samples.shape == (16, 10)
    assert np.allclose(ordination.samples.loc[some.index].iloc[:, :3], some, atol=1e-4)
    expected = some.var() / every.var().sum()
    assert np.allclose(ordination.proportion_explained[:3], expected, atol=1e-5)
    assert ordination.proportion_explained.is_monotonic_decreasing
    assert 0.5 < ordination.proportion_explained.sum() <= 1
    emperor = pytest.importorskip("qiime2.plugins.emperor", reason="no q2-emperor here")
    (page,) = emperor.actions.plot(found.ordination, qiime2.Metadata(mixed_study.ages.to_frame()))
    assert str(page.type) == "Visualization"
    one = embed(mixed_study.select(mixed_study.counts.index[:1]))
    assert (one.ordination.view(skbio.OrdinationResults).samples == 0).all(axis=None)


def test_embeddings_are_metadata_and_ids_stay_text(embed):
    ids = [f"{number:04d}" for number in range(1, 13)]
    study = simulate_study(asvs=30, seed=14, sample_ids=ids)
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


def test_what_was_never_trained_is_refused(refused, embed, study, pretrained):
    def embedded(encoder, **settings):
        return lambda: embed(study, encoder, **settings)

    refused(embedded(pretrained.encoder, content="pooled"), "'branches'", "Set 'content'")
    pooling = quick.pretrain(study, epochs=1, distance_form="euclidean").encoder
    for content in ("branches", "presence"):
        refused(embedded(pooling, content=content), "'euclidean'", "Set 'content' to 'pooled'")
    assert embedded(pooling, content="pooled")().embeddings.view(pd.DataFrame).shape == (20, 16)
    blind = quick.pretrain(study, epochs=1, unifrac_weight=0.0, nucleotide_weight=1.0).encoder
    refused(embedded(blind), "never learned distances", "unifrac_weight")


def test_more_components_than_there_can_be_are_refused(refused, embed, mixed_study):
    refused(lambda: embed(dimensions=16), "16", "16 samples", "15 principal components")
    one = mixed_study.select(mixed_study.counts.index[:1])
    refused(lambda: embed(one, dimensions=1), "1 sample", "0 principal components")
