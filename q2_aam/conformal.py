"""Prediction intervals from the errors on samples that did not train the weights."""

from __future__ import annotations

import math
import warnings

import numpy as np

from .config import MOST_RESIDUALS, RegressionTarget
from .data.target_scaling import middle, to_units
from .errors import AAMError, counted


def nonconformity(answers: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Say by how much true values lie outside of what a model said, negative if inside.

    Parameters
    ----------
    answers : ndarray of float64, (samples, 1) or (samples, 3)
        Scaled: a number, or lower bound, median and upper bound.
    actual : ndarray of float64, (samples,)
        Scaled.

    References
    ----------
    Romano, Patterson and Candès 2019, "Conformalized quantile regression"; with one number it is
    the absolute error.
    """
    return np.maximum(answers[:, 0] - actual, actual - answers[:, -1])


def kept_scores(scores: np.ndarray, most: int = MOST_RESIDUALS) -> tuple[float, ...]:
    """Sort scores for storing; of more than fit, keep even steps of rank with both ends."""
    ranks = np.linspace(0, len(scores) - 1, min(len(scores), most)).round().astype(int)
    return tuple(np.sort(scores)[ranks].tolist())


def conformal_margin(target: RegressionTarget, level: float) -> float:
    """Return by how much to widen what a model says so that it holds the truth.

    Parameters
    ----------
    target : RegressionTarget
        With the scores of its validation samples.
    level : float
        Wanted share of truths inside, above 0 and below 1.

    Returns
    -------
    float
        Scaled; below 0 if quantiles were wider than needed. If the validation samples are too few
        for the level, the largest score, with a warning.

    Raises
    ------
    AAMError
        If the model has no validation samples.

    References
    ----------
    Lei et al. 2018, "Distribution-free predictive inference for regression" (split conformal).
    """
    number = len(target.residuals)
    if not number:
        raise AAMError(
            "The model has no validation samples to take intervals from. Fit it with a "
            "'validation_size' above 0."
        )
    rank = math.ceil((number + 1) * level)
    if rank > number:
        warnings.warn(
            f"{counted(number, 'validation sample')} cannot support {level:.0%} intervals: these "
            f"are as wide as the largest error among them, about {number / (number + 1):.0%}.",
            stacklevel=2,
        )
    return target.residuals[min(rank, number) - 1]


def prediction_intervals(
    target: RegressionTarget, answers: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of predictions, (samples,) each, in the target's units.

    Parameters
    ----------
    target : RegressionTarget
    answers : ndarray of float64, (samples, 1) or (samples, 3)
        Scaled, as `nonconformity` takes them.
    level : float
        Wanted share of true values inside.
    """
    margin, centre = conformal_margin(target, level), middle(answers)
    lower = np.minimum(answers[:, 0] - margin, centre)
    upper = np.maximum(answers[:, -1] + margin, centre)
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
