"""Scores of predictions, and how sure their differences are."""

import numpy as np
from sklearn.metrics import balanced_accuracy_score, log_loss, mean_absolute_error, r2_score

BOOTSTRAPS = 2000
LEAST = 1 / 300  # probability, in log loss: half of what one of 150 trees says
BINS = 10


def regression_scores(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Return mean absolute error and R²."""
    mae, r2 = mean_absolute_error(actual, predicted), r2_score(actual, predicted)
    return {"mae": float(mae), "r2": float(r2)}


def auc(predicted: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of pairs of a positive and a negative sample that are ranked rightly.

    As scikit-learn's `roc_auc_score`, without its checks: a bootstrap calls it often.
    """
    high, low = predicted[positive][:, None], predicted[~positive]
    right = (high > low) + 0.5 * (high == low)
    of_high, of_low = weights[positive], weights[~positive]
    return float(of_high @ right @ of_low / (of_high.sum() * of_low.sum()))


def mean_auc(predicted, actual, fold, weights=None) -> float:
    """Average the AUC over folds; those in which all samples are of one class have none.

    Samples are not ranked across folds: other training samples give another mean prediction.
    """
    if weights is None:
        weights = np.ones(len(actual))
    found = []
    for one in np.unique(fold):
        rows = (fold == one) & (weights > 0)
        if len(np.unique(actual[rows])) == 2:
            found.append(auc(predicted[rows], actual[rows] == 1, weights[rows]))
    return float(np.mean(found)) if found else float("nan")


def classification_scores(predicted, actual, fold) -> dict[str, float]:
    """Return the mean AUC of folds, and of all samples the other scores."""
    favoured = (predicted > 0.5).astype(float)
    return {
        "auc": mean_auc(predicted, actual, fold),
        "balanced_accuracy": float(balanced_accuracy_score(actual, favoured)),
        "log_loss": float(log_loss(actual, predicted.clip(LEAST, 1 - LEAST))),
        "calibration_error": calibration_error(predicted, actual),
    }


def calibration_error(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return how far probabilities are from frequencies, on average over bins of like ones."""
    place = np.clip((predicted * BINS).astype(int), 0, BINS - 1)
    gap = np.bincount(place, predicted - actual, BINS)  # of a bin: samples times its mean gap
    return float(np.abs(gap).sum() / len(actual))


def scores(predicted, actual, fold, categorical: bool) -> dict[str, float]:
    """Score numbers, or probabilities of the positive class."""
    if categorical:
        return classification_scores(predicted, actual, fold)
    return regression_scores(predicted, actual)


def paired_bootstrap(ours, theirs, actual, fold, groups, categorical: bool) -> list[float]:
    """Return a 95 % interval of our MAE or AUC minus theirs, drawing whole groups."""
    names, group = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(0)
    difference = np.abs(ours - actual) - np.abs(theirs - actual)
    found = []
    for _ in range(BOOTSTRAPS):
        drawn = random.integers(len(names), size=len(names))
        weights = np.bincount(drawn, minlength=len(names))[group].astype(float)
        if categorical:
            one = mean_auc(ours, actual, fold, weights) - mean_auc(theirs, actual, fold, weights)
            found.append(one)
        else:
            found.append(np.average(difference, weights=weights))
    return [float(value) for value in np.nanquantile(found, [0.025, 0.975])]
