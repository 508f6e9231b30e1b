"""What the system promises of data, distances and batches, through the public actions.

Tests are named by the row of the table in docs/behaviors.md.
"""

import re

import numpy as np
import pytest
import qiime2.sdk
import quick_actions as quick
import simulated_study as sim
import skbio


def encoder_of(study, matrix=None, **options):
    return quick.pretrain(study, matrix, random_seed=5, **options).encoder


def test_8_5_distances_belong_to_their_samples_whatever_the_order(study):
    matrix = study.unifrac
    names = list(np.random.default_rng(0).permutation(matrix.ids))
    shuffled = skbio.DistanceMatrix(matrix.filter(names).data.copy(), names)
    wrong = skbio.DistanceMatrix(matrix.data.copy(), names)
    plain = encoder_of(study)
    assert sim.same_weights(plain, encoder_of(study, sim.distances_artifact(shuffled)))
    assert not sim.same_weights(plain, encoder_of(study, sim.distances_artifact(wrong)))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_8_6_any_batch_size_works_and_every_sample_is_scored(study, batch_size):
    given = {"epochs": 1, "batch_size": batch_size, "validation_size": 0.35}
    fitted = quick.fit(study, **sim.TINY_FIT | given)
    assert len(sim.target_of(fitted).residuals) == 7
    assert sorted(quick.predictions(study, fitted).index) == sorted(study.counts.index)


def test_8_9_nucleotides_of_any_mix_of_lengths_are_predicted(mixed_study):
    found = quick.pretrain(mixed_study, nucleotide_weight=1.0, abundance_weight=1.0)
    losses = sim.history_of(found)[["train_nucleotide_loss", "validation_nucleotide_loss"]]
    assert np.isfinite(losses).all(axis=None)
    assert (losses > 0).all(axis=None)


def test_10_3_batches_are_the_same_for_any_number_of_workers(study):
    options = {"nucleotide_weight": 0.1, "dropout": 0.1, "batch_size": 4}
    assert sim.same_weights(*(encoder_of(study, workers=one, **options) for one in (0, 3)))


def test_11_4_nothing_of_unifrac_is_computed_in_pretraining():
    signature = qiime2.sdk.PluginManager().plugins["aam"].actions["pretrain"].signature
    names = [*signature.inputs, *signature.parameters]
    old = re.compile("tree|phylogeny|stripe|lazy|prun|metric|unifrac_threads")
    assert not [name for name in names if old.search(name)]


def test_8_12_the_diagonal_changes_nothing(study, tmp_path):
    ids, matrix = study.unifrac.ids, study.unifrac.data.copy()
    np.fill_diagonal(matrix, np.linspace(0.1, 0.9, len(ids)))
    changed = sim.distances_text_artifact(sim.matrix_text(ids, matrix), tmp_path)
    assert sim.same_weights(encoder_of(study), encoder_of(study, changed))


@pytest.mark.parametrize("form", ["branches", "euclidean"])
def test_8_14_8_16_11_1_11_5_distances_are_pairwise_and_span_their_range(form):
    study = sim.simulate_study(samples=40, asvs=60, seed=2)
    encoder = quick.pretrain(
        study, distance_form=form, epochs=25, learning_rate=0.01, patience=25
    ).encoder
    whole = quick.distances(study, encoder)
    part = quick.distances(study.select(study.counts.index[5:11]), encoder)
    shuffled = quick.distances(study.shuffled(4), encoder)
    for other in (part, shuffled):
        assert np.allclose(whole.filter(other.ids).data, other.data, atol=1e-5)
    assert (whole.data == whole.data.T).all()
    assert (np.diag(whole.data) == 0).all()
    predicted, actual = whole.condensed_form(), study.unifrac.filter(whole.ids).condensed_form()
    assert predicted.min() >= 0
    assert predicted.max() < 1
    assert np.ptp(predicted) > 0.4 * np.ptp(actual)
    assert np.corrcoef(predicted, actual)[0, 1] > 0.6
