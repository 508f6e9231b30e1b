"""Prediction intervals from the errors on samples that were predicted without their group."""

from __future__ import annotations

import math

import numpy as np

from .config import MOST_RESIDUALS, RegressionTarget
from .data.target_scaling import point_prediction, to_units
from .errors import AAMError, counted, warn


def nonconformity(predictions: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Say by how much true values lie outside of what a model predicted, negative if inside.

    Parameters
    ----------
    predictions : ndarray of float64, (samples, 1) or (samples, 3)
        Scaled: a number, or lower bound, median and upper bound.
    actual : ndarray of float64, (samples,)
        Scaled.

    References
    ----------
    Romano, Patterson and Candès 2019, "Conformalized quantile regression"; with one number it is
    the absolute error.
    """
    return np.maximum(predictions[:, 0] - actual, actual - predictions[:, -1])


def kept_scores(
    scores: np.ndarray, weights: np.ndarray, most: int = MOST_RESIDUALS
) -> dict[str, tuple[float, ...]]:
    """Sort scores for storing; of more than fit, keep even steps of rank with both ends.

    Parameters
    ----------
    scores, weights : ndarray of float64, (samples,)
    most : int

    Returns
    -------
    dict of str to tuple of float
        The ``residuals`` of a target, and the ``residual_weights`` if they differ.
    """
    order = np.argsort(scores, kind="stable")
    ranks = np.linspace(0, len(scores) - 1, min(len(scores), most)).round().astype(int)
    order = order[ranks]
    kept = {"residuals": tuple(scores[order].tolist()), "residual_weights": ()}
    if len(set(weights[order].tolist())) > 1:
        kept["residual_weights"] = tuple((weights[order] / weights[order].mean()).tolist())
    return kept


def conformal_margin(target: RegressionTarget, level: float) -> float:
    """Return by how much to widen predictions so that they hold the truth.

    Parameters
    ----------
    target : RegressionTarget
        With the scores of samples that were predicted without their group.
    level : float
        Wanted fraction of truths inside, above 0 and below 1.

    Returns
    -------
    float
        Scaled; below 0 if quantiles were wider than needed. If the samples are too few for the
        level, the largest score, with a warning.

    Raises
    ------
    AAMError
        If the model has no such samples.

    References
    ----------
    Vovk 2015, "Cross-conformal predictors"; Barber, Candès, Ramdas and Tibshirani 2021,
    "Predictive inference with the jackknife+", for scores of cross-validation; Dunn, Wasserman
    and Ramdas 2022, "Distribution-free prediction sets for two-layer hierarchical models", for
    groups that count alike.
    """
    number = len(target.residuals)
    if not number:
        raise AAMError(
            "The model has no samples to take intervals from: all that it was fitted on are of "
            "one group. Fit it with at least two groups, or without 'groups'."
        )
    weights = np.array(target.residual_weights or np.ones(number))
    wanted = (number + 1) * level
    if math.ceil(wanted) > number:
        warn(
            f"{counted(number, 'sample')} predicted without their group cannot support "
            f"{level:.0%} intervals: these are as wide as the largest error among them, about "
            f"{number / (number + 1):.0%}."
        )
    rank = int(np.searchsorted(weights.cumsum(), wanted - 1e-9 * number))
    return target.residuals[min(rank, number - 1)]


def prediction_intervals(
    target: RegressionTarget, predictions: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of predictions, (samples,) each, in the target's units.

    Parameters
    ----------
    target : RegressionTarget
    predictions : ndarray of float64, (samples, 1) or (samples, 3)
        Scaled, as `nonconformity` takes them.
    level : float
        Wanted share of true values inside.
    """
    margin, center = conformal_margin(target, level), point_prediction(predictions)
    lower = np.minimum(predictions[:, 0] - margin, center)
    upper = np.maximum(predictions[:, -1] + margin, center)
    return to_units(target, lower), to_units(target, upper)


def widen_unrecognized(
    target: RegressionTarget, lower: np.ndarray, upper: np.ndarray, recognized: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Widen intervals, in the target's units, by what was not recognized of a sample's reads.

    What is recognized of samples like those of training, `target.recognized`, leaves intervals as
    they are; where nothing is recognized they hold the whole range of the training values.

    Parameters
    ----------
    target : RegressionTarget
    lower, upper : ndarray of float64, (samples,)
    recognized : ndarray of float64, (samples,)
        Share of each sample's reads.
    """
    missing = np.clip(1 - recognized / target.recognized, 0, 1)
    least, most = np.minimum(lower, target.minimum), np.maximum(upper, target.maximum)
    return lower + missing * (least - lower), upper + missing * (most - upper)
