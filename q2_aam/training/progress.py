"""What a run has reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Progress:
    """What a run has reached at the end of an epoch.

    Attributes
    ----------
    history : list of dict
        One row an epoch: losses, metrics, learning rate, gradient norm, speed.
    best : dict of str to Tensor
        The tensors of the best epoch.
    best_epoch : int
        From 1; 0 before the first.
    best_score : float
        Its monitored loss.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = math.inf
