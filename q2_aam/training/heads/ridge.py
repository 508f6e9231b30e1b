"""Fitting ridge regression: the penalty is chosen by out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
import torch

from ...model.heads.linear import LinearHead, class_fractions
from .features import Known

PENALTIES = 10.0 ** np.arange(-5, 2.01, 0.25)  # of features whose total variance is about 4
MOST_SAMPLES = 16384  # of more, some are drawn: their features are held in memory
SOLVED_EXACTLY = 1024  # samples; the products of more are not held
_STEPS, _TOLERANCE = 200, 1e-4  # of conjugate gradients


def out_of_fold(
    head: LinearHead, inputs: np.ndarray, known: Known, held: Sequence[np.ndarray], seed: int
) -> tuple[float, np.ndarray]:
    """Choose the penalty, and predict what folds leave out (see `tune_ridge`)."""
    del head, seed  # nothing is drawn
    penalty, predictions = tune_ridge(inputs, known.values, known.weights, held)
    if known.classes is not None:
        predictions = class_fractions(torch.from_numpy(predictions)).numpy()
    return penalty, predictions


def fit(head: LinearHead, inputs: np.ndarray, known: Known, penalty: float, seed: int) -> None:
    """Fit the head on samples, (samples, F) float32."""
    del seed  # nothing is drawn
    found = fit_ridge(inputs, known.values, known.weights, penalty)
    head.set_weights(*(torch.from_numpy(part) for part in found))


def tune_ridge(
    inputs: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, held: Sequence[np.ndarray]
) -> tuple[float, np.ndarray]:
    """Choose the penalty with the smallest squared error on what folds leave out.

    Parameters
    ----------
    inputs : ndarray of float32, (samples, F)
    values : ndarray of float64, (samples, R)
    sample_weights : ndarray of float64, (samples,)
    held : sequence of ndarray of int
        The samples that each fold leaves out.

    Returns
    -------
    penalty : float
        One of `PENALTIES`, to be multiplied by the number of samples.
    predictions : ndarray of float64, (samples, R)
        Out-of-fold; NaN for samples that no fold leaves out.

    References
    ----------
    Hoerl and Kennard 1970, "Ridge regression"; Golub, Heath and Wahba 1979 for leaving samples out
    without solving anew.
    """
    sample_weights = sample_weights / sample_weights.mean()
    left_out = LeftOut(centered_gram(inputs, sample_weights), values, sample_weights)
    errors = [np.nansum(np.square(left_out.residuals(one, held))) for one in PENALTIES]
    penalty = float(PENALTIES[int(np.argmin(errors))])
    residuals = left_out.residuals(penalty, held)
    return penalty, values - residuals / np.sqrt(sample_weights)[:, None]


def centered_gram(inputs: np.ndarray, sample_weights: np.ndarray) -> np.ndarray:
    """Return the products of weighted, centered samples: (samples, samples) float64."""
    inputs = inputs.astype(np.float64)
    inputs -= np.average(inputs, axis=0, weights=sample_weights)
    inputs *= np.sqrt(sample_weights)[:, None]
    return inputs @ inputs.T


class LeftOut:
    """Tells how far samples are off that a fold leaves out, at any penalty.

    Parameters
    ----------
    gram : ndarray of float64, (samples, samples)
        See `centered_gram`.
    values : ndarray of float64, (samples, R)
    sample_weights : ndarray of float64, (samples,)
    """

    def __init__(self, gram: np.ndarray, values: np.ndarray, sample_weights: np.ndarray):
        lengths, self._vectors = scipy.linalg.eigh(gram, check_finite=False)
        self._lengths = np.maximum(lengths, 0)[:, None]  # rounding gives values just below 0
        root = np.sqrt(sample_weights)[:, None]
        self._wanted = root * (values - np.average(values, axis=0, weights=sample_weights))
        self._of_intercept = root / np.linalg.norm(root)
        self._rotated = self._vectors.T @ self._wanted

    def residuals(self, penalty: float, held: Sequence[np.ndarray]) -> np.ndarray:
        """Return residuals of what is left out, times the roots of the samples' weights.

        They are (I - H)⁻¹ residuals, where H turns values into fitted values. Samples that no fold
        leaves out are NaN.
        """
        shrinkage = self._lengths / (self._lengths + penalty * len(self._wanted))
        residuals = self._wanted - self._vectors @ (shrinkage * self._rotated)
        left_out = np.full_like(residuals, np.nan)
        for rows in held:
            part, intercept = self._vectors[rows], self._of_intercept[rows]
            hat = (part * shrinkage[:, 0]) @ part.T + intercept @ intercept.T
            kept = np.eye(len(rows)) - hat
            left_out[rows] = np.linalg.lstsq(kept, residuals[rows], rcond=None)[0]
        return left_out


def fit_ridge(
    inputs: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve weighted ridge regression with an intercept that is not penalized.

    Up to `SOLVED_EXACTLY` samples by their products, more by conjugate gradients, which need no
    more memory than the inputs do.

    Returns
    -------
    weights : ndarray of float64, (R, F)
    intercept : ndarray of float64, (R,)
    """
    sample_weights = sample_weights / sample_weights.mean()
    center = np.average(values, axis=0, weights=sample_weights)
    root = np.sqrt(sample_weights)[:, None]
    wanted, ridge = root * (values - center), penalty * len(values)
    mean = (sample_weights.astype(inputs.dtype) @ inputs / len(inputs)).astype(np.float64)
    if len(inputs) <= SOLVED_EXACTLY:
        gram = centered_gram(inputs, sample_weights)
        gram[np.diag_indices_from(gram)] += ridge
        duals = root * scipy.linalg.solve(gram, wanted, assume_a="pos")
        weights = _transposed(inputs, duals) - mean[:, None] * duals.sum(axis=0)
    else:

        def apply(weights: np.ndarray) -> np.ndarray:
            fitted = sample_weights[:, None] * (_product(inputs, weights) - mean @ weights)
            back = _transposed(inputs, fitted) - mean[:, None] * fitted.sum(axis=0)
            return back + ridge * weights

        weighted = root * wanted
        right = _transposed(inputs, weighted) - mean[:, None] * weighted.sum(axis=0)
        weights = conjugate_gradients(apply, right)
    return weights.T, center - mean @ weights


def _product(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (inputs @ weights.astype(inputs.dtype)).astype(np.float64)


def _transposed(inputs: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (inputs.T @ values.astype(inputs.dtype)).astype(np.float64)


def conjugate_gradients(apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray) -> np.ndarray:
    """Solve for all columns of `right`, (F, R), at once, given the product with the matrix.

    References
    ----------
    Hestenes and Stiefel 1952, "Methods of conjugate gradients for solving linear systems".
    """
    found, residual = np.zeros_like(right), right.copy()
    direction, length = residual.copy(), np.square(residual).sum(axis=0)
    enough = _TOLERANCE**2 * length
    for _ in range(_STEPS):
        if (length <= enough).all():
            break
        turned = apply(direction)
        step = length / np.maximum((direction * turned).sum(axis=0), np.finfo(float).tiny)
        found += step * direction
        residual -= step * turned
        before, length = length, np.square(residual).sum(axis=0)
        direction = residual + length / np.maximum(before, np.finfo(float).tiny) * direction
    return found
