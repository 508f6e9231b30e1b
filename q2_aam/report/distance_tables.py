"""The tables of evaluate-distances: rounded for the page, in full for the downloads."""

from __future__ import annotations

import pandas as pd

from .distance_distribution import DistanceDistribution
from .distance_scores import METRICS, DistanceMetric, DistanceScores
from .interval_words import format_interval
from .number_format import format_decimals, format_number
from .point_colours import PointColours

WORST_SHOWN = 10
_PLACES = 3


def _places(metric: DistanceMetric) -> int:
    return _PLACES if metric.name in ("mean_absolute_error", "mean_error") else 2


def score_cells(scores: DistanceScores) -> list[dict]:
    """Write the scores as cells of the page and tiles at its top."""
    return [
        {
            "label": metric.label,
            "meaning": metric.meaning,
            "value": format_decimals(found.value, _places(metric)),
            "interval": format_interval(found, _places(metric)),
            "detail": format_interval(found, _places(metric)),
        }
        for metric in METRICS
        for found in [scores.estimates[metric.name]]
    ]


def scores_table(scores: DistanceScores) -> pd.DataFrame:
    """Write the scores as a table to download, unrounded."""
    records = [
        {"id": name, "value": found.value, "lower_95": found.lower, "upper_95": found.upper}
        for name, found in scores.estimates.items()
    ]
    records.append({"id": "mean_absolute_error of the mean", "value": scores.constant_error})
    return pd.DataFrame.from_records(records, index="id")


def samples_table(distribution: DistanceDistribution, colours: PointColours | None) -> pd.DataFrame:
    """Write the errors of each sample as a table to download, the worst first."""
    table = distribution.by_sample
    if colours is not None:
        table = table.assign(metadata=colours.values)
    return table.sort_values("mean_absolute_error", ascending=False, kind="stable")


def worst_rows(table: pd.DataFrame) -> list[dict]:
    """Write the samples whose distances are worst as cells of the page."""
    return [
        {
            "sample": sample,
            "metadata": _as_cell(row.get("metadata")),
            "error": format_decimals(row["mean_absolute_error"], _PLACES),
            "mean_error": format_decimals(row["mean_error"], _PLACES),
            "actual": format_decimals(row["mean_actual"], _PLACES),
            "predicted": format_decimals(row["mean_predicted"], _PLACES),
        }
        for sample, row in table.iloc[:WORST_SHOWN].iterrows()
    ]


def _as_cell(value) -> str:
    return value if isinstance(value, str) else format_number(value)
