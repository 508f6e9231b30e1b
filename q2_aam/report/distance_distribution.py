"""Counts of pairs by distance and error, and the errors of each sample, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .compared_distances import ComparedDistances

GRID = 400  # cells of 0.0025 from 0 to 1
_FINE_BINS = 40  # of the actual distance, 0.025 wide; made wider for the page
_ERROR_STEPS = 4000  # from -1 to 1, so that quantiles are right to 0.0005
MOST_CELLS = 50
MOST_BINS = 16


@dataclass(frozen=True)
class DistanceDistribution:
    """How predicted and actual distances are distributed together.

    Attributes
    ----------
    grid : np.ndarray of int, shape (GRID, GRID)
        Pairs by cell of the actual (first axis) and of the predicted distance.
    errors : np.ndarray of int, shape (bins, error steps)
        Pairs by bin of the actual distance and by error (predicted minus actual).
    by_sample : pd.DataFrame
        Index: sample id. Columns: mean_absolute_error, mean_error, mean_actual and
        mean_predicted, over the pairs of a sample.
    """

    grid: np.ndarray
    errors: np.ndarray
    by_sample: pd.DataFrame


def tabulate_distances(compared: ComparedDistances) -> DistanceDistribution:
    """Count the pairs of all samples, each once, and average the errors of each sample."""
    grid = np.zeros(GRID * GRID, np.int64)
    errors = np.zeros(_FINE_BINS * _ERROR_STEPS, np.int64)
    columns = {name: np.zeros(len(compared.ids)) for name in _BY_SAMPLE}
    for some, predicted, actual in compared.blocks():
        difference = predicted - actual
        others = len(compared.ids) - 1
        for name, values in zip(
            _BY_SAMPLE, (np.abs(difference), difference, actual, predicted), strict=True
        ):
            columns[name][some] = values.sum(axis=1) / others
        once = np.arange(len(compared.ids)) > np.arange(some.start, some.stop)[:, None]
        x, y, error = actual[once], predicted[once], difference[once]
        grid += np.bincount(_place(x, GRID) * GRID + _place(y, GRID), minlength=len(grid))
        steps = _place((error + 1) / 2, _ERROR_STEPS)
        places = _place(x, _FINE_BINS) * _ERROR_STEPS + steps
        errors += np.bincount(places, minlength=len(errors))
    return DistanceDistribution(
        grid.reshape(GRID, GRID),
        errors.reshape(_FINE_BINS, _ERROR_STEPS),
        pd.DataFrame(columns, index=pd.Index(compared.ids, name="id")),
    )


_BY_SAMPLE = ("mean_absolute_error", "mean_error", "mean_actual", "mean_predicted")


def _place(values: np.ndarray, n_cells: int) -> np.ndarray:
    # A tiny push keeps 0.35 in the cell that begins at 0.35 though float32 has it a bit lower.
    return np.clip((values * n_cells + 1e-4).astype(np.int64), 0, n_cells - 1)


def density_cells(grid: np.ndarray) -> list[dict]:
    """Merge the grid's cells until few enough are left to draw.

    Parameters
    ----------
    grid : np.ndarray
        See `DistanceDistribution`.

    Returns
    -------
    list of dict
        Cells with pairs: actual_from, actual_to, predicted_from, predicted_to, pairs.
    """
    used = np.flatnonzero(grid.sum(axis=0) + grid.sum(axis=1))
    span = used[-1] - used[0] + 1
    # About as many cells as there are pairs would show single pairs, not where they lie.
    wanted = np.clip(np.sqrt(grid.sum()), 10, MOST_CELLS)
    step = next(step for step in (1, 2, 4, 8, 20, 40) if span / step <= wanted or step == 40)
    merged = grid.reshape(GRID // step, step, GRID // step, step).sum(axis=(1, 3))
    width = step / GRID
    return [
        {
            "actual_from": round(float(row * width), 4),
            "actual_to": round(float((row + 1) * width), 4),
            "predicted_from": round(float(column * width), 4),
            "predicted_to": round(float((column + 1) * width), 4),
            "pairs": int(merged[row, column]),
        }
        for row, column in np.argwhere(merged)
    ]


def error_bins(errors: np.ndarray) -> pd.DataFrame:
    """Summarise the errors in bins of the actual distance of equal, round width.

    Parameters
    ----------
    errors : np.ndarray
        See `DistanceDistribution`.

    Returns
    -------
    pd.DataFrame
        Index: bin (``id``). Columns: actual_from, actual_to, pairs and the quantiles of the error:
        lower_5, lower_25, median, upper_75, upper_95.
    """
    used = np.flatnonzero(errors.sum(axis=1))
    span = used[-1] - used[0] + 1
    step = next(step for step in (1, 2, 4) if span / step <= MOST_BINS or step == 4)
    merged = errors.reshape(_FINE_BINS // step, step, _ERROR_STEPS).sum(axis=1)
    width, records = step / _FINE_BINS, []
    for place in np.flatnonzero(merged.sum(axis=1)):
        found = _quantiles(merged[place], np.array([0.05, 0.25, 0.5, 0.75, 0.95]))
        names = ("lower_5", "lower_25", "median", "upper_75", "upper_95")
        records.append(
            {
                "id": f"{place * width:.3f} to {(place + 1) * width:.3f}",
                "actual_from": round(place * width, 4),
                "actual_to": round((place + 1) * width, 4),
                "pairs": int(merged[place].sum()),
                **dict(zip(names, found.tolist(), strict=True)),
            }
        )
    return pd.DataFrame.from_records(records, index="id")


def _quantiles(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Read quantiles of the error off its histogram, to the middle of a step."""
    steps = np.searchsorted(np.cumsum(counts), shares * counts.sum(), side="left")
    return (steps + 0.5) / _ERROR_STEPS * 2 - 1
