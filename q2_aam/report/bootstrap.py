"""Bootstrap intervals: by sample, or by group where repeated measures belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
RANDOM_SEED = 20160615
_LARGEST_BLOCK = 2_000_000  # resamples x samples held at once


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % bootstrap interval; NaN where it is not defined."""

    value: float
    lower: float = float("nan")
    upper: float = float("nan")


def estimate(
    statistic: Callable[[np.ndarray], np.ndarray],
    n_samples: int,
    groups: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Estimate a statistic and its 95 % percentile interval.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (resamples, samples), returns values of shape (resamples,).
    n_samples : int
    groups : np.ndarray of int, shape (samples,), optional
        Group of each sample. Whole groups are drawn, else single samples.
    resamples : int

    Returns
    -------
    Estimate
        The interval is NaN with fewer than two units to draw. Every call draws the same
        resamples, so that differences between estimates are paired.
    """
    return estimate_all(lambda weights: statistic(weights)[:, None], n_samples, groups, resamples)[
        0
    ]


def estimate_all(
    statistics: Callable[[np.ndarray], np.ndarray],
    n_samples: int,
    groups: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> list[Estimate]:
    """Estimate several statistics from one set of resamples; see `estimate`.

    Parameters
    ----------
    statistics : callable
        Takes weights of shape (resamples, samples), returns values of shape
        (resamples, statistics).
    n_samples, groups, resamples
        As for `estimate`.

    Returns
    -------
    list of Estimate
    """
    values = statistics(np.ones((1, n_samples)))[0]
    codes = np.arange(n_samples) if groups is None else np.unique(groups, return_inverse=True)[1]
    if codes.max(initial=0) < 1:
        return [Estimate(float(value)) for value in values]
    drawn = [statistics(weights) for weights in _resampled_weights(codes, resamples)]
    columns = np.concatenate(drawn).T
    return [_with_interval(float(v), column) for v, column in zip(values, columns, strict=True)]


def _with_interval(value: float, drawn: np.ndarray) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    # Resamples in which the statistic is undefined say nothing; too many, and no interval is fair.
    if not np.isfinite(value) or len(known) < 0.9 * len(drawn):
        return Estimate(value)
    lower, upper = np.percentile(known, [2.5, 97.5])
    return Estimate(value, float(lower), float(upper))


def _resampled_weights(codes: np.ndarray, resamples: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(RANDOM_SEED)
    n_units = int(codes.max()) + 1
    block = max(1, _LARGEST_BLOCK // len(codes))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        draws = random.integers(n_units, size=(rows, n_units))
        counts = np.stack([np.bincount(draw, minlength=n_units) for draw in draws])
        yield counts[:, codes].astype(float)
