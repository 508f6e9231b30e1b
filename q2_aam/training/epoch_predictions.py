"""What a network says of its own training batches, to score it by what also scores validation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .objectives import Objective
from .scores import pearson_r


class EpochPredictions:
    """Predictions of one epoch's batches, made while the network trains.

    Of the target they are what the attention reader says, the one that learns by descent. Tensors
    stay on their device until `scores`, so that nothing waits for it within the epoch.
    """

    def __init__(self):
        self._answers: list[Tensor] = []
        self._targets: list[np.ndarray] = []
        self._predicted: list[Tensor] = []
        self._actual: list[np.ndarray] = []

    def add_answers(self, answers: Tensor, targets: np.ndarray) -> None:
        """Add answers for a batch, (B, O), and what was to be learned, (B,)."""
        self._answers.append(answers.detach())
        self._targets.append(targets)

    def add_distances(self, predicted: Tensor, actual: np.ndarray) -> None:
        """Add the pairs i < j of a batch's distances, both (B, B)."""
        size = len(actual)
        row, column = torch.triu_indices(size, size, 1, device=predicted.device)
        self._predicted.append(predicted.detach()[row, column])
        self._actual.append(actual[np.triu_indices(size, 1)])

    def scores(self, objective: Objective | None) -> dict[str, float]:
        """Score all that was added.

        Parameters
        ----------
        objective : Objective or None
            Of the target, if there is one.

        Returns
        -------
        dict of str to float
            ``unifrac_r`` over pairs within batches, and the scores of the objective.
        """
        found = {}
        if sum(map(len, self._actual)):
            predicted, actual = _on_cpu(self._predicted), np.concatenate(self._actual)
            found["unifrac_r"] = pearson_r(predicted, actual.astype(np.float64))
        if self._answers:
            found |= objective.scores(_on_cpu(self._answers), np.concatenate(self._targets))
        return found


def _on_cpu(parts: list[Tensor]) -> np.ndarray:
    return torch.cat(parts).cpu().numpy().astype(np.float64)
