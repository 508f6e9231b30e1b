"""A prediction depends on what a sample holds, however a table spells it.

That order, company and padding change nothing is held by tests/trust/test_any_company.py.
"""

import dataclasses

import numpy as np
import quick_actions as quick
from simulated_study import model_of, simulate_study

CLOSE = 1e-5  # of the target's scale


def test_features_split_over_two_ids_of_one_sequence_change_nothing(mixed_study, fitted):
    counts, dna = mixed_study.counts.copy(), mixed_study.dna.copy()
    name = counts.columns[counts.sum().argmax()]
    counts["copy"] = np.floor(counts[name] / 2)
    counts[name] -= counts["copy"]
    dna["copy"] = dna[name]
    split = dataclasses.replace(mixed_study, counts=counts, dna=dna)
    before, after = (quick.predictions(one, fitted) for one in (mixed_study, split))
    assert before.std() > 0.5, "predictions must differ, else nothing is tested"
    scale = model_of(fitted.regressor)[0].target.scale
    assert (before - after[before.index]).abs().max() < CLOSE * scale


def test_distances_follow_their_samples(mixed_study, fitted):
    part = mixed_study.select(mixed_study.counts.index[5:9])
    whole, shuffled, part = (
        quick.distances(one, fitted.regressor)
        for one in (mixed_study, mixed_study.shuffled(4), part)
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
