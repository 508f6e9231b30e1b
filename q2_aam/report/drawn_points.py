"""Which samples a scatter plot draws: all, or a random part of very many."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .number_format import format_number
from .point_colours import PointColours

MOST_POINTS = 1500
POINTS = "points"  # name of the data set that the charts of a page share
ALWAYS_DRAWN = 10
_RANDOM_SEED = 0


def choose_drawn_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep all samples, or of very many a random part and those predicted worst.

    Parameters
    ----------
    frame : pd.DataFrame
        With a column ``error``.

    Returns
    -------
    pd.DataFrame
        At most `MOST_POINTS` rows, in the order given.
    """
    if len(frame) <= MOST_POINTS:
        return frame
    worst = frame["error"].abs().to_numpy().argsort(kind="stable")[::-1][:ALWAYS_DRAWN]
    others = np.setdiff1d(np.arange(len(frame)), worst)
    random = np.random.default_rng(_RANDOM_SEED)
    drawn = random.choice(others, MOST_POINTS - len(worst), replace=False)
    return frame.iloc[np.sort(np.concatenate([worst, drawn]))]


def thinning_note(n_drawn: int, n_samples: int) -> str:
    """Say that not every sample is drawn, or nothing if all are."""
    if n_drawn == n_samples:
        return ""
    return (
        f" Drawn are {n_drawn:,} of the {n_samples:,} samples: the {ALWAYS_DRAWN} predicted worst "
        "and others at random. Every score uses all of them."
    )


def point_records(frame: pd.DataFrame, colours: PointColours | None = None) -> list[dict]:
    """Turn samples into the records that a chart reads.

    Parameters
    ----------
    frame : pd.DataFrame
        See `EvaluatedSamples`.
    colours : PointColours, optional

    Returns
    -------
    list of dict
        Numbers for the axes, and ready text for the tooltip.
    """
    records = []
    for sample, row in zip(frame.index, frame.to_dict("records")):  # noqa: B905 - one frame
        record = {
            "sample": str(sample),
            "actual": _short(row["actual"]),
            "predicted": _short(row["predicted"]),
            "error": _short(row["error"]),
        }
        if row["group"] is not None:
            record["group"] = str(row["group"])
        if np.isfinite(row["lower"]):
            record |= {"lower": _short(row["lower"]), "upper": _short(row["upper"])}
            low, high = format_number(row["lower"]), format_number(row["upper"])
            record["interval"] = f"{low} to {high}"
        if np.isfinite(row["baseline"]):
            record["baseline"] = _short(row["baseline"])
            record["baseline_error"] = _short(row["baseline"] - row["actual"])
        if colours is not None:
            record |= colours.fields_of(sample)
        records.append(record)
    return records


def _short(value: float) -> float:
    """Drop digits that no screen shows, to keep the page small."""
    return float(f"{value:.7g}")
