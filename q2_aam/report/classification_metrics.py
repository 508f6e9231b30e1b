"""Classification metrics as functions of sample weights, so that a bootstrap is matrix products.

With weights of 1 they are scikit-learn's; what scikit-learn calls 0 because it divides by zero
(the precision of a class that was never predicted) is NaN here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassCounts:
    """Weighted counts, each of shape (resamples, classes).

    Attributes
    ----------
    actual, predicted, right : np.ndarray
        Samples of the class, samples predicted as the class, and samples that are both.
    """

    actual: np.ndarray
    predicted: np.ndarray
    right: np.ndarray


def count_classes(actual, predicted, n_classes: int, weights) -> ClassCounts:
    """Count the samples of each class.

    Parameters
    ----------
    actual, predicted : np.ndarray of int, shape (samples,)
        Class of each sample.
    n_classes : int
    weights : np.ndarray of shape (resamples, samples)
        How often each sample counts.

    Returns
    -------
    ClassCounts
    """
    classes = np.arange(n_classes)
    is_actual = (actual[:, None] == classes).astype(float)
    is_predicted = (predicted[:, None] == classes).astype(float)
    return ClassCounts(
        weights @ is_actual, weights @ is_predicted, weights @ (is_actual * is_predicted)
    )


def accuracy(counts: ClassCounts):
    """Return the share of samples predicted as what they are, shape (resamples,)."""
    return counts.right.sum(axis=1) / counts.actual.sum(axis=1)


def recall(counts: ClassCounts):
    """Return the share of each class that is found; NaN for a class without samples."""
    return _share(counts.right, counts.actual)


def precision(counts: ClassCounts):
    """Return the share of predictions of each class that is right; NaN if there are none."""
    return _share(counts.right, counts.predicted)


def f1(counts: ClassCounts):
    """Return the harmonic mean of precision and recall; NaN for a class that does not occur."""
    return _share(2 * counts.right, counts.actual + counts.predicted)


def mean_over_classes(values):
    """Average (resamples, classes) over the classes where a value is defined."""
    known = np.isfinite(values)
    return _share(np.where(known, values, 0).sum(axis=1), known.sum(axis=1))


def area_under_roc(actual, probabilities, weights):
    """Return the area under the ROC curve of each class against all others.

    Parameters
    ----------
    actual : np.ndarray of int, shape (samples,)
    probabilities : np.ndarray of shape (samples, classes)
    weights : np.ndarray of shape (resamples, samples)

    Returns
    -------
    np.ndarray of shape (resamples, classes)
        NaN where all samples or none are of the class. Equal probabilities count half.
    """
    areas = [
        _area_of_class(actual == place, probabilities[:, place], weights)
        for place in range(probabilities.shape[1])
    ]
    return np.stack(areas, axis=1)


def _area_of_class(is_class, score, weights):
    """Count, for each sample of the class, the others that score lower (half of the equal ones)."""
    inside, outside = np.flatnonzero(is_class), np.flatnonzero(~is_class)
    outside = outside[np.argsort(score[outside], kind="stable")]
    lower = np.zeros((len(weights), len(outside) + 1))
    np.cumsum(weights[:, outside], axis=1, out=lower[:, 1:])
    places = [np.searchsorted(score[outside], score[inside], side) for side in ("left", "right")]
    won = (lower[:, places[0]] + lower[:, places[1]]) / 2
    of_class = weights[:, inside]
    return _share((of_class * won).sum(axis=1), of_class.sum(axis=1) * lower[:, -1])


def _share(part, whole):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


@dataclass(frozen=True)
class ClassificationMetric:
    """A metric with the words for it; ``needs_probabilities`` if classes alone do not give it."""

    name: str
    label: str
    meaning: str
    needs_probabilities: bool = False

    @property
    def decimals(self) -> int:
        """How many to show: areas are often all close to 1."""
        return 3 if self.needs_probabilities else 2


OVERALL = (
    ClassificationMetric(
        "accuracy", "Accuracy", "share of the samples whose class is predicted right"
    ),
    ClassificationMetric(
        "balanced_accuracy",
        "Balanced accuracy",
        "mean of the classes' recalls: each class counts the same, however rare",
    ),
    ClassificationMetric("macro_f1", "Macro F1", "mean of the classes' F1"),
    ClassificationMetric(
        "macro_auc",
        "Macro AUC",
        "mean of the classes' AUC",
        needs_probabilities=True,
    ),
)
BY_CLASS = (
    ClassificationMetric(
        "precision", "Precision", "share of the samples predicted as this class that are of it"
    ),
    ClassificationMetric("recall", "Recall", "share of the samples of this class that are found"),
    ClassificationMetric(
        "f1", "F1", "harmonic mean of precision and recall: high only if both are"
    ),
    ClassificationMetric(
        "auc",
        "AUC",
        "area under the ROC curve: the chance that a sample of this class gets a higher "
        "probability for it than a sample of another class; 0.5 is guessing",
        needs_probabilities=True,
    ),
)
