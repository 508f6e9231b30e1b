"""Prediction intervals from the errors on samples that did not train the weights."""

from __future__ import annotations

import math
import warnings

from .config import TargetConfig
from .errors import AAMError, counted


def interval_half_width(target: TargetConfig, level: float) -> float:
    """Return half the width of intervals that hold the truth with the given probability.

    Parameters
    ----------
    target : TargetConfig
        With its validation residuals.
    level : float
        Wanted share of truths inside, above 0 and below 1.

    Returns
    -------
    float
        In the target's units. If the validation samples are too few for the level, the largest
        residual, with a warning.

    Raises
    ------
    AAMError
        If the model has no validation residuals.

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
