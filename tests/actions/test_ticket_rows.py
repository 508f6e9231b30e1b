"""What the system promises of data, distances and batches, through the public actions.

Tests are named by the row of the table in docs/behaviors.md.
"""

import re

import numpy as np
import pandas as pd
import pytest
import qiime2.sdk
import skbio
import torch
from simulated_study import (
    TINY,
    TINY_FIT,
    distances_text_artifact,
    matrix_text,
    model_of,
    simulate_study,
)

from q2_aam.data.tokens import START, tokenize
from q2_aam.model import losses


@pytest.fixture
def weights(aam, monkeypatch, tmp_path):
    """Pretrain anew, never from another run's state, and return the weights."""
    runs = iter(range(100))

    def run(study, matrix=None, **options):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / f"run {next(runs)}"))
        found = aam.pretrain(
            [study.table], [matrix or study.distances], sequences=[study.sequences],
            random_seed=5, **TINY | options,
        )  # fmt: skip
        return model_of(found.encoder)[1]

    return run


def same(left, right) -> bool:
    return all((left[name] == right[name]).all() for name in left)


def test_8_5_distances_belong_to_their_samples_whatever_the_order(weights, study):
    matrix = study.unifrac
    names = np.random.default_rng(0).permutation(matrix.ids)
    shuffled = skbio.DistanceMatrix(matrix.filter(names).data.copy(), list(names))
    artifact = qiime2.Artifact.import_data("DistanceMatrix", shuffled)
    wrong = skbio.DistanceMatrix(matrix.data.copy(), list(names))
    plain = weights(study)
    assert same(plain, weights(study, artifact))
    assert not same(plain, weights(study, qiime2.Artifact.import_data("DistanceMatrix", wrong)))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_8_6_any_batch_size_works_and_every_sample_is_scored(aam, study, batch_size):
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences,
        **TINY_FIT | {"epochs": 1, "batch_size": batch_size, "validation_size": 0.35},
    )  # fmt: skip
    assert len(model_of(fitted.regressor)[0].target.residuals) == 7
    found = aam.predict_regression(study.table, fitted.regressor, sequences=study.sequences)
    assert sorted(found.predictions.view(pd.Series).index) == sorted(study.counts.index)


def test_8_8_each_asv_begins_with_start_which_is_never_masked():
    tokens = torch.from_numpy(tokenize(["ACGT", "ACGTAC"])[0])
    assert (tokens[:, 0] == START).all()
    masked, hidden = losses.hide_nucleotides(tokens, torch.zeros(tokens.shape))
    assert hidden[:, 1:5].all()
    assert (masked[:, 0] == START).all()


def test_8_9_nucleotides_of_any_mix_of_lengths_are_predicted(aam, mixed_study):
    found = aam.pretrain(
        [mixed_study.table], [mixed_study.distances], sequences=[mixed_study.sequences],
        nucleotide_weight=1.0, abundance_weight=1.0, **TINY,
    )  # fmt: skip
    history = found.training_log.view(qiime2.Metadata).to_dataframe()
    for part in ("train", "validation"):
        assert np.isfinite(history[f"{part}_nucleotide_loss"]).all()
        assert (history[f"{part}_nucleotide_loss"] > 0).all()


def test_10_3_batches_are_the_same_for_any_number_of_workers(weights, study):
    options = {"nucleotide_weight": 0.1, "dropout": 0.1, "batch_size": 4}
    assert same(weights(study, workers=0, **options), weights(study, workers=3, **options))


def test_11_4_samples_that_the_matrix_lacks_are_named(aam, study, refused):
    fewer = study.unifrac.filter(list(study.counts.index[3:]))
    artifact = qiime2.Artifact.import_data("DistanceMatrix", fewer)
    refused(
        lambda: aam.pretrain([study.table], [artifact], sequences=[study.sequences], **TINY),
        "3 samples of 20", "S000", "'missing_samples'",
    )  # fmt: skip


def test_11_4_nothing_of_unifrac_is_computed_in_pretraining(aam):
    signature = qiime2.sdk.PluginManager().plugins["aam"].actions["pretrain"].signature
    names = [*signature.inputs, *signature.parameters]
    old = re.compile("tree|phylogeny|stripe|lazy|prun|metric|unifrac_threads")
    assert not [name for name in names if old.search(name)]


def test_8_12_the_diagonal_changes_nothing(weights, study, tmp_path):
    ids, matrix = study.unifrac.ids, study.unifrac.data.copy()
    plain = distances_text_artifact(matrix_text(ids, matrix), tmp_path)
    np.fill_diagonal(matrix, np.linspace(0.1, 0.9, len(ids)))
    (tmp_path / "other").mkdir()
    changed = distances_text_artifact(matrix_text(ids, matrix), tmp_path / "other")
    assert same(weights(study, plain), weights(study, changed))
    alone = losses.unifrac_loss(torch.ones(1, 1), torch.zeros(1, 1))
    assert float(alone) == 0


@pytest.mark.parametrize("row", ["8_13", "8_15"])
def test_8_13_and_8_15_zero_distances_count_like_others(row):
    predicted = torch.tensor([[0.0, 0.2, 0.4], [0.2, 0.0, 0.6], [0.4, 0.6, 0.0]])
    actual = torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.5, 0.5, 0.0]])
    assert float(losses.unifrac_loss(predicted, actual)) == pytest.approx(
        (0.2**2 + 0.1**2 + 0.1**2) / 3
    )


@pytest.mark.parametrize("form", ["branches", "euclidean"])
def test_8_14_8_16_11_1_11_5_distances_are_pairwise_and_span_their_range(aam, form):
    study = simulate_study(samples=40, asvs=60, seed=2)
    found = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences], distance_form=form,
        **TINY | {"epochs": 25, "learning_rate": 0.01, "patience": 25},
    )  # fmt: skip
    whole = aam.predict_distances(study.table, found.encoder, sequences=study.sequences)
    whole = whole.distance_matrix.view(skbio.DistanceMatrix)
    few = study.select(study.counts.index[5:11])
    part = aam.predict_distances(few.table, found.encoder, sequences=few.sequences)
    part = part.distance_matrix.view(skbio.DistanceMatrix)
    assert np.allclose(whole.filter(part.ids).data, part.data, atol=1e-5)
    assert (whole.data == whole.data.T).all()
    assert (np.diag(whole.data) == 0).all()
    predicted, actual = whole.condensed_form(), study.unifrac.filter(whole.ids).condensed_form()
    assert predicted.min() >= 0
    assert predicted.max() < 1
    assert np.ptp(predicted) > 0.4 * np.ptp(actual)
    assert np.corrcoef(predicted, actual)[0, 1] > 0.6
