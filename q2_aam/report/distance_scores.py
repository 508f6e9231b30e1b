"""Predicted and actual distances among the samples that both matrices have, and their scores."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import procrustes
from scipy.spatial.distance import squareform

from ..data.distances import parse_distances
from ..errors import AAMError, counted, examples, no_shared_ids
from .metrics import Estimate
from .samples import count_ids

FEWEST_SAMPLES = 3
RESAMPLES = 500
_PAIRS_AT_ONCE = 2_000_000
_STEPS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)  # round widths of cells
_BIN_STEPS = (0.025, 0.05, 0.1)
MOST_CELLS, MOST_BINS = 50, 16  # along an axis
MOST_ORDINATED = 1000  # principal coordinates take time as the cube of the samples
PERMUTATIONS = 999
_AXES = 2


class ComparedDistances(NamedTuple):
    """Predicted and actual distances (samples, samples), float32, in the order of the predicted
    matrix, with a diagonal of 0, whatever the files hold there.
    """

    ids: list[str]
    predicted: np.ndarray
    actual: np.ndarray
    counts: list[dict]  # of `count_ids`

    @property
    def n_pairs(self) -> int:
        """How many pairs of different samples there are."""
        return len(self.ids) * (len(self.ids) - 1) // 2


def read_distances(path: str | Path, name: str) -> tuple[list[str], np.ndarray]:
    """Read a distance matrix; an `AAMError` names it as ``the predicted distances``."""
    with Path(path).open(encoding="utf-8-sig") as lines:
        try:
            return parse_distances(lines)
        except AAMError as error:
            raise AAMError(f"Reading {name}: {error}") from error


def compare_distances(
    predicted: tuple[list[str], np.ndarray], actual: tuple[list[str], np.ndarray]
) -> ComparedDistances:
    """Find the samples that two matrices share, at least three or there is an `AAMError`."""
    known = set(predicted[0]) & set(actual[0])
    shared = [name for name in predicted[0] if name in known]
    if not shared:
        raise no_shared_ids(
            "the predicted distances", predicted[0], "the actual distances", actual[0]
        )
    if len(shared) < FEWEST_SAMPLES:
        raise AAMError(
            f"The two distance matrices share only {counted(len(shared), 'sample')}: "
            f"{examples(shared)}. At least {FEWEST_SAMPLES} are needed to compare them."
        )
    counts, matrices = [count_ids("samples compared: in both matrices", shared)], []
    for (ids, matrix), what in (
        (predicted, "predicted, but without actual distances"),
        (actual, "with actual distances, but not predicted"),
    ):
        only = [name for name in ids if name not in known]
        counts.append(count_ids(f"samples left out: {what}", only))
        matrix = pd.DataFrame(matrix, ids, ids).loc[shared, shared].to_numpy(copy=True)
        np.fill_diagonal(matrix, 0)
        matrices.append(matrix)
    return ComparedDistances(shared, *matrices, counts)


class DistanceScores(NamedTuple):
    """The scores of a predicted matrix; their intervals are from drawing samples, not pairs."""

    estimates: dict[str, Estimate]  # by the names of `DISTANCE_METRICS`
    mean_actual: float
    dummy_error: float  # mean absolute error of always predicting the mean
    slope: float  # of the least-squares line predicted = slope * actual + intercept, or NaN
    intercept: float


def score_distances(compared: ComparedDistances, random_seed: int = 0) -> DistanceScores:
    """Score predicted distances over all pairs of different samples.

    A resample weighs samples, and pairs by both of theirs, as there may be millions of pairs.
    """
    n_samples, total = len(compared.ids), 2 * compared.n_pairs
    center = [m.sum(dtype=np.float64) / total for m in (compared.predicted, compared.actual)]
    random = np.random.default_rng(random_seed)
    weights = random.multinomial(n_samples, np.full(n_samples, 1 / n_samples), size=RESAMPLES)
    weights = np.vstack([np.ones(n_samples), weights])
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, xx, yy, xy, absolute, dummy = _weighted_means(compared, weights, center)
        var_x, var_y, covariance = xx - x**2, yy - y**2, xy - x * y
        mean_error = x - y + center[0] - center[1]
        squared_error = var_x + var_y - 2 * covariance + mean_error**2
        var_x, var_y = (np.where(v > 1e-12, v, np.nan) for v in (var_x, var_y))
        slope = float(covariance[0] / var_y[0])
        values = {
            "correlation": covariance / np.sqrt(var_x * var_y),
            "r_squared": 1 - squared_error / var_y,
            "mean_absolute_error": absolute,
            "mean_error": mean_error,
            "spread_ratio": np.sqrt(var_x / var_y),
        }
    estimates = {name: Estimate.from_draws(v[0], v[1:]) for name, v in values.items()}
    intercept = float(x[0] + center[0] - slope * (y[0] + center[1]))
    return DistanceScores(estimates, center[1], float(dummy[0]), slope, intercept)


def _weighted_means(compared: ComparedDistances, weights: np.ndarray, center: list[float]):
    """Average x, y, xx, yy, xy, |x - y| and |y| of centered distances, predicted (x) and actual
    (y), over pairs, weighted by both their samples (7, resamples).
    """
    n_samples, sums = len(compared.ids), 0.0
    for some in np.array_split(np.arange(n_samples), -(-(n_samples**2) // _PAIRS_AT_ONCE)):
        x, y = (m[some].astype(np.float64) for m in (compared.predicted, compared.actual))
        error, own = np.abs(x - y), (np.arange(len(some)), some)
        x, y = x - center[0], y - center[1]
        x[own] = y[own] = 0
        parts, of_rows = (x, y, x * x, y * y, x * y, error, np.abs(y)), weights[:, some]
        sums += np.stack([((weights @ part.T) * of_rows).sum(axis=1) for part in parts])
    return sums / (weights.sum(axis=1) ** 2 - np.square(weights).sum(axis=1))


def errors_by_sample(compared: ComparedDistances) -> pd.DataFrame:
    """Average over the pairs of each sample."""
    predicted, actual = compared.predicted, compared.actual
    others, error = len(compared.ids) - 1, predicted - actual
    columns = {"mean_absolute_error": np.abs(error), "mean_error": error}
    columns |= {"mean_actual": actual, "mean_predicted": predicted}
    means = {name: m.sum(axis=1, dtype=np.float64) / others for name, m in columns.items()}
    return pd.DataFrame(means, index=pd.Index(compared.ids, name="id"))


def pairs_of(compared: ComparedDistances) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted and actual distance of each pair, at the precision of float32."""
    both = compared.predicted, compared.actual
    return tuple(squareform(m, checks=False).astype(np.float64).round(7) for m in both)


def density_cells(predicted: np.ndarray, actual: np.ndarray) -> pd.DataFrame:
    """Count pairs in cells of a round width; columns actual_from, …, predicted_to and pairs."""
    both = np.concatenate([predicted, actual])
    # About as many cells as there are pairs would show single pairs, not where they lie.
    edges = _edges(both, _STEPS, np.clip(np.sqrt(len(actual)), 10, MOST_CELLS))
    counts, _, _ = np.histogram2d(actual, predicted, bins=(edges, edges))
    rows, columns = np.nonzero(counts)
    ends = {"actual_from": edges[rows], "actual_to": edges[rows + 1]}
    ends |= {"predicted_from": edges[columns], "predicted_to": edges[columns + 1]}
    index = [f"cell {place + 1}" for place in range(len(rows))]
    return pd.DataFrame({**ends, "pairs": counts[rows, columns].astype(int)}, index)


def error_bins(predicted: np.ndarray, actual: np.ndarray) -> pd.DataFrame:
    """Return quantiles of the errors in bins of the actual distance of round width."""
    edges = _edges(actual, _BIN_STEPS, MOST_BINS)
    bins = np.clip(np.searchsorted(edges, actual, side="right") - 1, 0, len(edges) - 2)
    errors = pd.Series(predicted - actual).groupby(bins)
    pairs = errors.size()
    ends = {"actual_from": edges[pairs.index], "actual_to": edges[pairs.index + 1]}
    table = pd.DataFrame({**ends, "pairs": pairs})
    quantiles = errors.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
    table[["lower_5", "lower_25", "median", "upper_75", "upper_95"]] = quantiles
    ends = zip(table["actual_from"], table["actual_to"], strict=True)
    return table.set_index(pd.Index([f"{a:.3f} to {b:.3f}" for a, b in ends]))


def _edges(values: np.ndarray, steps: tuple[float, ...], most: float) -> np.ndarray:
    """Return edges of round width around values: at most so many, unless no step is that wide."""
    low, high = float(values.min()), float(values.max())
    step = next((step for step in steps if (high - low) / step <= most), steps[-1])
    first, last = int(np.floor(low / step + 1e-6)), int(np.floor(high / step + 1e-6)) + 1
    return (np.arange(first, max(last, first + 1) + 1) * step).round(4)


class Ordinations(NamedTuple):
    """Principal coordinates of actual and predicted distances, after Procrustes alignment.

    The coordinates are actual_1, actual_2, predicted_1, predicted_2 by sample id; both sides
    centered and of sum of squares 1, the predicted one rotated, reflected and scaled onto the
    actual. p is the share of random pairings of the samples with as small a disparity, as in
    PROTEST (Jackson, Ecoscience 2, 1995).
    """

    coordinates: pd.DataFrame
    actual_explained: tuple[float, float]  # share of the variation on its own first two axes
    predicted_explained: tuple[float, float]
    disparity: float  # sum of squared differences that is left, from 0 (same shape) to 1
    p_value: float
    n_samples: int  # that could have been ordinated; the coordinates may be of fewer


def ordinate(compared: ComparedDistances, random_seed: int = 0) -> Ordinations | None:
    """Ordinate both matrices, or `MOST_ORDINATED` random samples of them, and align the results;
    None if the samples of one lie in one place.
    """
    random = np.random.default_rng(random_seed)
    chosen = np.arange(len(compared.ids))
    if len(chosen) > MOST_ORDINATED:
        chosen = np.sort(random.choice(chosen, MOST_ORDINATED, replace=False))
    among = np.ix_(chosen, chosen)
    actual, actual_explained = _principal_coordinates(compared.actual[among])
    predicted, predicted_explained = _principal_coordinates(compared.predicted[among])
    if not (np.ptp(actual) > 0 and np.ptp(predicted) > 0):
        return None
    first, second, disparity = procrustes(actual, predicted)
    index = pd.Index([compared.ids[place] for place in chosen], name="id")
    columns = ["actual_1", "actual_2", "predicted_1", "predicted_2"]
    coordinates = pd.DataFrame(np.hstack([first, second]), index, columns)

    def agreement(order: np.ndarray | slice) -> float:
        return np.linalg.norm(first.T @ second[order], "nuc")  # large if the disparity is small

    found, n = agreement(slice(None)) - 1e-12, len(second)
    better = sum(agreement(random.permutation(n)) >= found for _ in range(PERMUTATIONS))
    p_value = float((better + 1) / (PERMUTATIONS + 1))
    explained = actual_explained, predicted_explained
    return Ordinations(coordinates, *explained, float(disparity), p_value, len(compared.ids))


def _principal_coordinates(distances: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the first two principal coordinates and the share of the variation on each."""
    distances = distances.astype(np.float64)
    distances = (distances + distances.T) / 2  # symmetric to the last digit
    if not distances.any():
        return np.zeros((len(distances), _AXES)), (float("nan"),) * _AXES
    from skbio import DistanceMatrix
    from skbio.stats.ordination import pcoa

    with warnings.catch_warnings():
        # UniFrac is not Euclidean: that some eigenvalues are negative is known.
        warnings.simplefilter("ignore")
        # by position: the argument's name differs between versions of scikit-bio
        found = pcoa(DistanceMatrix(distances), "eigh", _AXES)
    shares = found.proportion_explained.to_numpy(float)[:_AXES]
    return np.nan_to_num(found.samples.to_numpy(float)[:, :_AXES]), tuple(shares.tolist())
