"""The tables of evaluate-classification: rounded for the page, in full for the downloads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .bootstrap import Estimate
from .classification_charts import tabulate_confusion
from .classification_metrics import BY_CLASS, OVERALL, ClassificationMetric
from .classification_scores import (
    BASELINE,
    CONSTANT,
    MODEL,
    ClassificationScores,
    ClassifierScores,
)
from .classified_samples import ClassifiedSamples
from .interval_words import format_interval
from .number_format import format_decimals

MISTAKES_SHOWN = 10
_PLACES = 2
_DIFFERENCES = {
    BASELINE: "difference: this model \u2212 baseline",
    CONSTANT: "difference: this model \u2212 constant",
}


def shown_metrics(
    metrics: tuple[ClassificationMetric, ...], samples: ClassifiedSamples
) -> list[ClassificationMetric]:
    """Leave out what needs probabilities if there are none."""
    has = samples.probabilities is not None or samples.baseline_probabilities is not None
    return [metric for metric in metrics if has or not metric.needs_probabilities]


def score_tiles(scores: ClassificationScores, samples: ClassifiedSamples) -> list[dict]:
    """Pick the numbers at the top of the page."""
    found = scores.rows[0].overall
    return [
        {
            "label": metric.label,
            "value": format_decimals(found[metric.name].value, metric.decimals),
            "detail": format_interval(found[metric.name], metric.decimals),
        }
        for metric in shown_metrics(OVERALL, samples)
        if np.isfinite(found[metric.name].value)
    ]


def _as_cell(estimate: Estimate, metric: ClassificationMetric) -> dict:
    return {
        "value": format_decimals(estimate.value, metric.decimals),
        "interval": format_interval(estimate, metric.decimals),
    }


def score_rows(scores: ClassificationScores, samples: ClassifiedSamples) -> list[dict]:
    """Write the scores, then the differences, as cells of the page."""
    metrics = shown_metrics(OVERALL, samples)

    def row(label: str, n_samples: int, found: dict[str, Estimate]) -> dict:
        cells = [_as_cell(found[metric.name], metric) for metric in metrics]
        return {"label": label, "n_samples": n_samples, "cells": cells}

    rows = [row(one.label, one.n_samples, one.overall) for one in scores.rows]
    differences = [
        row(_DIFFERENCES[name], scores.rows[0].n_samples, found)
        for name, found in scores.differences.items()
    ]
    # The model on more samples than the others stays last.
    return rows[: 1 + len(differences)] + differences + rows[1 + len(differences) :]


def class_rows(scores: ClassificationScores, samples: ClassifiedSamples) -> list[dict]:
    """Write the scores of each class as cells of the page, the baseline's beneath the model's."""
    metrics = shown_metrics(BY_CLASS, samples)
    rows = []
    for place, name in enumerate(samples.classes):
        for predictor in _compared(scores):
            found = predictor.by_class[place]
            rows.append(
                {
                    "class": name if predictor.predictor == MODEL else None,
                    "predictor": predictor.label,
                    "n_actual": int(predictor.n_actual[place]),
                    "n_predicted": int(predictor.n_predicted[place]),
                    "cells": [_as_cell(found[metric.name], metric) for metric in metrics],
                }
            )
    return rows


def _compared(scores: ClassificationScores) -> list[ClassifierScores]:
    found = [scores.row(name) for name in (MODEL, BASELINE)]
    return [row for row in found if row is not None]


def scores_table(scores: ClassificationScores, samples: ClassifiedSamples) -> pd.DataFrame:
    """Write the scores as a table to download, unrounded."""
    rows = [(row.label, row.n_samples, row.overall) for row in scores.rows]
    rows += [
        (_DIFFERENCES[name].replace("\u2212", "minus"), scores.rows[0].n_samples, found)
        for name, found in scores.differences.items()
    ]
    records = [
        {
            "id": f"{label}: {metric.name}",
            "predictor": label,
            "metric": metric.name,
            "samples": n_samples,
            **_ends(found[metric.name]),
        }
        for label, n_samples, found in rows
        for metric in shown_metrics(OVERALL, samples)
    ]
    return pd.DataFrame.from_records(records, index="id")


def class_scores_table(scores: ClassificationScores, samples: ClassifiedSamples) -> pd.DataFrame:
    """Write the scores of each class as a table to download, unrounded."""
    records = [
        {
            "id": f"{row.label}: {metric.name} of {name}",
            "predictor": row.label,
            "class": name,
            "metric": metric.name,
            "actual_samples": int(row.n_actual[place]),
            "predicted_samples": int(row.n_predicted[place]),
            **_ends(row.by_class[place][metric.name]),
        }
        for row in _compared(scores)
        for place, name in enumerate(samples.classes)
        for metric in shown_metrics(BY_CLASS, samples)
    ]
    return pd.DataFrame.from_records(records, index="id")


def _ends(estimate: Estimate) -> dict:
    return {"value": estimate.value, "lower_95": estimate.lower, "upper_95": estimate.upper}


def confusion_table(samples: ClassifiedSamples) -> pd.DataFrame:
    """Write the confusion matrices as a table to download: one line for each pair of classes."""
    tables = []
    for predictor, label in (("predicted", "this model"), ("baseline", "baseline")):
        if predictor == "baseline" and not samples.has_baseline:
            continue
        table = tabulate_confusion(samples, predictor)
        table.insert(0, "predictor", label)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table.index = pd.Index(
        [f"{who}: {a} as {b}" for who, a, b in table.iloc[:, :3].itertuples(index=False)], name="id"
    )
    return table


def predictions_table(samples: ClassifiedSamples) -> pd.DataFrame:
    """Write every prediction with its probability as a table to download."""
    table = samples.frame[["actual", "predicted"]].copy()
    table["correct"] = np.where(table["actual"] == table["predicted"], "yes", "no")
    if samples.probabilities is not None:
        table["probability_of_predicted"] = samples.confidence()
        table["probability_of_actual"] = _probability_of_actual(samples)
    if samples.has_baseline:
        table["baseline"] = samples.frame["baseline"]
    if samples.group_name is not None:
        table["group"] = samples.frame["group"]
    return table


def mistake_rows(samples: ClassifiedSamples) -> list[dict]:
    """Write the mistakes as cells of the page, those with the highest probability first."""
    frame = samples.frame
    wrong = np.flatnonzero((frame["actual"] != frame["predicted"]).to_numpy())
    has = samples.probabilities is not None
    confidence = samples.confidence() if has else np.full(len(frame), np.nan)
    of_actual = _probability_of_actual(samples) if has else confidence
    if has:
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return [
        {
            "sample": frame.index[place],
            "actual": frame["actual"].iloc[place],
            "predicted": frame["predicted"].iloc[place],
            "confidence": format_decimals(confidence[place], _PLACES),
            "of_actual": format_decimals(of_actual[place], _PLACES),
            "baseline": frame["baseline"].iloc[place],
            "group": frame["group"].iloc[place],
        }
        for place in wrong[:MISTAKES_SHOWN]
    ]


def count_mistakes(samples: ClassifiedSamples) -> int:
    """Count the samples whose class is predicted wrong."""
    return int((samples.frame["actual"] != samples.frame["predicted"]).sum())


def _probability_of_actual(samples: ClassifiedSamples) -> np.ndarray:
    places = samples.codes("actual")[:, None]
    return np.take_along_axis(samples.probabilities, places, axis=1)[:, 0]
