"""The page of evaluate-regression."""

from __future__ import annotations

from pathlib import Path

from ..storage.training_log import TrainingLog
from .evaluated_samples import EvaluatedSamples
from .group_charts import error_by_group
from .importance_section import describe_importance, importance_download
from .important_features import ImportantFeatures
from .interval_words import describe_bootstrap
from .metrics import METRICS
from .page import write_page
from .regression_figures import make_regression_figures
from .regression_scores import score_regression
from .regression_tables import score_rows, score_tiles, scores_table, worst_rows
from .regression_words import describe_coverage, write_headline
from .sample_counts import counts_table
from .training_log_notes import note_training


def write_regression_page(
    output_dir: str | Path,
    samples: EvaluatedSamples,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a regressor as index.html with its downloads.

    Parameters
    ----------
    output_dir : str or Path
    samples : EvaluatedSamples
    training_log : TrainingLog, optional
        Of the model that predicted: gives the training mean and the training data used.
    important : ImportantFeatures, optional
        What the predictions rest on.
    """
    summary = {} if training_log is None else training_log.summary
    scores = score_regression(samples, _training_mean(samples, summary))
    groups = None if samples.group_name is None else error_by_group(samples)
    figures = make_regression_figures(samples, scores, groups)
    tables = {
        "scores": scores_table(scores),
        "predictions": samples.frame.dropna(axis="columns", how="all"),
        "samples": counts_table(samples.counts),
    }
    if groups is not None:
        tables["groups"] = groups
    importance = None
    if important is not None:
        importance = describe_importance(important, samples.target)
        figures.append(importance["figure"])
        tables["importance"] = importance_download(important)
    context = {
        "title": "Evaluation of a regressor",
        "target": samples.target,
        "group_name": samples.group_name,
        "colour_name": None if samples.colours is None else samples.colours.name,
        "headline": write_headline(samples, scores),
        "warnings": note_training(summary, samples.target, samples.frame.index),
        "tiles": score_tiles(scores),
        "metrics": METRICS,
        "score_rows": score_rows(scores),
        "bootstrap": describe_bootstrap(samples),
        "coverage": describe_coverage(scores),
        "figures": {figure.name: figure for figure in figures},
        "worst": worst_rows(samples),
        "has_intervals": samples.has_intervals,
        "has_baseline": samples.has_baseline,
        "counts": [entry for entry in samples.counts if entry.count],
        "importance": importance,
        "training_data": summary.get("data") or [],
    }
    write_page(output_dir, "regression.html", context, figures, tables)


def _training_mean(samples: EvaluatedSamples, summary: dict) -> float | None:
    target = summary.get("target") or {}
    # The mean of another column would be no fair rival.
    return target.get("training_mean") if target.get("name") == samples.target else None
