"""Predicted and actual distances among the samples that both matrices have, and their scores."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import procrustes
from scipy.spatial.distance import squareform

from ...data.distances import parse_distances
from ...errors import AAMError, counted, examples, no_shared_ids
from ..metrics import Estimate
from ..samples import SampleCount, count_ids

FEWEST_SAMPLES = 3
RESAMPLES = 500
_PAIRS_AT_ONCE = 2_000_000
_STEPS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)  # round widths of cells
_BIN_STEPS = (0.025, 0.05, 0.1)
MOST_CELLS, MOST_BINS = 50, 16  # along an axis
MOST_ORDINATED = 1000  # principal coordinates take time as the cube of the samples
PERMUTATIONS = 999
_AXES = 2


@dataclass(frozen=True)
class ComparedDistances:
    """Predicted and actual distances (samples, samples), float32, among the same samples.

    In the order of the predicted matrix, with a diagonal of 0, whatever the files hold there.
    """

    ids: list[str]
    predicted: np.ndarray
    actual: np.ndarray
    counts: list[SampleCount]

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
    row_of = {name: row for row, name in enumerate(actual[0])}
    shared = [name for name in predicted[0] if name in row_of]
    if not shared:
        raise no_shared_ids(
            "the predicted distances", predicted[0], "the actual distances", actual[0]
        )
    if len(shared) < FEWEST_SAMPLES:
        raise AAMError(
            f"The two distance matrices share only {counted(len(shared), 'sample')}: "
            f"{examples(shared)}. At least {FEWEST_SAMPLES} are needed to compare them."
        )
    known, what = set(shared), "samples left out: "
    only = [[name for name in ids if name not in known] for ids in (predicted[0], actual[0])]
    counts = [
        count_ids("samples compared: in both matrices", shared),
        count_ids(f"{what}predicted, but without actual distances", only[0]),
        count_ids(f"{what}with actual distances, but not predicted", only[1]),
    ]
    rows = [row for row, name in enumerate(predicted[0]) if name in known]
    columns = [row_of[name] for name in shared]
    matrices = [predicted[1][np.ix_(rows, rows)], actual[1][np.ix_(columns, columns)]]
    for matrix in matrices:
        np.fill_diagonal(matrix, 0)
    return ComparedDistances(shared, *matrices, counts)


@dataclass(frozen=True)
class DistanceScores:
    """The scores of a predicted matrix.

    Their intervals are from drawing samples, not pairs, which are not independent of each other.
    """

    estimates: dict[str, Estimate]  # by the names of `DISTANCE_METRICS`
    mean_actual: float
    dummy_error: float  # mean absolute error of always predicting the mean
    slope: float  # of the least-squares line predicted = slope * actual + intercept, or NaN
    intercept: float


def score_distances(compared: ComparedDistances, random_seed: int = 0) -> DistanceScores:
    """Score predicted distances over all pairs of different samples.

    A resample weighs samples, and pairs by both of theirs: scipy and scikit-learn would need the
    millions of pairs of each resample.
    """
    n_samples, total = len(compared.ids), 2 * compared.n_pairs
    center = [m.sum(dtype=np.float64) / total for m in (compared.predicted, compared.actual)]
    weights = np.random.default_rng(random_seed).multinomial(
        n_samples, np.full(n_samples, 1 / n_samples), size=RESAMPLES
    )
    weights = np.vstack([np.ones(n_samples), weights]).astype(np.float64)
    sums, dummy_error = _weighted_sums(compared, weights, center)
    values, slope, intercept = _metrics(sums, weights, center)
    estimates = {name: Estimate.from_draws(v[0], v[1:]) for name, v in values.items()}
    return DistanceScores(estimates, center[1], dummy_error / total, slope, intercept)


def _weighted_sums(compared: ComparedDistances, weights: np.ndarray, center: list[float]):
    """Sum products of centered distances over ordered pairs, each weighted by both its samples."""
    names, n_samples = ("x", "y", "xx", "yy", "xy", "absolute"), len(compared.ids)
    sums, dummy_error = {name: np.zeros(len(weights)) for name in names}, 0.0
    for some in np.array_split(np.arange(n_samples), -(-(n_samples**2) // _PAIRS_AT_ONCE)):
        x, y = (m[some].astype(np.float64) for m in (compared.predicted, compared.actual))
        error, own = np.abs(x - y), (np.arange(len(some)), some)
        x, y = x - center[0], y - center[1]
        x[own] = y[own] = 0
        dummy_error += np.abs(y).sum()
        for name, part in zip(names, (x, y, x * x, y * y, x * y, error), strict=True):
            sums[name] += ((weights @ part.T) * weights[:, some]).sum(axis=1)
    return sums, dummy_error


def _metrics(sums: dict, weights: np.ndarray, center: list[float]):
    """Turn sums into metrics of each resample, and into the least-squares line of the first."""
    pairs = weights.sum(axis=1) ** 2 - np.square(weights).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = sums["x"] / pairs, sums["y"] / pairs
        var_x, var_y = sums["xx"] / pairs - mean_x**2, sums["yy"] / pairs - mean_y**2
        covariance = sums["xy"] / pairs - mean_x * mean_y
        mean_error = mean_x - mean_y + center[0] - center[1]
        squared_error = var_x + var_y - 2 * covariance + mean_error**2
        var_x, var_y = (np.where(v > 1e-12, v, np.nan) for v in (var_x, var_y))
        slope = float(covariance[0] / var_y[0])
        values = {
            "correlation": covariance / np.sqrt(var_x * var_y),
            "r_squared": 1 - squared_error / var_y,
            "mean_absolute_error": sums["absolute"] / pairs,
            "mean_error": mean_error,
            "spread_ratio": np.sqrt(var_x / var_y),
        }
    return values, slope, float(mean_x[0] + center[0] - slope * (mean_y[0] + center[1]))


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
    low, high = (edge(map(edge, (predicted, actual))) for edge in (min, max))
    # About as many cells as there are pairs would show single pairs, not where they lie.
    wanted = np.clip(np.sqrt(len(actual)), 10, MOST_CELLS)
    step = next((step for step in _STEPS if (high - low) / step <= wanted), _STEPS[-1])
    edges = _edges(low, high, step)
    counts, _, _ = np.histogram2d(actual, predicted, bins=(edges, edges))
    rows, columns = np.nonzero(counts)
    ends = {"actual_from": edges[rows], "actual_to": edges[rows + 1]}
    ends |= {"predicted_from": edges[columns], "predicted_to": edges[columns + 1]}
    cells = pd.DataFrame({**ends, "pairs": counts[rows, columns].astype(int)})
    cells.index = [f"cell {place + 1}" for place in cells.index]
    return cells


def error_bins(predicted: np.ndarray, actual: np.ndarray) -> pd.DataFrame:
    """Summarize the errors in bins of the actual distance of round width.

    Columns: actual_from, actual_to, pairs and the quantiles of the error: lower_5, lower_25,
    median, upper_75, upper_95.
    """
    low, high = float(actual.min()), float(actual.max())
    step = next((step for step in _BIN_STEPS if (high - low) / step <= MOST_BINS), _BIN_STEPS[-1])
    edges = _edges(low, high, step)
    bins = np.clip(np.searchsorted(edges, actual, side="right") - 1, 0, len(edges) - 2)
    errors = pd.Series(predicted - actual).groupby(bins)
    table = errors.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
    table.columns = ["lower_5", "lower_25", "median", "upper_75", "upper_95"]
    table.insert(0, "pairs", errors.size())
    table.insert(0, "actual_to", edges[table.index + 1])
    table.insert(0, "actual_from", edges[table.index])
    ends = zip(table["actual_from"], table["actual_to"], strict=True)
    table.index = pd.Index([f"{a:.3f} to {b:.3f}" for a, b in ends], name="id")
    return table


def _edges(low: float, high: float, step: float) -> np.ndarray:
    first, last = int(np.floor(low / step + 1e-6)), int(np.floor(high / step + 1e-6)) + 1
    return (np.arange(first, max(last, first + 1) + 1) * step).round(4)


@dataclass(frozen=True)
class Ordinations:
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
    """Ordinate both matrices and align the results.

    The seed chooses the samples, if there are more than `MOST_ORDINATED`, and the permutations.
    None if the samples of a matrix all lie in one place.
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
    p_value = _permutation_p_value(first, second, random)
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
    values = np.nan_to_num(found.samples.to_numpy(float)[:, :_AXES])
    shares = found.proportion_explained.to_numpy(float)[:_AXES]
    missing = (0, _AXES - len(shares))
    return np.pad(values, [(0, 0), missing]), tuple(np.pad(shares, missing).tolist())


def _permutation_p_value(first: np.ndarray, second: np.ndarray, random) -> float:
    """Test whether two aligned configurations agree more than with their samples shuffled."""

    def agreement(second: np.ndarray) -> float:
        # the sum of the singular values of first.T @ second: large if disparity is small
        product = first.T @ second
        return float(np.sqrt((product**2).sum() + 2 * abs(np.linalg.det(product))))

    found, n = agreement(second) - 1e-12, len(second)
    better = sum(agreement(second[random.permutation(n)]) >= found for _ in range(PERMUTATIONS))
    return (better + 1) / (PERMUTATIONS + 1)
