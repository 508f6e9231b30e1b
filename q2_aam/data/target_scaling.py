"""Numbers to predict: from their units to the scale on which a model learns them, and back."""

import numpy as np

from ..config.target import Covariate, RegressionTarget
from ..errors import AAMError, counted, examples, verb

FAR = 10.0
ROBUST_LOSSES = ("huber", "mae")
LARGEST_SCALED = 1e12  # its square is a finite number for the model
_LARGEST_EXPONENT = 700.0  # e^700 is still a finite number


def describe_target(
    name: str, values: np.ndarray, scaling: str, known_asvs: int,
    covariates: tuple[Covariate, ...] = (), **settings,
) -> RegressionTarget:  # fmt: skip
    """Describe a target by the training samples' values; further settings are fields of it."""
    transformed = np.log1p(values) if scaling.startswith("log-") else values
    location, scale = 0.0, 1.0
    if scaling.endswith("min-max"):
        location, scale = float(transformed.min()), float(np.ptp(transformed))
    elif scaling.endswith("z-score"):
        location, scale = float(transformed.mean()), float(transformed.std())
    return RegressionTarget(
        name, known_asvs, covariates, scaling=scaling, location=location, scale=scale,
        minimum=float(values.min()), maximum=float(values.max()), mean=float(values.mean()),
        **settings,
    )  # fmt: skip


def refuse_negative_logarithms(values, scaling: str, name: str) -> None:
    """Refuse a scaling by logarithms for a target with negative values (by sample id)."""
    negative = values.index[values < 0] if scaling.startswith("log-") else ()
    if len(negative):
        raise AAMError(
            f"{counted(len(negative), 'sample')} of {len(values):,} "
            f"{verb(len(negative), 'have')} a negative '{name}' ({examples(negative)}), which the "
            f"scaling '{scaling}' cannot take. Set 'target_scaling' to 'min-max' or 'z-score'."
        )


def refuse_far_values(values, scaled: np.ndarray, name: str) -> None:
    """Refuse values (by sample id) that, once scaled, lie too far off for a model."""
    far = values[~(np.abs(scaled) <= LARGEST_SCALED)]
    if len(far):
        shown = examples(f"{sample}: {value:g}" for sample, value in far.items())
        raise AAMError(
            f"{counted(len(far), 'sample')} of {len(values):,} have a '{name}' too far from the "
            f"training samples' values to be learned: {shown}.\nCorrect or blank these cells, or "
            "set 'target_scaling' to 'log-min-max' if the values span many powers of ten."
        )


def to_scaled(target: RegressionTarget, values: np.ndarray) -> np.ndarray:
    """Turn values in their units into what the model learns: float64, same shape."""
    transformed = np.log1p(values) if target.scaling.startswith("log-") else values
    return (transformed - target.location) / target.scale


def to_units(target: RegressionTarget, scaled: np.ndarray) -> np.ndarray:
    """Turn what a model says into the target's units: float64, same shape.

    Kept within the training samples' range if the target is bounded, and at or above 0 if it is
    scaled by logarithms.
    """
    values = np.asarray(scaled, dtype=np.float64) * target.scale + target.location
    if target.scaling.startswith("log-"):
        values = np.expm1(np.clip(values, 0.0, _LARGEST_EXPONENT))
    if target.bounded:
        values = np.clip(values, target.minimum, target.maximum)
    return values


def point_prediction(predictions: np.ndarray) -> np.ndarray:
    """Return the point prediction: the only column, or the middle one of three; still scaled."""
    return predictions[:, predictions.shape[1] // 2]


def far_off(values: np.ndarray) -> np.ndarray:
    """Find values farther from the middle half than `FAR` times its width: (samples,) bool.

    Such are codes of missing values (999). There are none where half of all are equal.
    """
    low, high = np.quantile(values, [0.25, 0.75])
    reach = FAR * (high - low) or np.inf
    return (values < low - reach) | (values > high + reach)


def clip_far_values(values, scaling: str, loss: str, name: str):
    """Find values far from the others, and take what robust losses learn from into the range.

    Returns the values to learn, by sample id (far ones at the ends of the others' range if the loss
    is robust: heads in closed form would follow them), the ids of those, and a warning.
    """
    is_far = far_off(np.log1p(values) if scaling.startswith("log-") else values)
    if not is_far.any():
        return values, [], ""
    far, inner = values[is_far], values[~is_far]
    robust, outcome = loss in ROBUST_LOSSES, "they are, and all predictions may suffer"
    if robust:
        outcome = f"{inner.min():g} or {inner.max():g}, the ends of the others' range"
    shown = examples(f"{sample}: {value:g}" for sample, value in far.items())
    warning = (
        f"{counted(len(far), 'sample')} of {len(values):,} {verb(len(far), 'have')} a '{name}' far "
        f"from all others: {shown}. The loss '{loss}' learns them as {outcome}. Blank these cells "
        "if the numbers stand for missing values; set 'target_scaling' to 'log-min-max' if values "
        "span powers of ten."
    )
    return values.clip(inner.min(), inner.max()) if robust else values, list(far.index), warning
