"""The page of evaluate-classification: words and tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import counted
from ...storage.training_log import TrainingLog
from ..evaluation import ALL_SAMPLES, BASELINE, DUMMY, MODEL, Evaluation, Scores, in_sentence
from ..formatting import MISSING, format_count, format_decimals, format_fraction, words
from ..importance import ImportantFeatures
from ..metrics import CLASS_METRICS, OVERALL_METRICS, ScoreRow, in_percent, score_blocks
from ..page import Column, Download, Section, Table, Text, define, table_of
from ..recognition import recognition_blocks
from .charts import make_figures
from .scores import (
    PredictedClasses,
    numbers_per_sample,
    score_classification,
    tabulate_calibration,
    tabulate_confusion,
)

MISTAKES_SHOWN, PAIRS_SHOWN, CLASSES_SHOWN = 10, 10, 30
_OF_PROBABILITIES = ("roc", "precision-recall", "calibration-curve", "confidence")


def write_classification_page(
    output_dir: str | Path,
    samples: PredictedClasses,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a classifier as index.html with its downloads.

    The training log, of the model that predicted, tells how frequent classes were, and the design.
    """
    evaluation = Evaluation(samples, training_log)
    names = evaluation.names
    scores = score_classification(samples, names, evaluation.target.get("training_counts"))
    has_probabilities = samples.probabilities is not None
    calibration = tabulate_calibration(samples, names) if has_probabilities else None
    figures = make_figures(samples, scores, names, calibration)
    sections = [
        _classes_section(samples, figures, names),
        _scores_section(samples, scores, names, figures),
    ]
    if has_probabilities:
        shown = [figures[name] for name in _OF_PROBABILITIES if name in figures]
        of_bins = Download("calibration", "the points of the calibration", calibration)
        blocks = [shown, of_bins]
        sections.append(Section("probabilities", "Probabilities", "Probabilities", blocks))
    sections.append(_mistakes_section(samples, names))
    found = scores.rows[MODEL].estimates
    cards = [
        metric.card(found[metric.name])
        for metric in _shown(OVERALL_METRICS, samples)
        if np.isfinite(found[metric.name].value)
    ]
    headline = write_headline(samples, scores, names)
    evaluation.write(output_dir, "classifier", headline, sections, cards, important)


def write_headline(samples: PredictedClasses, scores: Scores, names: dict[str, str]) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    row, dummy = scores.rows[MODEL], scores.rows[DUMMY].estimates
    found, balanced = row.estimates["accuracy"], row.estimates["balanced_accuracy"]
    values = {"share": format_fraction(found.value), "interval": in_percent(found)}
    values |= {"target": samples.target, "samples": counted(row.n_samples, "sample")}
    parts = [words("classification", "opening", **values)]
    for other in scores.differences:
        accuracy = scores.rows[other].estimates["accuracy"]
        values = {"share": format_fraction(accuracy.value), "dummy": scores.dummy}
        values["other"] = in_sentence(names.get(other, other))
        parts.append(scores.describe_difference("classification", other, "accuracy", **values))
    values = {"share": format_fraction(balanced.value), "interval": in_percent(balanced)}
    values["dummy"] = format_fraction(dummy["balanced_accuracy"].value)
    text = words("classification", "balanced", **values)
    if scores.differences[DUMMY]["balanced_accuracy"].verdict != "better":
        text += words("classification", "not_better")
    return f"{'; '.join(parts)}. {text}."


def _shown(metrics, samples: PredictedClasses) -> list:
    """Leave out what needs probabilities if there are none."""
    has = samples.probabilities is not None or samples.baseline_probabilities is not None
    return [metric for metric in metrics if has or not metric.is_area]


def _classes_section(samples: PredictedClasses, figures: dict, names: dict) -> Section:
    blocks, tables = [words("notes", "many_classes", classes=len(samples.classes))], []
    if "confusion-matrix" in figures:
        second = "baseline-confusion" if samples.has_baseline else "scores-by-class"
        blocks = [[figures["confusion-matrix"], figures[second]]]
    compared = [(MODEL, "predicted")] + ([(BASELINE, "baseline")] if samples.has_baseline else [])
    for key, predictor in compared:
        table = tabulate_confusion(samples, predictor)
        if key == MODEL:
            blocks += _confused_blocks(samples, table)
        pairs = zip(table["actual"], table["predicted"], strict=True)
        table.index = pd.Index([f"{key}: {a} as {b}" for a, b in pairs], name="id")
        table.insert(0, "predictor", names[key])
        tables.append(table)
    blocks.append(Download("confusion", "the numbers behind it", pd.concat(tables)))
    return Section("classes", "Classes", "Classes", blocks)


def _confused_blocks(samples: PredictedClasses, table: pd.DataFrame) -> list:
    wrong = table[(table["actual"] != table["predicted"]) & (table["samples"] > 0)]
    if len(samples.classes) <= 2 or not len(wrong):
        return []
    wrong = wrong.sort_values("samples", ascending=False, kind="stable").head(PAIRS_SHOWN)
    columns = [
        (Column("Actual"), wrong["actual"]),
        (Column("Predicted as"), wrong["predicted"]),
        (Column("Samples", number=True), wrong["samples"].map(format_count)),
        (Column("Share of actual", number=True), wrong["share_of_actual"].map(format_fraction)),
    ]
    return [Text("Confused most often", tag="h3"), table_of("pairs-table", columns)]


def _scores_section(samples, scores: Scores, names: dict, figures: dict) -> Section:
    rows, n_samples = dict(scores.rows), scores.rows[MODEL].n_samples
    on_all = rows.pop(ALL_SAMPLES, None)
    found = list(rows.values())
    for other, differences in scores.differences.items():
        label = f"difference: {names[MODEL]} minus {names.get(other, other)}"
        found.append(ScoreRow(f"{MODEL} minus {other}", label, n_samples, differences))
    found += [] if on_all is None else [on_all]
    notes = [samples.describe_bootstrap(numbers_per_sample(samples))]
    if BASELINE in scores.differences:
        metric = OVERALL_METRICS[2]
        cell = metric.cell(scores.differences[BASELINE][metric.name])
        values = {"model": names[MODEL], "baseline": in_sentence(names[BASELINE])}
        values["difference"] = cell.text + (f" [{cell.detail}]" if cell.detail else "")
        notes.append(words("notes", "differences", **values))
    blocks = [
        *score_blocks(found, _shown(OVERALL_METRICS, samples), notes),
        Text("By class", tag="h3"),
    ]
    if "scores-by-class" in figures and samples.has_baseline:
        blocks.append([figures["scores-by-class"]])
    return Section("scores", "Scores", "Scores", blocks + _class_blocks(samples, scores))


def _class_blocks(samples: PredictedClasses, scores: Scores) -> list:
    metrics, rows, records = _shown(CLASS_METRICS, samples), [], []
    columns = [Column("Class"), Column("Predictor"), Column("Samples", True, "of this class")]
    columns += [Column("Predicted", True, "as this class"), *(m.column for m in metrics)]
    compared = [scores.rows[key] for key in (MODEL, BASELINE) if key in scores.rows]
    for place, name in enumerate(samples.classes):
        for row in compared:
            counts = int(row.n_actual[place]), int(row.n_predicted[place])
            about = {"class": name, "actual_samples": counts[0], "predicted_samples": counts[1]}
            of_class = replace(row, estimates=row.by_class[place])
            rows.append([name, row.label, *map(format_count, counts), *of_class.cells(metrics)])
            records += of_class.records(metrics, f" of {name}", **about)
    frame = pd.DataFrame.from_records(records, index="id")
    return [
        Table("class-table", columns, rows, shown=CLASSES_SHOWN * len(compared)),
        define(columns),
        Download("class-scores", "the scores of every class", frame),
    ]


def _mistakes_section(samples: PredictedClasses, names: dict) -> Section:
    frame, has = samples.frame, samples.probabilities is not None
    table = _tabulate_predictions(samples)
    mistaken = (frame["actual"] != frame["predicted"]).astype(float)
    wrong = table[mistaken == 1]
    if has:
        wrong = wrong.sort_values("probability_of_predicted", ascending=False, kind="stable")
    worst, n_wrong = wrong.iloc[:MISTAKES_SHOWN], len(wrong)
    columns = [(Column("Sample"), [str(name) for name in worst.index])]
    if samples.group_name is not None:
        columns.append((Column(samples.group_name), worst["group"]))
    columns += [(Column("Actual"), worst["actual"]), (Column("Predicted"), worst["predicted"])]
    if has:
        for label, of in (("Its probability", "predicted"), ("Probability of actual", "actual")):
            cells = [format_decimals(value, 2) for value in worst[f"probability_of_{of}"]]
            columns.append((Column(label, number=True), cells))
    if samples.has_baseline:
        columns.append((Column(names[BASELINE]), [name or MISSING for name in worst["baseline"]]))
    blocks = ["Every sample is predicted right."]
    if n_wrong:
        sure = ", those that the model was surest of" if has else ""
        values = {"shown": len(worst), "samples": counted(n_wrong, "sample"), "sure": sure}
        blocks = [words("notes", "mistakes", **values), table_of("worst-table", columns)]
    blocks += recognition_blocks(samples.recognition, mistaken, is_mistake=True)
    table = samples.with_recognition(table)
    blocks.append(Download("predictions", "every prediction", table))
    title = "The most confident mistakes" if has else "Mistakes"
    return Section("mistakes", "Mistakes", title, blocks)


def _tabulate_predictions(samples: PredictedClasses) -> pd.DataFrame:
    """Return every prediction with its probability, as a table to download."""
    table = samples.frame[["actual", "predicted"]].copy()
    table["correct"] = np.where(table["actual"] == table["predicted"], "yes", "no")
    if samples.probabilities is not None:
        table["probability_of_predicted"] = samples.confidence()
        table["probability_of_actual"] = samples.of_actual()
    given = {"baseline": samples.has_baseline, "group": samples.group_name is not None}
    columns = [name for name, has in given.items() if has]
    return table.join(samples.frame[columns])
