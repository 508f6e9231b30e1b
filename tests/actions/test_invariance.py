"""A prediction depends on a sample alone: not on order, company or padding."""

import dataclasses

import numpy as np
import pytest
import quick_actions as quick
from simulated_study import model_of, simulate_study

CLOSE = 1e-5  # of the target's scale


@pytest.fixture(scope="module")
def gap(mixed_study, fitted):
    """How far predictions of other tables are from those of the whole study, of the scale."""
    before = quick.predictions(mixed_study, fitted)
    assert before.std() > 0.5, "predictions must differ, else nothing is tested"
    scale = model_of(fitted.regressor)[0].target.scale

    def run(study, whole=before) -> float:
        after = quick.predictions(study, fitted)
        assert set(after.index) == set(study.counts.index) <= set(whole.index)
        return float((whole[after.index] - after).abs().max()) / scale

    return run


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_features_and_samples_changes_nothing(mixed_study, gap, seed):
    assert gap(mixed_study.shuffled(seed)) < CLOSE


def test_the_company_of_other_samples_changes_nothing(mixed_study, gap):
    ids = mixed_study.counts.index
    for some in (ids[:1], ids[3:6], ids[::2]):
        assert gap(mixed_study.select(some)) < CLOSE


def test_longer_asvs_in_other_samples_change_nothing(mixed_study, fitted, gap):
    """Padding grows with the longest ASV, and slots with the richest sample."""
    counts, alone = mixed_study.counts.copy(), mixed_study.counts.index[0]
    counts.loc[alone, (mixed_study.dna.str.len() >= 48).to_numpy()] = 0
    changed = dataclasses.replace(mixed_study, counts=counts)
    assert changed.select([alone]).dna.str.len().max() < 48
    assert mixed_study.dna.str.len().max() > 58
    assert gap(changed.select([alone]), quick.predictions(changed, fitted)) < CLOSE


def test_features_split_over_two_ids_of_one_sequence_change_nothing(mixed_study, gap):
    counts, dna = mixed_study.counts.copy(), mixed_study.dna.copy()
    name = counts.columns[counts.sum().argmax()]
    counts["copy"] = np.floor(counts[name] / 2)
    counts[name] -= counts["copy"]
    dna["copy"] = dna[name]
    assert gap(dataclasses.replace(mixed_study, counts=counts, dna=dna)) < CLOSE


def test_distances_follow_their_samples(mixed_study, fitted):
    part = mixed_study.select(mixed_study.counts.index[4:9])
    whole, shuffled, part = (
        quick.distances(one, fitted.regressor)
        for one in (mixed_study, mixed_study.shuffled(3), part)
    )
    assert whole.data.std() > 0.02
    assert (whole.data == whole.data.T).all()
    assert (np.diag(whole.data) == 0).all()
    assert whole.data.min() >= 0
    assert whole.data.max() <= 1
    assert np.abs(shuffled.filter(whole.ids).data - whole.data).max() < CLOSE
    assert np.abs(whole.filter(part.ids).data - part.data).max() < CLOSE


def test_ids_that_are_dna_give_the_same_model_and_predictions():
    named = simulate_study(14, 25, 6)
    spelled = dataclasses.replace(named, counts=named.counts.rename(columns=named.dna))
    one, other = quick.fit(named), quick.fit(spelled, sequences=None)
    (config, arrays), (config_2, arrays_2) = (model_of(found.regressor) for found in (one, other))
    assert config == config_2
    assert arrays.keys() == arrays_2.keys()
    assert all(np.array_equal(arrays[name], arrays_2[name]) for name in arrays)
    left, right = quick.predictions(named, one), quick.predictions(spelled, other, sequences=None)
    assert (left == right[left.index]).all()
