"""The two ordinations of a comparison of distances, laid over each other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .samples import ComparedDistances

MOST_ORDINATED = 1000  # principal coordinates take time as the cube of the samples
PERMUTATIONS = 999
_AXES = 2


@dataclass(frozen=True)
class Ordinations:
    """Principal coordinates of actual and predicted distances, after Procrustes alignment.

    Attributes
    ----------
    coordinates : pd.DataFrame
        Index: sample id. Columns: actual_1, actual_2, predicted_1, predicted_2; both sides centered
        and of sum of squares 1, the predicted one rotated, reflected and scaled onto the actual.
    actual_explained, predicted_explained : tuple of float
        Share of the variation on each side's own first two axes.
    disparity : float
        Sum of squared differences that is left, from 0 (same shape) to 1.
    p_value : float
        Share of random pairings of the samples with as small a disparity, as in PROTEST (Jackson,
        Ecoscience 2, 1995).
    n_samples : int
        All that could have been ordinated; `coordinates` may hold fewer.
    """

    coordinates: pd.DataFrame
    actual_explained: tuple[float, float]
    predicted_explained: tuple[float, float]
    disparity: float
    p_value: float
    n_samples: int


def ordinate(compared: ComparedDistances, random_seed: int = 0) -> Ordinations | None:
    """Ordinate both matrices and align the results.

    The seed chooses the samples, if there are more than `MOST_ORDINATED`, and the permutations.
    None if the samples of a matrix all lie in one place.
    """
    from scipy.spatial import procrustes

    random = np.random.default_rng(random_seed)
    chosen = np.arange(len(compared.ids))
    if len(chosen) > MOST_ORDINATED:
        chosen = np.sort(random.choice(chosen, MOST_ORDINATED, replace=False))
    actual, actual_explained = principal_coordinates(_among(compared.actual, chosen))
    predicted, predicted_explained = principal_coordinates(_among(compared.predicted, chosen))
    if not (np.ptp(actual) > 0 and np.ptp(predicted) > 0):
        return None
    first, second, disparity = procrustes(actual, predicted)
    coordinates = pd.DataFrame(
        np.hstack([first, second]),
        index=pd.Index([compared.ids[place] for place in chosen], name="id"),
        columns=["actual_1", "actual_2", "predicted_1", "predicted_2"],
    )
    return Ordinations(
        coordinates,
        actual_explained,
        predicted_explained,
        float(disparity),
        permutation_p_value(first, second, random),
        len(compared.ids),
    )


def _among(matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the distances among some samples, made symmetric to the last digit."""
    found = matrix[np.ix_(chosen, chosen)].astype(np.float64)
    return (found + found.T) / 2


def principal_coordinates(distances: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the first two principal coordinates and the share of the variation on each.

    Parameters
    ----------
    distances : np.ndarray of shape (samples, samples)
        Symmetric, zero on the diagonal.
    """
    if not distances.any():
        return np.zeros((len(distances), _AXES)), (float("nan"),) * _AXES
    from skbio import DistanceMatrix
    from skbio.stats.ordination import pcoa

    with warnings.catch_warnings():
        # UniFrac is not Euclidean: that some eigenvalues are negative is known.
        warnings.simplefilter("ignore")
        # by position: the argument's name differs between versions of scikit-bio
        found = pcoa(DistanceMatrix(distances), "eigh", _AXES)
    coordinates = np.zeros((len(distances), _AXES))
    values = np.nan_to_num(found.samples.to_numpy(float)[:, :_AXES])
    coordinates[:, : values.shape[1]] = values
    explained = np.zeros(_AXES)
    shares = found.proportion_explained.to_numpy(float)[:_AXES]
    explained[: len(shares)] = shares
    return coordinates, tuple(explained.tolist())


def permutation_p_value(first: np.ndarray, second: np.ndarray, random) -> float:
    """Test whether two aligned configurations agree more than with their samples shuffled.

    Parameters
    ----------
    first, second : np.ndarray of shape (samples, 2)
        As `scipy.spatial.procrustes` returns them.
    random : np.random.Generator
    """
    agreement = _agreement(first, second)
    better = sum(
        _agreement(first, second[random.permutation(len(second))]) >= agreement - 1e-12
        for _ in range(PERMUTATIONS)
    )
    return (better + 1) / (PERMUTATIONS + 1)


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the sum of the singular values of first.T @ second: large if disparity is small."""
    product = first.T @ second
    return float(np.sqrt((product**2).sum() + 2 * abs(np.linalg.det(product))))
