"""The page of evaluate-classification."""

from __future__ import annotations

from pathlib import Path

from ..storage.training_log import TrainingLog
from .calibration_charts import tabulate_calibration
from .classification_figures import make_classification_figures
from .classification_metrics import BY_CLASS, OVERALL
from .classification_scores import score_classification
from .classification_tables import (
    class_rows,
    class_scores_table,
    confusion_table,
    count_mistakes,
    mistake_rows,
    predictions_table,
    score_rows,
    score_tiles,
    scores_table,
    shown_metrics,
)
from .classification_words import describe_differences, write_headline
from .classified_samples import ClassifiedSamples
from .importance_section import describe_importance, importance_download
from .important_features import ImportantFeatures
from .interval_words import describe_bootstrap
from .page import write_page
from .sample_counts import counts_table
from .training_log_notes import note_training


def write_classification_page(
    output_dir: str | Path,
    samples: ClassifiedSamples,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a classifier as index.html with its downloads.

    Parameters
    ----------
    output_dir : str or Path
    samples : ClassifiedSamples
    training_log : TrainingLog, optional
        Of the model that predicted: gives the training data used, and how frequent classes were.
    important : ImportantFeatures, optional
        What the predictions rest on.
    """
    summary = {} if training_log is None else training_log.summary
    scores = score_classification(samples, _training_counts(samples, summary))
    has_probabilities = samples.probabilities is not None
    calibration = tabulate_calibration(samples) if has_probabilities else None
    figures = make_classification_figures(samples, scores, calibration)
    tables = {
        "scores": scores_table(scores, samples),
        "class-scores": class_scores_table(scores, samples),
        "confusion": confusion_table(samples),
        "predictions": predictions_table(samples),
        "samples": counts_table(samples.counts),
    }
    if calibration is not None:
        tables["calibration"] = calibration
    importance = None
    if important is not None:
        importance = describe_importance(important, samples.target)
        figures.append(importance["figure"])
        tables["importance"] = importance_download(important)
    context = {
        "title": "Evaluation of a classifier",
        "target": samples.target,
        "group_name": samples.group_name,
        "headline": write_headline(samples, scores),
        "warnings": samples.notes + note_training(summary, samples.target, samples.frame.index),
        "tiles": score_tiles(scores, samples),
        "metrics": shown_metrics(OVERALL, samples),
        "class_metrics": shown_metrics(BY_CLASS, samples),
        "score_rows": score_rows(scores, samples),
        "class_rows": class_rows(scores, samples),
        "bootstrap": describe_bootstrap(samples),
        "differences": describe_differences(scores),
        "figures": {figure.name: figure for figure in figures},
        "mistakes": mistake_rows(samples),
        "n_mistakes": count_mistakes(samples),
        "has_probabilities": has_probabilities,
        "has_baseline": samples.has_baseline,
        "counts": [entry for entry in samples.counts if entry.count],
        "importance": importance,
        "training_data": summary.get("data") or [],
    }
    write_page(output_dir, "classification.html", context, figures, tables)


def _training_counts(samples: ClassifiedSamples, summary: dict) -> dict | None:
    target = summary.get("target") or {}
    # The classes of another column would be no fair rival.
    return target.get("training_counts") if target.get("name") == samples.target else None
