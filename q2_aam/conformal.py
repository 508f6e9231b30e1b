"""Prediction intervals from the errors on samples that were predicted without their group."""

import math

import numpy as np

from .config.target import MOST_RESIDUALS, RegressionTarget
from .data.target_scaling import point_prediction, to_units
from .errors import AAMError, counted, percent, warn


def nonconformity(predictions: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Say by how much true values (samples,) lie outside of predictions (samples, 1 or 3), scaled.

    Negative if inside. See Romano, Patterson and Candès 2019, "Conformalized quantile regression".
    """
    return np.maximum(predictions[:, 0] - actual, actual - predictions[:, -1])


def kept_scores(scores: np.ndarray, weights: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Return scores as a target's ``residuals`` and, where they differ, ``residual_weights``.

    They are sorted; of more than fit, even steps of rank are kept, with both ends.
    """
    order = np.argsort(scores, kind="stable")
    ranks = np.linspace(0, len(scores) - 1, min(len(scores), MOST_RESIDUALS)).round().astype(int)
    scores, weights = scores[order[ranks]], weights[order[ranks]]
    differ = len(set(weights.tolist())) > 1
    of_weights = tuple((weights / weights.mean()).tolist()) if differ else ()
    return {"residuals": tuple(scores.tolist()), "residual_weights": of_weights}


def conformal_margin(target: RegressionTarget, level: float) -> float:
    """Return by how much (scaled) to widen predictions so that they hold the truth so often.

    Below 0 if quantiles were wider than needed; of too few samples the largest score. See Vovk
    2015, "Cross-conformal predictors"; Barber, Candès, Ramdas and Tibshirani 2021, "Predictive
    inference with the jackknife+"; Dunn, Wasserman and Ramdas 2022, "Distribution-free prediction
    sets for two-layer hierarchical models", for groups that count alike.
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
            f"{percent(level)} intervals: these are as wide as the largest error among them, about "
            f"{percent(number / (number + 1))}."
        )
    rank = int(np.searchsorted(weights.cumsum(), wanted - 1e-9 * number))
    return target.residuals[min(rank, number - 1)]


def prediction_intervals(
    target: RegressionTarget, predictions: np.ndarray, level: float,
    recognized: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the lower and upper bounds of predictions, (samples,) each, in the target's units.

    Intervals widen by what was not `recognized` of each sample's reads: not at all at the share
    `target.recognized`, and to the whole range of the training values where nothing is.
    """
    margin, center = conformal_margin(target, level), point_prediction(predictions)
    lower = to_units(target, np.minimum(predictions[:, 0] - margin, center))
    upper = to_units(target, np.maximum(predictions[:, -1] + margin, center))
    if recognized is None:
        return lower, upper
    missing = np.clip(1 - recognized / target.recognized, 0, 1)
    least, most = np.minimum(lower, target.minimum), np.maximum(upper, target.maximum)
    return lower + missing * (least - lower), upper + missing * (most - upper)
