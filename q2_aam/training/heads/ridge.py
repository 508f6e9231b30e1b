"""Fitting ridge regression: the penalty is chosen by out-of-fold predictions."""

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
    """Choose the penalty (see `tune_ridge`), and drop random features that do not help."""
    del seed  # nothing is drawn
    penalty, predictions = tune_ridge(inputs, known.values, known.weights, held)
    if known.classes is not None:
        return penalty, class_fractions(torch.from_numpy(predictions)).numpy()
    if head.random_features is not None:

        def error(found: np.ndarray) -> float:
            return np.nansum(known.weights[:, None] * np.square(found - known.values))

        linear = inputs[:, : sum(head.blocks.values())]
        others = tune_ridge(linear, known.values, known.weights, held)
        if error(predictions) >= error(others[1]):
            head.drop_random_features()
            return others
    return penalty, predictions


def fit(head: LinearHead, inputs: np.ndarray, known: Known, penalty: float, seed: int) -> None:
    """Fit the head on samples, (samples, F) float32, of which it may read the first columns."""
    del seed  # nothing is drawn
    found = fit_ridge(inputs[:, : head.size], known.values, known.weights, penalty)
    head.set_weights(*(torch.from_numpy(part) for part in found))


def tune_ridge(
    inputs: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, held: Sequence[np.ndarray]
) -> tuple[float, np.ndarray]:
    """Choose the penalty with the smallest squared error on what folds leave out.

    It is one of `PENALTIES`, to be multiplied by the number of samples. Predictions out-of-fold
    are (samples, R), NaN for samples that no fold leaves out. Residuals of what is left out are
    (I - H)⁻¹ residuals, where H turns values into fitted values: nothing is solved anew. See Hoerl
    and Kennard 1970, "Ridge regression"; Golub, Heath and Wahba 1979 for leaving samples out.
    """
    sample_weights = sample_weights / sample_weights.mean()
    root = np.sqrt(sample_weights)[:, None]
    lengths, vectors = scipy.linalg.eigh(centered_gram(inputs, sample_weights), check_finite=False)
    lengths = np.maximum(lengths, 0)[:, None]  # rounding gives values just below 0
    wanted = root * (values - np.average(values, axis=0, weights=sample_weights))
    of_intercept, rotated = root / np.linalg.norm(root), vectors.T @ wanted

    def left_out(penalty: float) -> np.ndarray:
        shrinkage = lengths / (lengths + penalty * len(wanted))
        residuals = wanted - vectors @ (shrinkage * rotated)
        found = np.full_like(residuals, np.nan)
        for rows in held:
            part, intercept = vectors[rows], of_intercept[rows]
            hat = (part * shrinkage[:, 0]) @ part.T + intercept @ intercept.T
            found[rows] = np.linalg.lstsq(np.eye(len(rows)) - hat, residuals[rows], rcond=None)[0]
        return found

    errors = [np.nansum(np.square(left_out(penalty))) for penalty in PENALTIES]
    penalty = float(PENALTIES[int(np.argmin(errors))])
    return penalty, values - left_out(penalty) / root


def centered_gram(inputs: np.ndarray, sample_weights: np.ndarray) -> np.ndarray:
    """Return the products of weighted, centered samples: (samples, samples) float64."""
    inputs = inputs.astype(np.float64)
    inputs -= np.average(inputs, axis=0, weights=sample_weights)
    inputs *= np.sqrt(sample_weights)[:, None]
    return inputs @ inputs.T


def fit_ridge(
    inputs: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve weighted ridge regression: weights (R, F), and the intercept (R,) without a penalty.

    Up to `SOLVED_EXACTLY` samples by their products, more by conjugate gradients, which need no
    more memory than the inputs do (scikit-learn's `Ridge` copies them twice).
    """
    sample_weights = sample_weights / sample_weights.mean()
    center = np.average(values, axis=0, weights=sample_weights)
    root = np.sqrt(sample_weights)[:, None]
    wanted, ridge = root * (values - center), penalty * len(values)
    mean = (sample_weights.astype(inputs.dtype) @ inputs / len(inputs)).astype(np.float64)

    def back(weighted: np.ndarray) -> np.ndarray:
        """Multiply (samples, R) by the centered inputs, transposed."""
        product = (inputs.T @ weighted.astype(inputs.dtype)).astype(np.float64)
        return product - mean[:, None] * weighted.sum(axis=0)

    if len(inputs) <= SOLVED_EXACTLY:
        gram = centered_gram(inputs, sample_weights)
        gram[np.diag_indices_from(gram)] += ridge
        weights = back(root * scipy.linalg.solve(gram, wanted, assume_a="pos"))
    else:

        def apply(weights: np.ndarray) -> np.ndarray:
            fitted = (inputs @ weights.astype(inputs.dtype)).astype(np.float64) - mean @ weights
            return back(sample_weights[:, None] * fitted) + ridge * weights

        weights = conjugate_gradients(apply, back(root * wanted))
    return weights.T, center - mean @ weights


def conjugate_gradients(apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray) -> np.ndarray:
    """Solve for all columns of `right`, (F, R), at once, given the product with the matrix.

    See Hestenes and Stiefel 1952, "Methods of conjugate gradients for solving linear systems".
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
