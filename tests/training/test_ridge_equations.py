"""Solving from blocks gives what solving from all samples at once gave, in less memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg

from q2_aam.training import ridge_equations
from q2_aam.training.ridge_equations import solve


def draw(samples: int, columns: int, even: bool):
    random = np.random.default_rng(samples)
    features = np.abs(random.normal(size=(samples, columns))) / np.sqrt(columns)
    values = 3 + features @ random.normal(size=(columns, 2)) + random.normal(size=(samples, 2))
    weights = np.ones(samples) if even else random.uniform(0.2, 3.0, size=samples)
    return features, values, weights / weights.mean()


def solve_at_once(features, values, sample_weights, penalty):
    """Solve from all samples: centred, weighted, by whichever products are fewer."""
    mean, intercept = (np.average(part, 0, sample_weights) for part in (features, values))
    root = np.sqrt(sample_weights)[:, None]
    centred, wanted = root * (features - mean), root * (values - intercept)
    penalties = penalty * len(values)
    if len(values) <= features.shape[1]:
        gram = centred @ centred.T + penalties * np.eye(len(values))
        weights = centred.T @ scipy.linalg.solve(gram, wanted, assume_a="pos")
    else:
        gram = centred.T @ centred + penalties * np.eye(features.shape[1])
        weights = scipy.linalg.solve(gram, centred.T @ wanted, assume_a="pos")
    return weights, intercept - mean @ weights


def in_blocks(features, rows: int):
    return (features[start : start + rows] for start in range(0, len(features), rows))


@pytest.mark.parametrize("shape", [(300, 40), (50, 40), (30, 40), (20, 40), (5, 40)])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("penalty", [1e-5, 0.1, 100.0])
@pytest.mark.parametrize("at_once", [16, 1024])
def test_blocks_give_what_all_samples_at_once_give(shape, even, penalty, at_once, monkeypatch):
    monkeypatch.setattr(ridge_equations, "_ROWS_AT_ONCE", at_once)
    features, values, weights = draw(*shape, even)
    wanted, constant = solve_at_once(features, values, weights, penalty)
    for rows in (7, 64):
        found = solve(in_blocks(features, rows), shape[1], values, weights, penalty)
        assert np.abs(found[0] - wanted).max() < 1e-5 * np.abs(wanted).max()
        assert np.abs(found[1] - constant).max() < 1e-5 * np.abs(constant).max()


def test_more_samples_take_no_more_memory():
    columns, peaks = 50, []
    random = np.random.default_rng(0)
    for samples in (4_000, 40_000):
        values = random.normal(size=(samples, 1))
        blocks = (random.normal(size=(64, columns)) for _ in range(samples // 64))
        tracemalloc.start()
        solve(blocks, columns, values[: samples // 64 * 64], np.ones(samples // 64 * 64), 0.1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    of_all_features = 8 * 40_000 * columns
    assert peaks[1] < of_all_features / 4
