"""What a target is learned by: its loss, what heads are fitted to, and scores that people read."""

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..config.target import ClassificationTarget, RegressionTarget, Target
from ..data.target_scaling import point_prediction, to_units
from ..model.heads.attention import ordered_quantiles
from .heads.blend import blend_of_classes, blend_of_numbers

_LEAST_PROBABILITY = 1e-6
_NARROWEST = 1e-3  # scaled distance of a quantile from the median at the start


class RegressionObjective:
    """Learn a scaled number; of targets and weights (samples,), and predictions (samples, O)."""

    def __init__(self, target: RegressionTarget):
        self.target = target

    def loss(self, raw: Tensor, actual: Tensor, weights: Tensor) -> Tensor:
        """Mean loss of the outputs of the attention head, (B, O); every number counts alike.

        ``huber`` is quadratic up to half a unit. See Huber 1964, "Robust estimation of a location
        parameter"; Koenker and Bassett 1978, "Regression quantiles".
        """
        if self.target.is_quantile:
            return self._pinball(ordered_quantiles(raw), actual)
        if self.target.loss == "huber":
            return functional.huber_loss(raw[:, 0], actual, delta=0.5)
        kinds = {"mae": functional.l1_loss, "mse": functional.mse_loss}
        return kinds[self.target.loss](raw[:, 0], actual)

    def _pinball(self, quantiles: Tensor, actual: Tensor) -> Tensor:
        """Mean pinball loss of a lower bound, the median and an upper bound, (B, 3)."""
        levels = quantiles.new_tensor(self.target.forest_levels)
        error = actual[:, None] - quantiles
        return torch.maximum(levels * error, (levels - 1) * error).mean()

    def indicators(self, targets) -> np.ndarray:
        """Return what the ridge head and the forest are fitted to: (samples, 1) float64."""
        return targets[:, None].astype(np.float64)

    def start(self, targets, weights) -> np.ndarray:
        """Return what the attention head should predict before it has learned anything, (O,)."""
        if self.target.outputs == 1:
            return np.array([targets.mean()])
        lower, median, upper = np.quantile(targets, self.target.forest_levels)
        gaps = np.maximum([median - lower, upper - median], _NARROWEST)
        below, above = gaps + np.log(-np.expm1(-gaps))  # softplus gives the gaps again
        return np.array([below, median, above])

    def scores(self, predictions, targets) -> dict[str, float]:
        """Score predictions in the target's units."""
        predicted, actual = self.in_units(predictions, targets)
        return {"mean_absolute_error": float(np.abs(predicted - actual).mean())}

    def in_units(self, predictions, targets) -> tuple[np.ndarray, np.ndarray]:
        """Return predicted and true values, (samples,), in the target's units."""
        truth = dataclasses.replace(self.target, bounded=False)  # only predictions are bounded
        return to_units(self.target, point_prediction(predictions)), to_units(truth, targets)

    def loss_of_predictions(self, predictions, targets, weights) -> float:
        """Return the mean loss of predictions."""
        predicted = torch.from_numpy(predictions)
        actual = torch.from_numpy(targets.astype(np.float64))
        if self.target.is_quantile:  # a head may predict the median alone
            return float(self._pinball(predicted.expand(-1, 3), actual))
        return float(self.loss(predicted, actual, torch.from_numpy(weights)))

    def errors(self, predictions, targets) -> np.ndarray:
        """Return the squared error of each sample's prediction, (samples,)."""
        return np.square(point_prediction(predictions) - targets)

    def fit_blend(self, predictions: list, targets, weights) -> np.ndarray:
        """Weigh heads by their predictions: (heads,)."""
        points = np.stack([point_prediction(one) for one in predictions])
        return blend_of_numbers(points, targets, weights)


class ClassificationObjective:
    """Learn the probability of each class."""

    def __init__(self, target: ClassificationTarget):
        self.target = target

    def loss(self, raw: Tensor, actual: Tensor, weights: Tensor) -> Tensor:
        """Mean cross-entropy of logits, (B, C), with the samples' weights, (B,)."""
        each = functional.cross_entropy(raw, actual, reduction="none")
        return (weights * each).sum() / weights.sum()

    def indicators(self, targets) -> np.ndarray:
        """Return 1 for the right class and 0 for the others: (samples, C) float64."""
        return np.eye(len(self.target.classes))[targets]

    def start(self, targets, weights) -> np.ndarray:
        """Return the log of each class's weight among the samples, (C,)."""
        share = np.bincount(targets, weights, len(self.target.classes)) / weights.sum()
        return np.log(np.maximum(share, _LEAST_PROBABILITY))

    def scores(self, predictions, targets) -> dict[str, float]:
        """Score probabilities by the classes that they favour."""
        right = predictions.argmax(axis=1) == targets
        recalls = [right[targets == one].mean() for one in np.unique(targets)]
        return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(recalls))}

    def loss_of_predictions(self, predictions, targets, weights) -> float:
        """Return the mean cross-entropy of probabilities."""
        return float(np.average(self.errors(predictions, targets), weights=weights))

    def errors(self, predictions, targets) -> np.ndarray:
        """Return the cross-entropy of each sample's probabilities, (samples,)."""
        right = predictions[np.arange(len(targets)), targets]
        return -np.log(right.clip(_LEAST_PROBABILITY))

    def fit_blend(self, predictions: list, targets, weights) -> np.ndarray:
        """Weigh heads by their predictions: (heads,)."""
        return blend_of_classes(np.stack(predictions), targets, weights)


def objective_of(target: Target) -> RegressionObjective | ClassificationObjective:
    """Choose how a target is learned."""
    if isinstance(target, ClassificationTarget):
        return ClassificationObjective(target)
    return RegressionObjective(target)
