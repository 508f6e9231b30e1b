"""Principal components: the directions in which samples differ most."""

from __future__ import annotations

import numpy as np
import scipy.linalg

_ROWS_AT_ONCE = 4096


def principal_components(values: np.ndarray, number: int) -> np.ndarray:
    """Describe samples (samples, columns) by their first components: float64 (samples, number).

    Centered, in the units of `values`, the most variable first. The largest weight of a component
    is positive, so that its sign is always the same. scikit-learn's PCA, which keeps several
    copies of all values, needs many times the memory.
    """
    mean = values.mean(axis=0, dtype=np.float64)
    parts = range(0, len(values), _ROWS_AT_ONCE)  # centered in parts, to hold the values once
    products = np.zeros((len(mean), len(mean)))
    for start in parts:
        centered = values[start : start + _ROWS_AT_ONCE] - mean
        products += centered.T @ centered
    last = len(mean) - 1
    _, weights = scipy.linalg.eigh(products, subset_by_index=(last - number + 1, last))
    weights = weights[:, ::-1]
    largest = np.abs(weights).argmax(axis=0)
    weights = weights * np.sign(weights[largest, np.arange(number)])
    return np.concatenate(
        [(values[start : start + _ROWS_AT_ONCE] - mean) @ weights for start in parts]
    )
