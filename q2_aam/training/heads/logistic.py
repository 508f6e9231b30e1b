"""Fitting logistic regression: the penalty is chosen by out-of-fold predictions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch

from ...model.heads.linear import LinearHead
from .features import Known

PENALTIES = 10.0 ** np.arange(0, -6.1, -0.5)  # of features whose total variance is about 1
MOST_SAMPLES = 16384  # of more, some are drawn: their features are held in memory
_LEAST_PROBABILITY = 1e-6


def out_of_fold(
    head: LinearHead, inputs: np.ndarray, known: Known, held: Sequence[np.ndarray], seed: int
) -> tuple[float, np.ndarray]:
    """Choose the penalty, and predict what folds leave out (see `tune_logistic`)."""
    del head, seed  # nothing is drawn
    return tune_logistic(inputs, known.classes, known.values.shape[1], known.weights, held)


def fit(head: LinearHead, inputs: np.ndarray, known: Known, penalty: float, seed: int) -> None:
    """Fit the head on samples, (samples, F) float32."""
    del seed  # nothing is drawn
    number = known.values.shape[1]
    found = fit_logistic(inputs, known.classes, number, known.weights, penalty)
    head.set_weights(*(torch.from_numpy(part) for part in found))


def tune_logistic(
    inputs: np.ndarray,
    classes: np.ndarray,
    number: int,
    sample_weights: np.ndarray,
    held: Sequence[np.ndarray],
) -> tuple[float, np.ndarray]:
    """Choose the penalty with the smallest log loss on what folds leave out.

    Parameters
    ----------
    inputs : ndarray of float32, (samples, F)
    classes : ndarray of int, (samples,)
    number : int
        Classes C.
    sample_weights : ndarray of float64, (samples,)
    held : sequence of ndarray of int
        The samples that each fold leaves out.

    Returns
    -------
    penalty : float
        One of `PENALTIES`, to be multiplied by the number of samples.
    predictions : ndarray of float64, (samples, C)
        Probabilities out-of-fold; NaN for samples that no fold leaves out.
    """
    rotated = rotate(inputs)
    predictions = np.full((len(PENALTIES), len(inputs), number), np.nan)
    for rows in held:
        kept = np.setdiff1d(np.arange(len(inputs)), rows)
        if len(set(classes[kept])) == 1:  # nothing else has been seen
            predictions[:, rows] = _LEAST_PROBABILITY
            predictions[:, rows, classes[kept[0]]] = 1 - (number - 1) * _LEAST_PROBABILITY
            continue
        model = None
        for place, penalty in enumerate(PENALTIES):
            model = _regress(rotated[kept], classes[kept], sample_weights[kept], penalty, model)
            predictions[place, rows] = _probabilities(model, rotated[rows], number)
    rows = np.concatenate(held)
    of_truth = predictions[:, rows, classes[rows]]
    gains = np.log(of_truth.clip(_LEAST_PROBABILITY))
    losses = -np.average(gains, axis=1, weights=sample_weights[rows])
    best = int(np.argmin(losses))
    return float(PENALTIES[best]), predictions[best]


def rotate(inputs: np.ndarray) -> np.ndarray:
    """Return as many features as there are samples, with the same products between samples.

    A penalty on the sum of squares sees products only, so that a fit on them is the same fit.
    """
    if inputs.shape[1] <= len(inputs):
        return inputs
    inputs = inputs.astype(np.float64)
    lengths, vectors = scipy.linalg.eigh(inputs @ inputs.T, check_finite=False)
    kept = lengths > 1e-9 * lengths[-1]
    return vectors[:, kept] * np.sqrt(lengths[kept])


def fit_logistic(
    inputs: np.ndarray,
    classes: np.ndarray,
    number: int,
    sample_weights: np.ndarray,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit multinomial logistic regression.

    Returns
    -------
    weights : ndarray of float64, (C, F)
    intercept : ndarray of float64, (C,)
    """
    model = _regress(inputs, classes, sample_weights, penalty)
    weights, intercept = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if len(model.classes_) == 2:  # scikit-learn keeps the logit of the second class alone
        weights, intercept = (np.concatenate([-one, one]) / 2 for one in (weights, intercept))
    every = np.zeros((number, inputs.shape[1]))
    constants = np.full(number, np.log(_LEAST_PROBABILITY))
    every[model.classes_], constants[model.classes_] = weights, intercept
    return every, constants


def _regress(inputs, classes, sample_weights, penalty: float, start=None):
    """Fit scikit-learn's model, from where another one ended if one is given."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=1 / (penalty * len(inputs)), max_iter=200, tol=1e-4, warm_start=True
    )
    if start is not None:
        model.coef_, model.intercept_ = start.coef_, start.intercept_
        model.classes_ = start.classes_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, classes, sample_weights / sample_weights.mean())


def _probabilities(model, inputs: np.ndarray, number: int) -> np.ndarray:
    """Return probabilities of all classes; those that the model has not seen are unlikely."""
    found = np.full((len(inputs), number), _LEAST_PROBABILITY)
    found[:, model.classes_] = model.predict_proba(inputs)
    return found / found.sum(axis=1, keepdims=True)
