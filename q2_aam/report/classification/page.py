"""The page of evaluate-classification: words and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...errors import counted
from ...storage.training_log import TrainingLog
from ..formatting import MISSING, format_count, format_decimals, format_fraction
from ..importance import ImportantFeatures, section_of_importance
from ..metrics import (
    CLASS_METRICS,
    INTERVAL_WORDS,
    OVERALL_METRICS,
    Estimate,
    ScoreRow,
    as_record,
    score_blocks,
)
from ..page import (
    Column,
    Definitions,
    Download,
    Figures,
    Note,
    Section,
    Subtitle,
    Table,
    write_page,
)
from ..recognition import recognition_blocks
from ..samples import (
    ALL_SAMPLES,
    BASELINE,
    DUMMY,
    MODEL,
    describe_bootstrap,
    describe_design,
    in_sentence,
    name_predictors,
    note_training,
    section_of_counts,
)
from ..words import words
from .charts import make_figures
from .samples import PredictedClasses
from .scores import (
    ClassificationScores,
    numbers_per_sample,
    score_classification,
    tabulate_calibration,
    tabulate_confusion,
)

MISTAKES_SHOWN, PAIRS_SHOWN, CLASSES_SHOWN = 10, 10, 30


def write_classification_page(
    output_dir: str | Path,
    samples: PredictedClasses,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a classifier as index.html with its downloads.

    Parameters
    ----------
    training_log : TrainingLog, optional
        Of the model that predicted: how frequent classes were, the design and the data used.
    important : ImportantFeatures, optional
        What the predictions rest on.
    """
    summary = {} if training_log is None else training_log.summary
    target = summary.get("target") or {}
    if target.get("name") != samples.target:
        target = {}  # the classes of another column would be no fair rival
    names = name_predictors(summary)
    scores = score_classification(samples, names, target.get("training_counts"))
    has_probabilities = samples.probabilities is not None
    calibration = tabulate_calibration(samples, names) if has_probabilities else None
    figures = make_figures(samples, scores, names, calibration)
    found = scores.rows[MODEL].estimates
    sections = [
        _classes_section(samples, figures, names),
        _scores_section(samples, scores, names, figures),
    ]
    if has_probabilities:
        shown = [f for n in _OF_PROBABILITIES for f in [figures.get(n)] if f is not None]
        of_bins = Download("calibration", "the points of the calibration", calibration)
        blocks = [Figures(shown), of_bins]
        sections.append(Section("probabilities", "Probabilities", "Probabilities", blocks))
    sections += [
        _mistakes_section(samples, names),
        *section_of_importance(important, samples.frame["actual"], samples.target),
        section_of_counts(samples.counts, summary),
    ]
    write_page(
        output_dir,
        "Evaluation of a classifier",
        Markup("How well <em>{}</em> is predicted").format(samples.target),
        write_headline(samples, scores, names),
        sections,
        [
            metric.card(found[metric.name])
            for metric in _shown(OVERALL_METRICS, samples)
            if np.isfinite(found[metric.name].value)
        ],
        samples.warnings + note_training(summary, samples.target, samples.frame.index),
        describe_design(summary),
    )


_OF_PROBABILITIES = ("roc", "precision-recall", "calibration-curve", "confidence")


def write_headline(
    samples: PredictedClasses, scores: ClassificationScores, names: dict[str, str]
) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    row = scores.rows[MODEL]
    found = row.estimates["accuracy"]
    opening = (
        f"The model predicts the right {samples.target} for {format_fraction(found.value)} of "
        f"{counted(row.n_samples, 'sample')}{_in_brackets(found)}"
    )
    parts = [opening]
    if BASELINE in scores.differences:
        parts.append(_against_baseline(scores, in_sentence(names[BASELINE])))
    parts.append(_against_dummy(scores))
    return f"{'; '.join(parts)}. {_balanced(scores)}"


def _against_baseline(scores: ClassificationScores, name: str) -> str:
    difference = scores.differences[BASELINE]["accuracy"]
    share = format_fraction(scores.rows[BASELINE].estimates["accuracy"].value)
    if difference.value == 0:
        return f"{name} is right exactly as often ({share})"
    text = f"{name} is right for {share}"
    if difference.verdict == "better":
        return f"{text}: the model is better"
    if difference.verdict == "worse":
        return f"{text}: it is better than the model"
    return f"{text}, but these samples are too few to tell the two apart"


def _against_dummy(scores: ClassificationScores) -> str:
    verdict = scores.differences[DUMMY]["accuracy"].verdict
    share = format_fraction(scores.rows[DUMMY].estimates["accuracy"].value)
    guess = f"always predicting '{scores.dummy}', {scores.dummy_is},"
    if verdict == "better":
        return f"{guess} would be right for {share}"
    if verdict == "worse":
        return f"{guess} is right more often, for {share}"
    return f"{guess} is right for {share}, which cannot be told apart with these samples"


def _balanced(scores: ClassificationScores) -> str:
    """Say what the model finds when every class counts the same."""
    found = scores.rows[MODEL].estimates["balanced_accuracy"]
    guess = scores.rows[DUMMY].estimates["balanced_accuracy"]
    text = (
        "With every class counting the same, it finds "
        f"{format_fraction(found.value)}{_in_brackets(found)} and the dummy "
        f"{format_fraction(guess.value)}"
    )
    if scores.differences[DUMMY]["balanced_accuracy"].verdict != "better":
        text += ": these samples do not show that the model tells the classes apart"
    return f"{text}."


def _in_brackets(estimate: Estimate) -> str:
    if not estimate.has_interval:
        return ""
    low, high = (format_decimals(100 * end, 0) for end in (estimate.lower, estimate.upper))
    return f" ({INTERVAL_WORDS} {low} to {high} %)"


def _shown(metrics, samples: PredictedClasses) -> list:
    """Leave out what needs probabilities if there are none."""
    has = samples.probabilities is not None or samples.baseline_probabilities is not None
    return [metric for metric in metrics if has or not metric.is_area]


def _classes_section(samples: PredictedClasses, figures: dict, names: dict) -> Section:
    blocks, tables = [Note(words("notes", "many_classes", classes=len(samples.classes)))], []
    if "confusion-matrix" in figures:
        second = "baseline-confusion" if samples.has_baseline else "scores-by-class"
        blocks = [Figures([figures["confusion-matrix"], figures[second]])]
    for key, predictor in ((MODEL, "predicted"), (BASELINE, "baseline")):
        if key == BASELINE and not samples.has_baseline:
            continue
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
    columns = [Column("Actual"), Column("Predicted as"), Column("Samples", number=True)]
    columns.append(Column("Share of actual", number=True))
    rows = [
        (actual, predicted, format_count(count), format_fraction(share))
        for actual, predicted, count, share in wrong.itertuples(index=False)
    ]
    return [Subtitle("Confused most often"), Table("pairs-table", columns, rows)]


def _scores_section(samples, scores: ClassificationScores, names: dict, figures: dict) -> Section:
    rows, n_samples = dict(scores.rows), scores.rows[MODEL].n_samples
    on_all = rows.pop(ALL_SAMPLES, None)
    found = list(rows.values())
    for other, differences in scores.differences.items():
        label = f"difference: {names[MODEL]} minus {names.get(other, other)}"
        found.append(ScoreRow(f"{MODEL} minus {other}", label, n_samples, differences))
    found += [] if on_all is None else [on_all]
    notes = [describe_bootstrap(samples, numbers_per_sample(samples))]
    if BASELINE in scores.differences:
        difference, metric = scores.differences[BASELINE]["balanced_accuracy"], OVERALL_METRICS[2]
        interval = metric.format_interval(difference)
        shown = metric.format(difference) + (f" [{interval}]" if interval else "")
        values = {
            "model": names[MODEL],
            "baseline": in_sentence(names[BASELINE]),
            "difference": shown,
        }
        notes.append(words("notes", "differences", **values))
    blocks = [*score_blocks(found, _shown(OVERALL_METRICS, samples), notes), Subtitle("By class")]
    if "scores-by-class" in figures and samples.has_baseline:
        blocks.append(Figures([figures["scores-by-class"]]))
    return Section("scores", "Scores", "Scores", blocks + _class_blocks(samples, scores))


def _class_blocks(samples: PredictedClasses, scores: ClassificationScores) -> list:
    metrics, rows, records = _shown(CLASS_METRICS, samples), [], []
    columns = [Column("Class"), Column("Predictor"), Column("Samples", True, "of this class")]
    columns += [Column("Predicted", True, "as this class"), *(m.column for m in metrics)]
    compared = [scores.rows[key] for key in (MODEL, BASELINE) if key in scores.rows]
    for place, name in enumerate(samples.classes):
        for row in compared:
            found, counts = row.by_class[place], (row.n_actual[place], row.n_predicted[place])
            cells = [metric.cell(found[metric.name]) for metric in metrics]
            rows.append([name, row.label, *map(format_count, counts), *cells])
            numbers = {"actual_samples": int(counts[0]), "predicted_samples": int(counts[1])}
            about = {"predictor": row.label, "class": name, **numbers}
            records += [
                {"id": f"{row.key}: {metric.name} of {name}", "metric": metric.name, **about}
                | as_record(found[metric.name])
                for metric in metrics
            ]
    frame = pd.DataFrame.from_records(records, index="id")
    return [
        Table("class-table", columns, rows, shown=CLASSES_SHOWN * len(compared)),
        Definitions(columns),
        Download("class-scores", "the scores of every class", frame),
    ]


def _mistakes_section(samples: PredictedClasses, names: dict) -> Section:
    frame, has = samples.frame, samples.probabilities is not None
    wrong = np.flatnonzero((frame["actual"] != frame["predicted"]).to_numpy())
    n_wrong, title = len(wrong), "The most confident mistakes" if has else "Mistakes"
    if has:
        confidence, of_actual = samples.confidence(), samples.of_actual()
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    wrong = wrong[:MISTAKES_SHOWN]
    worst = frame.iloc[wrong]
    cells = [(Column("Sample"), [str(name) for name in worst.index])]
    if samples.group_name is not None:
        cells.append((Column(samples.group_name), worst["group"].tolist()))
    cells += [(Column(name.capitalize()), worst[name].tolist()) for name in ("actual", "predicted")]
    if has:
        for label, values in (
            ("Its probability", confidence),
            ("Probability of actual", of_actual),
        ):
            shown = [format_decimals(value, 2) for value in values[wrong]]
            cells.append((Column(label, number=True), shown))
    if samples.has_baseline:
        cells.append((Column(names[BASELINE]), [value or MISSING for value in worst["baseline"]]))
    blocks = [Note("Every sample is predicted right.")]
    if n_wrong:
        sure = ", those that the model was surest of" if has else ""
        values = {"shown": len(wrong), "samples": counted(n_wrong, "sample"), "sure": sure}
        rows = list(zip(*(values for _, values in cells), strict=True))
        table = Table("worst-table", [column for column, _ in cells], rows)
        blocks = [Note(words("notes", "mistakes", **values)), table]
    mistaken = (frame["actual"] != frame["predicted"]).astype(float)
    blocks += recognition_blocks(samples.recognition, mistaken, "Samples", is_mistake=True)
    blocks.append(Download("predictions", "every prediction", predictions_table(samples)))
    return Section("mistakes", "Mistakes", title, blocks)


def predictions_table(samples: PredictedClasses) -> pd.DataFrame:
    """Write every prediction with its probability as a table to download."""
    table = samples.frame[["actual", "predicted"]].copy()
    table["correct"] = np.where(table["actual"] == table["predicted"], "yes", "no")
    if samples.probabilities is not None:
        table["probability_of_predicted"] = samples.confidence()
        table["probability_of_actual"] = samples.of_actual()
    for name, has in (
        ("baseline", samples.has_baseline),
        ("group", samples.group_name is not None),
    ):
        if has:
            table[name] = samples.frame[name]
    return table if samples.recognition is None else table.join(samples.recognition)
