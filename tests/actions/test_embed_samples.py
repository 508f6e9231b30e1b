"""Embeddings are what the model has learned of each sample, and go into other tools."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from scipy.spatial.distance import pdist
from simulated_study import TINY, model_of, simulate_study

from q2_aam.types import AAMEmbeddingsFormat


@pytest.fixture(scope="module")
def embed(aam, mixed_study, descended):
    def run(study=mixed_study, model=descended.regressor, **settings):
        return aam.embed_samples(
            study.table, model, sequences=study.sequences, **settings
        ).embeddings

    return run


@pytest.mark.parametrize(
    ("content", "columns"), [("branches", 32), ("presence", 32), ("pooled", 16)]
)
def test_a_sample_is_described_whatever_its_company(embed, mixed_study, content, columns):
    whole = embed(content=content).view(pd.DataFrame)
    assert whole.shape == (len(mixed_study.counts), columns)
    assert whole.std().max() > 0.05
    part = mixed_study.select(mixed_study.counts.index[5:9])
    alone = embed(part, content=content).view(pd.DataFrame)
    assert sorted(alone.index) == sorted(part.counts.index)
    assert np.abs(whole.loc[alone.index] - alone).to_numpy().max() < 1e-4


def test_the_presence_of_branches_gives_the_predicted_distances(aam, embed, mixed_study, descended):
    present = embed(content="presence").view(pd.DataFrame)
    matrix = aam.predict_distances(
        mixed_study.table, descended.regressor, sequences=mixed_study.sequences
    ).distance_matrix.view(skbio.DistanceMatrix)
    length = np.exp(model_of(descended.regressor)[1]["distance_head.log_length"])
    left, right = present.iloc[0] * length, present.iloc[1:] * length
    found = (right - left).abs().sum(axis=1) / right.clip(lower=left, axis=1).sum(axis=1)
    expected = [matrix[present.index[0], name] for name in found.index]
    assert np.allclose(found, expected, atol=1e-5)


def test_samples_that_resemble_each_other_lie_close(aam, study, pretrained):
    found = aam.embed_samples(study.table, pretrained.encoder, sequences=study.sequences)
    frame = found.embeddings.view(pd.DataFrame)
    unifrac = study.unifrac.filter(frame.index).condensed_form()
    assert np.corrcoef(pdist(frame), unifrac)[0, 1] > 0.4


def test_principal_components_keep_what_differs_most(embed):
    every = embed().view(pd.DataFrame)
    some = embed(dimensions=3).view(pd.DataFrame)
    assert list(some) == ["component 1", "component 2", "component 3"]
    assert (every.index == some.index).all()
    variance = some.var()
    assert variance.is_monotonic_decreasing
    assert variance.sum() > 0.5 * every.var().sum()
    most = embed(dimensions=15).view(pd.DataFrame)
    assert np.allclose(pdist(most), pdist(every), atol=1e-4)


def test_embeddings_are_metadata_and_ids_stay_text(aam, embed, descended):
    ids = [f"{number:04d}" for number in range(1, 13)]
    study = simulate_study(asvs=30, seed=14, sample_ids=ids)
    metadata = embed(study, dimensions=2).view(qiime2.Metadata)
    assert list(metadata.ids) == ids
    merged = metadata.merge(qiime2.Metadata(study.ages.to_frame()))
    assert sorted(merged.columns) == ["age", "component 1", "component 2"]


def test_a_changed_file_is_not_valid_at_any_level(embed, tmp_path):
    embed().view(AAMEmbeddingsFormat).save(str(tmp_path / "embeddings.tsv"))
    lines = (tmp_path / "embeddings.tsv").read_text().splitlines()
    lines[-1] = lines[-1].rsplit("\t", 1)[0] + "\tnan"
    (tmp_path / "embeddings.tsv").write_text("\n".join(lines) + "\n")
    for level in ("min", "max"):
        with pytest.raises(qiime2.plugin.ValidationError):
            AAMEmbeddingsFormat(str(tmp_path / "embeddings.tsv"), mode="r").validate(level)


def test_what_was_never_trained_is_refused(refused, aam, study, pretrained):
    def embed(encoder, **settings):
        return lambda: aam.embed_samples(
            study.table, encoder, sequences=study.sequences, **settings
        )

    refused(embed(pretrained.encoder, content="pooled"), "'branches'", "Set 'content'")
    pooling = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        **TINY | {"epochs": 1, "distance_form": "euclidean"},
    ).encoder  # fmt: skip
    for content in ("branches", "presence"):
        refused(embed(pooling, content=content), "'euclidean'", "Set 'content' to 'pooled'")
    assert embed(pooling, content="pooled")().embeddings.view(pd.DataFrame).shape == (20, 16)
    blind = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        **TINY | {"epochs": 1, "unifrac_weight": 0.0, "nucleotide_weight": 1.0},
    ).encoder  # fmt: skip
    refused(embed(blind), "never learned distances", "unifrac_weight")


def test_more_components_than_there_can_be_are_refused(refused, embed, mixed_study):
    refused(lambda: embed(dimensions=16), "16", "16 samples", "15 principal components")
    one = mixed_study.select(mixed_study.counts.index[:1])
    refused(lambda: embed(one, dimensions=1), "1 sample", "0 principal components")
