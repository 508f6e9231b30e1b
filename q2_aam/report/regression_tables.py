"""The tables of evaluate-regression: rounded for the page, in full for the downloads."""

from __future__ import annotations

import pandas as pd

from .evaluated_samples import EvaluatedSamples
from .interval_words import format_interval
from .metrics import METRICS
from .number_format import decimals_for, format_decimals, format_number
from .regression_scores import RegressionScores

WORST_SHOWN = 10


def score_tiles(scores: RegressionScores) -> list[dict]:
    """Pick the numbers at the top of the page."""
    tiles = [
        {
            "label": metric.label,
            "value": format_decimals(value.value, _places(metric, value)),
            "detail": format_interval(value, _places(metric, value)),
        }
        for metric in METRICS
        for value in [scores.rows[0].estimates[metric.name]]
    ]
    if scores.coverage is not None:
        share = f"{100 * scores.coverage.value:.0f} %"
        detail = f"{scores.n_inside:,} of {scores.n_intervals:,}"
        tiles.append({"label": "inside interval", "value": share, "detail": detail})
    return tiles


def score_rows(scores: RegressionScores) -> list[dict]:
    """Write the scores as cells of the page: values and intervals as text."""
    return [
        {
            "label": row.label,
            "n_samples": row.n_samples,
            "cells": [
                {
                    "value": format_decimals(value.value, _places(metric, value)),
                    "interval": format_interval(value, _places(metric, value)),
                }
                for metric in METRICS
                for value in [row.estimates[metric.name]]
            ],
        }
        for row in scores.rows
    ]


def _places(metric, estimate) -> int:
    return decimals_for(estimate.value) if metric.in_units else 2


def scores_table(scores: RegressionScores) -> pd.DataFrame:
    """Write the scores as a table to download, unrounded."""
    records = [
        {
            "id": f"{row.label}: {metric.name}",
            "predictor": row.label,
            "metric": metric.name,
            "samples": row.n_samples,
            "value": row.estimates[metric.name].value,
            "lower_95": row.estimates[metric.name].lower,
            "upper_95": row.estimates[metric.name].upper,
        }
        for row in scores.rows
        for metric in METRICS
    ]
    return pd.DataFrame.from_records(records, index="id")


def worst_rows(samples: EvaluatedSamples) -> list[dict]:
    """Write the samples with the largest absolute errors as cells of the page."""
    frame = samples.frame
    order = frame["error"].abs().sort_values(ascending=False, kind="stable").index[:WORST_SHOWN]
    places = decimals_for(float(frame["error"].abs().mean()))
    return [
        {
            "sample": sample,
            "actual": format_number(row["actual"]),
            "predicted": format_decimals(row["predicted"], places),
            "error": format_decimals(row["error"], places),
            "baseline": format_decimals(row["baseline"], places),
            "lower": format_decimals(row["lower"], places),
            "upper": format_decimals(row["upper"], places),
            "group": row["group"],
            "colour_by": _as_cell(row.get("colour_by")),
        }
        for sample, row in zip(order, frame.loc[order].to_dict("records"))  # noqa: B905
    ]


def _as_cell(value) -> str:
    return value if isinstance(value, str) else format_number(value)
