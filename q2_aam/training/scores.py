"""Scores of distances; those of targets are their objectives'."""

from __future__ import annotations

import numpy as np


def pearson_r(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return Pearson's correlation of (pairs,) float64 values; 0 where one does not vary."""
    spread = predicted.std() * actual.std()
    if not spread:
        return 0.0
    return float(np.mean((predicted - predicted.mean()) * (actual - actual.mean())) / spread)
