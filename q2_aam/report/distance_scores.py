"""How well distances are predicted, over all pairs of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bootstrap import Estimate
from .compared_distances import ComparedDistances

RESAMPLES = 500


@dataclass(frozen=True)
class DistanceMetric:
    """A metric with the words for it."""

    name: str
    label: str
    meaning: str


METRICS = (
    DistanceMetric(
        "correlation",
        "r",
        "Pearson's correlation: 1 means that the order and the relative differences are right",
    ),
    DistanceMetric(
        "r_squared",
        "R\u00b2",
        "share of the variance explained: 1 is perfect, 0 is no better than always answering the "
        "mean distance, less is worse",
    ),
    DistanceMetric(
        "mean_absolute_error",
        "MAE",
        "mean absolute error: how far off a distance is on average, on the scale from 0 to 1",
    ),
    DistanceMetric(
        "mean_error",
        "Mean error",
        "predicted minus actual on average: above 0, distances are predicted too large",
    ),
    DistanceMetric(
        "spread_ratio",
        "Spread",
        "standard deviation of the predicted distances divided by that of the actual ones: below "
        "1, extremes are predicted too near the middle",
    ),
)


@dataclass(frozen=True)
class DistanceScores:
    """The scores of a predicted matrix.

    Attributes
    ----------
    estimates : dict of str to Estimate
        By the names of `METRICS`, with intervals from drawing samples (not pairs, which are not
        independent of each other).
    mean_actual : float
        Mean actual distance.
    constant_error : float
        Mean absolute error of always answering that mean.
    slope, intercept : float
        Of the least-squares line predicted = slope * actual + intercept; NaN if not defined.
    """

    estimates: dict[str, Estimate]
    mean_actual: float
    constant_error: float
    slope: float
    intercept: float


def score_distances(compared: ComparedDistances, random_seed: int = 0) -> DistanceScores:
    """Score predicted distances over all pairs of different samples.

    Parameters
    ----------
    compared : ComparedDistances
    random_seed : int
        Of the bootstrap.

    Returns
    -------
    DistanceScores
    """
    n_samples, total = len(compared.ids), 2 * compared.n_pairs
    centre = {"predicted": 0.0, "actual": 0.0}
    for _, predicted, actual in compared.blocks():
        centre["predicted"] += predicted.sum() / total
        centre["actual"] += actual.sum() / total
    weights = np.random.default_rng(random_seed).multinomial(
        n_samples, np.full(n_samples, 1 / n_samples), size=RESAMPLES
    )
    weights = np.vstack([np.ones(n_samples), weights]).astype(np.float64)
    sums, constant_error = _weighted_sums(compared, weights, centre)
    pairs = weights.sum(axis=1) ** 2 - np.square(weights).sum(axis=1)
    values, lines = _metrics(sums, pairs, centre)
    estimates = {name: _with_interval(found) for name, found in values.items()}
    slope, intercept = lines
    return DistanceScores(
        estimates, centre["actual"], constant_error / total, float(slope[0]), float(intercept[0])
    )


def _weighted_sums(compared: ComparedDistances, weights: np.ndarray, centre: dict):
    """Sum products of centred distances over ordered pairs, each weighted by both its samples."""
    names = ("x", "y", "xx", "yy", "xy", "absolute")
    sums = {name: np.zeros(len(weights)) for name in names}
    constant_error = 0.0
    for some, predicted, actual in compared.blocks():
        error = np.abs(predicted - actual)
        predicted -= centre["predicted"]
        actual -= centre["actual"]
        own = (np.arange(len(predicted)), np.arange(some.start, some.stop))
        predicted[own] = actual[own] = 0
        constant_error += np.abs(actual).sum()
        parts = (
            predicted, actual, predicted**2, actual**2, predicted * actual, error,
        )  # fmt: skip
        for name, part in zip(names, parts, strict=True):
            sums[name] += ((weights @ part.T) * weights[:, some]).sum(axis=1)
    return sums, constant_error


def _metrics(sums: dict, pairs: np.ndarray, centre: dict):
    """Turn sums into metrics of each resample, and into the least-squares line."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = sums["x"] / pairs, sums["y"] / pairs
        var_x = sums["xx"] / pairs - mean_x**2
        var_y = sums["yy"] / pairs - mean_y**2
        covariance = sums["xy"] / pairs - mean_x * mean_y
        shift = centre["predicted"] - centre["actual"]
        mean_error = mean_x - mean_y + shift
        squared_error = var_x + var_y - 2 * covariance + mean_error**2
        var_x, var_y = (np.where(v > 1e-12, v, np.nan) for v in (var_x, var_y))
        slope = covariance / var_y
        intercept = mean_x + centre["predicted"] - slope * (mean_y + centre["actual"])
        values = {
            "correlation": covariance / np.sqrt(var_x * var_y),
            "r_squared": 1 - squared_error / var_y,
            "mean_absolute_error": sums["absolute"] / pairs,
            "mean_error": mean_error,
            "spread_ratio": np.sqrt(var_x / var_y),
        }
    return values, (slope, intercept)


def _with_interval(values: np.ndarray) -> Estimate:
    """Take the first as the value and the others as its resamples."""
    value, drawn = float(values[0]), values[1:]
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(drawn) < 0.9 * RESAMPLES:
        return Estimate(value)
    lower, upper = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(lower), float(upper))
