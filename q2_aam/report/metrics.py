"""Regression metrics as functions of sample weights, so that a bootstrap is one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def mean_absolute_error(truth, predicted, weights):
    """Return the weighted mean absolute error, in the target's units.

    Parameters
    ----------
    truth, predicted : np.ndarray of shape (samples,)
    weights : np.ndarray of shape (resamples, samples)
        How often each sample counts.

    Returns
    -------
    np.ndarray of shape (resamples,)
    """
    return weights @ np.abs(predicted - truth) / weights.sum(axis=1)


def root_mean_squared_error(truth, predicted, weights):
    """Return the weighted root mean squared error; see `mean_absolute_error` for the shapes."""
    return np.sqrt(weights @ np.square(predicted - truth) / weights.sum(axis=1))


def r_squared(truth, predicted, weights):
    """Return the share of the truth's variance that is explained; NaN where it has none."""
    # Centred first: the variance as a difference of sums would lose digits for large values.
    centred = truth - truth.mean()
    total = weights.sum(axis=1)
    variance = weights @ np.square(centred) - np.square(weights @ centred) / total
    unexplained = weights @ np.square(predicted - truth)
    constant = variance <= 1e-12 * (weights @ np.square(truth) + 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(constant, np.nan, 1 - unexplained / variance)


def spearman_correlation(truth, predicted, weights):
    """Return Spearman's rank correlation; NaN where truth or prediction is constant."""
    x, y = _ranks(truth, weights), _ranks(predicted, weights)
    total = weights.sum(axis=1, keepdims=True)
    x -= (weights * x).sum(axis=1, keepdims=True) / total
    y -= (weights * y).sum(axis=1, keepdims=True) / total
    covariance = (weights * x * y).sum(axis=1)
    spread = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 1e-9, covariance / np.sqrt(spread), np.nan)


def _ranks(values, weights):
    """Rank every sample among the weighted ones (ties share their mean rank)."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, place]


@dataclass(frozen=True)
class Metric:
    """A metric with the words for it."""

    name: str
    label: str
    meaning: str
    in_units: bool
    function: object


METRICS = (
    Metric(
        "mean_absolute_error",
        "MAE",
        "mean absolute error: how far off a prediction is on average; lower is better",
        True,
        mean_absolute_error,
    ),
    Metric(
        "root_mean_squared_error",
        "RMSE",
        "root mean squared error: like MAE, but large errors count more; lower is better",
        True,
        root_mean_squared_error,
    ),
    Metric(
        "r_squared",
        "R\u00b2",
        "share of the variance explained: 1 is perfect, 0 is no better than the mean",
        False,
        r_squared,
    ),
    Metric(
        "spearman_correlation",
        "Spearman \u03c1",
        "rank correlation: 1 means that the order of the samples is right",
        False,
        spearman_correlation,
    ),
)
