"""Fitting logistic regression: the penalty is chosen by out-of-fold predictions."""

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch

from ...model.heads.linear import LinearHead
from .features import Known

# of features whose total variance is about 1; times the number of samples
PENALTIES = 10.0 ** np.arange(0, -6.1, -0.5)
MOST_SAMPLES = 16384  # of more, some are drawn: their features are held in memory
_LEAST_PROBABILITY = 1e-6


def out_of_fold(
    head: LinearHead, inputs: np.ndarray, known: Known, held: Sequence[np.ndarray], seed: int
) -> tuple[float, np.ndarray]:
    """Choose the penalty with the smallest log loss on what folds leave out (see `PENALTIES`).

    Probabilities out-of-fold are (samples, C), NaN for samples that no fold leaves out.
    """
    del head, seed  # nothing is drawn
    classes, number, rotated = known.classes, known.values.shape[1], rotate(inputs)
    predictions = np.full((len(PENALTIES), len(inputs), number), np.nan)
    for rows in held:
        kept = np.setdiff1d(np.arange(len(inputs)), rows)
        if len(set(classes[kept])) == 1:  # nothing else has been seen
            predictions[:, rows] = _LEAST_PROBABILITY
            predictions[:, rows, classes[kept[0]]] = 1 - (number - 1) * _LEAST_PROBABILITY
            continue
        model = None
        for place, penalty in enumerate(PENALTIES):
            model = _regress(rotated[kept], known.only(kept), penalty, model)
            found = np.full((len(rows), number), _LEAST_PROBABILITY)
            found[:, model.classes_] = model.predict_proba(rotated[rows])
            predictions[place, rows] = found / found.sum(axis=1, keepdims=True)
    rows = np.concatenate(held)
    of_truth = predictions[:, rows, classes[rows]]
    gains = np.log(of_truth.clip(_LEAST_PROBABILITY))
    best = int(np.argmax(np.average(gains, axis=1, weights=known.weights[rows])))
    return float(PENALTIES[best]), predictions[best]


def rotate(inputs: np.ndarray) -> np.ndarray:
    """Return at most as many features as samples, with the same products, all a penalty sees."""
    if inputs.shape[1] <= len(inputs):
        return inputs
    inputs = inputs.astype(np.float64)
    lengths, vectors = scipy.linalg.eigh(inputs @ inputs.T, check_finite=False)
    kept = lengths > 1e-9 * lengths[-1]
    return vectors[:, kept] * np.sqrt(lengths[kept])


def fit(head: LinearHead, inputs: np.ndarray, known: Known, penalty: float, seed: int) -> None:
    """Fit the head on samples, (samples, F) float32; a class that they lack is unlikely."""
    del seed  # nothing is drawn
    model, number = _regress(inputs, known, penalty), known.values.shape[1]
    found, constants = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if len(model.classes_) == 2:  # scikit-learn keeps the logit of the second class alone
        found, constants = (np.concatenate([-one, one]) / 2 for one in (found, constants))
    weights = np.zeros((number, inputs.shape[1]))
    intercept = np.full(number, np.log(_LEAST_PROBABILITY))
    weights[model.classes_], intercept[model.classes_] = found, constants
    head.set_weights(torch.from_numpy(weights), torch.from_numpy(intercept))


def _regress(inputs: np.ndarray, known: Known, penalty: float, start=None):
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
        return model.fit(inputs, known.classes, known.weights / known.weights.mean())
