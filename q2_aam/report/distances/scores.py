"""How well distances are predicted: over all pairs of samples, by distance and by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import squareform

from ..metrics import Estimate
from .samples import ComparedDistances

RESAMPLES = 500
_PAIRS_AT_ONCE = 2_000_000
_STEPS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)  # round widths of cells
_BIN_STEPS = (0.025, 0.05, 0.1)
MOST_CELLS, MOST_BINS = 50, 16  # along an axis


@dataclass(frozen=True)
class DistanceScores:
    """The scores of a predicted matrix.

    Attributes
    ----------
    estimates : dict of str to Estimate
        By the names of `DISTANCE_METRICS`, with intervals from drawing samples (not pairs, which
        are not independent of each other).
    mean_actual, dummy_error : float
        Mean actual distance, and mean absolute error of always predicting it.
    slope, intercept : float
        Of the least-squares line predicted = slope * actual + intercept; NaN if not defined.
    """

    estimates: dict[str, Estimate]
    mean_actual: float
    dummy_error: float
    slope: float
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
    columns = {
        "mean_absolute_error": np.abs(error),
        "mean_error": error,
        "mean_actual": actual,
        "mean_predicted": predicted,
    }
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

    Returns
    -------
    pd.DataFrame
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
