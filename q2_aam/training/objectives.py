"""What a target is learned by: its loss, what heads are fitted to, and scores that people read."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from ..config import ClassificationTarget, RegressionTarget, Target
from ..data.target_scaling import point_prediction, to_units
from ..model import losses
from .heads.blend import blend_of_classes, blend_of_numbers

_LEAST_PROBABILITY = 1e-6
_NARROWEST = 1e-3  # scaled distance of a quantile from the median at the start


class RegressionObjective:
    """Learn a scaled number.

    Parameters
    ----------
    target : RegressionTarget
    """

    dtype = np.float32

    def __init__(self, target: RegressionTarget):
        self.target = target

    def loss(self, raw: Tensor, actual: Tensor, weights: Tensor) -> Tensor:
        """Mean loss of the outputs of the attention head, (B, O), of scaled numbers, (B,)."""
        del weights  # every number counts alike
        return losses.regression_loss(raw, actual, self.target.loss, self.target.quantile_range)

    def indicators(self, targets: np.ndarray) -> np.ndarray:
        """Return what the ridge head and the forest are fitted to: (samples, 1) float64."""
        return targets[:, None].astype(np.float64)

    def start(self, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what the attention head should predict before it has learned anything, (O,)."""
        del weights
        if self.target.outputs == 1:
            return np.array([targets.mean()])
        low = (1 - self.target.quantile_range) / 2
        lower, median, upper = np.quantile(targets, [low, 0.5, 1 - low])
        below, above = max(median - lower, _NARROWEST), max(upper - median, _NARROWEST)
        return np.array([_inverse_softplus(below), median, _inverse_softplus(above)])

    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Score predictions, (samples, O), in the target's units."""
        predicted, actual = self.in_units(predictions, targets)
        return {"mean_absolute_error": float(np.abs(predicted - actual).mean())}

    def in_units(
        self, predictions: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return predicted and true values, (samples,), in the target's units."""
        truth = dataclasses.replace(self.target, bounded=False)  # only predictions are bounded
        return to_units(self.target, point_prediction(predictions)), to_units(truth, targets)

    def loss_of_predictions(
        self, predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray
    ) -> float:
        """Return the loss of predictions, (samples, O)."""
        predicted, actual = (
            torch.from_numpy(predictions),
            torch.from_numpy(targets.astype(np.float64)),
        )
        if self.target.is_quantile:  # a head may predict the median alone
            predicted = predicted.expand(-1, 3)
            return float(losses.pinball_loss(predicted, actual, self.target.quantile_range))
        return float(self.loss(predicted, actual, torch.from_numpy(weights)))

    def errors(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the squared error of each sample's prediction, (samples,)."""
        return np.square(point_prediction(predictions) - targets)

    def fit_blend(
        self, predictions: list[np.ndarray], targets: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Weigh heads by their predictions, (samples, O) each: (heads,)."""
        return blend_of_numbers(
            np.stack([point_prediction(one) for one in predictions]), targets, weights
        )


class ClassificationObjective:
    """Learn the probability of each class.

    Parameters
    ----------
    target : ClassificationTarget
    """

    dtype = np.int64

    def __init__(self, target: ClassificationTarget):
        self.target = target

    def loss(self, raw: Tensor, actual: Tensor, weights: Tensor) -> Tensor:
        """Mean cross-entropy of logits, (B, C), with the samples' weights, (B,)."""
        return losses.classification_loss(raw, actual, weights)

    def indicators(self, targets: np.ndarray) -> np.ndarray:
        """Return 1 for the right class and 0 for the others: (samples, C) float64."""
        return np.eye(len(self.target.classes))[targets]

    def start(self, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the log of each class's weight among the samples, (C,)."""
        share = np.bincount(targets, weights, len(self.target.classes)) / weights.sum()
        return np.log(np.maximum(share, _LEAST_PROBABILITY))

    def scores(self, predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Score probabilities, (samples, C), by the classes that they favour."""
        right = predictions.argmax(axis=1) == targets
        recalls = [right[targets == one].mean() for one in np.unique(targets)]
        return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(recalls))}

    def loss_of_predictions(
        self, predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray
    ) -> float:
        """Return the cross-entropy of probabilities, (samples, C)."""
        return float(np.average(self.errors(predictions, targets), weights=weights))

    def errors(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the cross-entropy of each sample's probabilities, (samples,)."""
        right = predictions[np.arange(len(targets)), targets]
        return -np.log(right.clip(_LEAST_PROBABILITY))

    def fit_blend(
        self, predictions: list[np.ndarray], targets: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Weigh heads by their predictions, (samples, C) each: (heads,)."""
        return blend_of_classes(np.stack(predictions), targets, weights)


def _inverse_softplus(value: float) -> float:
    """Return x with ``log(1 + exp(x)) = value``, for any positive value."""
    return value + np.log(-np.expm1(-value))


Objective = RegressionObjective | ClassificationObjective


def objective_of(target: Target) -> Objective:
    """Choose how a target is learned."""
    if isinstance(target, ClassificationTarget):
        return ClassificationObjective(target)
    return RegressionObjective(target)
