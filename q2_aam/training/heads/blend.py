"""Weights of heads in the blend, from what each predicts of samples that it did not learn from."""

import warnings

import numpy as np
import scipy.optimize
import scipy.special

from ...errors import AAMError, counted

SHRINKAGE = 0.5  # of the way to equal weights: the best ones follow the chance of small studies
CONFIDENCE = 0.975  # of a one-sided test
_LEAST_PROBABILITY = 1e-6
_ROUNDS = 200


def make_folds(groups: np.ndarray, classes: np.ndarray | None, most: int, seed: int) -> list:
    """Divide samples into folds, whole groups at a time, classes as evenly as groups allow.

    Returns what each of at most `most` folds leaves out. Groups are numbered from 0 on without
    gaps; one alone is refused.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    number = int(groups.max()) + 1
    folds = min(most, number)
    if folds < 2:
        raise AAMError(
            f"There is only 1 group among {counted(len(groups), 'sample')}, so that none can be "
            "predicted without its group. Choose another 'groups' column or leave it out."
        )
    # scikit-learn's own shuffling differs between its versions; unshuffled, its sorts are stable
    shuffled = np.random.default_rng([seed, 0xF01D]).permutation(number)[groups]
    if classes is None or np.bincount(classes).max() < folds:
        classes = np.zeros(len(groups), dtype=int)  # numbers are one class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer samples than folds
        splitter = StratifiedGroupKFold(folds)
        return [held for _, held in splitter.split(classes, classes, shuffled)]


def blend_of_numbers(
    predictions: np.ndarray, actual: np.ndarray, sample_weights: np.ndarray
) -> np.ndarray:
    """Weigh heads by the squared error of their weighted average, of predictions (heads, samples).

    At least 0, with sum 1, halfway from the best to equal ones. See Breiman 1996, "Stacked
    regressions"; Diebold and Pauly 1990, "The use of prior information in forecast combination".
    """
    heads = len(predictions)
    root = np.sqrt(sample_weights / sample_weights.sum())
    spread = np.sqrt(np.average(np.square(actual - actual.mean()), weights=sample_weights)) or 1.0
    errors = root * (predictions - actual) / spread
    # of weights with sum 1, the average's error is the average of errors: the row of ones keeps
    # the sum, and dividing by the sum afterwards leaves the minimum where it is
    system = np.concatenate([errors.T, np.ones((1, heads))])
    best, _ = scipy.optimize.nnls(system, np.concatenate([np.zeros(len(actual)), [1.0]]))
    best = best / best.sum() if best.sum() > 0 else np.full(heads, 1 / heads)
    return (1 - SHRINKAGE) * best + SHRINKAGE / heads


def blend_of_classes(
    predictions: np.ndarray, actual: np.ndarray, sample_weights: np.ndarray
) -> np.ndarray:
    """Weigh heads by the log loss of their weighted probabilities (heads, samples, classes).

    Otherwise as `blend_of_numbers`; by the steps of Dempster, Laird and Rubin 1977 for a mixture.
    """
    heads = len(predictions)
    right = predictions[:, np.arange(len(actual)), actual].clip(_LEAST_PROBABILITY)
    best = np.full(heads, 1 / heads)
    for _ in range(_ROUNDS):
        parts = best[:, None] * right
        best = np.average(parts / parts.sum(axis=0), axis=1, weights=sample_weights)
    return (1 - SHRINKAGE) * best + SHRINKAGE / heads


def surely_positive(gains: np.ndarray, groups: np.ndarray) -> bool:
    """Test by a one-sided t test whether gains, summed over groups, are above zero on average."""
    _, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, gains)
    if len(sums) < 2 or sums.mean() <= 0:
        return False
    standard_error = sums.std(ddof=1) / np.sqrt(len(sums))
    return bool(sums.mean() > scipy.special.stdtrit(len(sums) - 1, CONFIDENCE) * standard_error)
