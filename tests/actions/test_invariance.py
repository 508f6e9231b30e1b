"""A prediction depends on a sample alone: not on order, company or padding."""

import numpy as np
import pandas as pd
import pytest
import skbio
from simulated_study import QUICK_FIT, SimulatedStudy, model_of, simulate_study

CLOSE = 1e-5  # of the target's scale


def predictions(aam, study: SimulatedStudy, regressor) -> pd.Series:
    return aam.predict_regression(
        study.table, regressor, sequences=study.sequences, confidence_level=0.5
    ).predictions.view(pd.Series)


@pytest.fixture(scope="module")
def before(aam, mixed_study, fitted):
    found = predictions(aam, mixed_study, fitted.regressor)
    assert found.std() > 0.5, "predictions must differ, else nothing is tested"
    return found


@pytest.fixture(scope="module")
def scale(fitted):
    return model_of(fitted.regressor)[0].target.scale


def largest_gap(one: pd.Series, other: pd.Series) -> float:
    assert set(other.index) <= set(one.index)
    return float((one[other.index] - other).abs().max())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_features_and_samples_changes_nothing(
    aam, mixed_study, fitted, before, scale, seed
):
    after = predictions(aam, mixed_study.shuffled(seed), fitted.regressor)
    assert len(after) == len(before)
    assert largest_gap(before, after) < CLOSE * scale


def test_the_company_of_other_samples_changes_nothing(aam, mixed_study, fitted, before, scale):
    for ids in (before.index[:1], before.index[3:6], before.index[::2]):
        after = predictions(aam, mixed_study.select(ids), fitted.regressor)
        assert len(after) == len(ids)
        assert largest_gap(before, after) < CLOSE * scale


def test_longer_asvs_in_other_samples_change_nothing(aam, mixed_study, fitted, before, scale):
    """Padding grows with the longest ASV, and slots with the richest sample."""
    short = mixed_study.dna[mixed_study.dna.str.len() < 48].index
    counts = mixed_study.counts.copy()
    alone = counts.index[0]
    counts.loc[alone, [name for name in counts if name not in short]] = 0
    changed = SimulatedStudy(counts, mixed_study.dna, None, mixed_study.ages, None)
    among = predictions(aam, changed, fitted.regressor)
    after = predictions(aam, changed.select([alone]), fitted.regressor)
    assert mixed_study.dna[counts.columns[counts.loc[alone] > 0]].str.len().max() < 48
    assert mixed_study.dna.str.len().max() > 58
    assert largest_gap(among, after) < CLOSE * scale


def test_features_split_over_two_ids_of_one_sequence_change_nothing(
    aam, mixed_study, fitted, before, scale
):
    counts, dna = mixed_study.counts.copy(), mixed_study.dna.copy()
    name = counts.columns[counts.sum().argmax()]
    counts["copy"] = np.floor(counts[name] / 2)
    counts[name] -= counts["copy"]
    dna["copy"] = dna[name]
    split = SimulatedStudy(counts, dna, None, mixed_study.ages, None)
    after = predictions(aam, split, fitted.regressor)
    assert largest_gap(before, after) < CLOSE * scale


def test_distances_follow_their_samples(aam, mixed_study, fitted):
    whole, shuffled, part = (
        aam.predict_distances(
            one.table, fitted.regressor, sequences=one.sequences
        ).distance_matrix.view(skbio.DistanceMatrix)
        for one in (
            mixed_study,
            mixed_study.shuffled(4),
            mixed_study.select(mixed_study.counts.index[5:9]),
        )
    )
    assert whole.data.std() > 0.02
    assert (whole.data == whole.data.T).all()
    assert (np.diag(whole.data) == 0).all()
    assert whole.data.min() >= 0
    assert whole.data.max() <= 1
    assert np.abs(shuffled.filter(whole.ids).data - whole.data).max() < CLOSE
    assert np.abs(whole.filter(part.ids).data - part.data).max() < CLOSE


def test_ids_that_are_dna_give_the_same_model_and_predictions(aam):
    named = simulate_study(14, 25, 6)
    spelled = SimulatedStudy(
        named.counts.rename(columns=named.dna), named.dna, None, named.ages, named.subjects
    )
    one = aam.fit_regressor(
        named.table, named.age_column, sequences=named.sequences, **QUICK_FIT
    ).regressor
    other = aam.fit_regressor(spelled.table, spelled.age_column, **QUICK_FIT).regressor
    assert_same_model(one, other)
    left = predictions(aam, named, one)
    right = aam.predict_regression(spelled.table, other).predictions.view(pd.Series)
    assert (left == right[left.index]).all()


def assert_same_model(one, other):
    (config, arrays), (config_2, arrays_2) = model_of(one), model_of(other)
    assert config == config_2
    assert arrays.keys() == arrays_2.keys()
    for name in arrays:
        assert np.array_equal(arrays[name], arrays_2[name]), name
