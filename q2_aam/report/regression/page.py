"""The page of evaluate-regression: words and tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from ...errors import counted
from ...storage.training_log import TrainingLog
from ..formatting import format_cell, format_decimals, format_fraction, format_like, format_number
from ..importance import ImportantFeatures, section_of_importance
from ..metrics import FIT_METRICS, INTERVAL_WORDS, MAE, REGRESSION_METRICS, score_blocks
from ..page import Card, Column, Download, Figures, Note, Section, Table, write_page
from ..recognition import recognition_blocks
from ..samples import (
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
from .samples import PredictedNumbers
from .scores import RegressionScores, errors_by_group, score_regression

WORST_SHOWN = 10


def write_regression_page(
    output_dir: str | Path,
    samples: PredictedNumbers,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a regressor as index.html with its downloads.

    Parameters
    ----------
    training_log : TrainingLog, optional
        Of the model that predicted: gives the training mean, the design and the data used.
    important : ImportantFeatures, optional
        What the predictions rest on.
    """
    summary = {} if training_log is None else training_log.summary
    target = summary.get("target") or {}
    if target.get("name") != samples.target:
        target = {}  # the mean of another column would be no fair rival
    names = name_predictors(summary)
    scores = score_regression(samples, names, target.get("training_mean"))
    groups = None if samples.group_name is None else errors_by_group(samples)
    figures = make_figures(samples, scores, names, groups)
    hint, is_warning = _describe_bounds(samples, target)
    warnings = note_training(summary, samples.target, samples.frame.index)
    sections = [
        _predictions_section(samples, scores, figures, "" if is_warning else hint),
        _scores_section(samples, scores),
        _errors_section(samples, figures, groups),
        _worst_section(samples, names),
        *section_of_importance(important, samples.frame["actual"], samples.target),
        section_of_counts(samples.counts, summary),
    ]
    write_page(
        output_dir,
        "Evaluation of a regressor",
        Markup("How well <em>{}</em> is predicted").format(samples.target),
        write_headline(samples, scores, names),
        sections,
        _cards(scores),
        [*warnings, *([hint] if is_warning else [])],
        describe_design(summary),
    )


def write_headline(
    samples: PredictedNumbers, scores: RegressionScores, names: dict[str, str]
) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    row = scores.rows[MODEL]
    error = row.estimates["mean_absolute_error"]
    opening = (
        f"Predictions of {samples.target} miss the true value by {format_number(error.value)} "
        f"on average{MAE.in_brackets(error)}, over "
        f"{counted(row.n_samples, 'sample')}"
    )
    if BASELINE in scores.differences:
        opening += f"; {_against_baseline(scores, names)}"
    return f"{opening}. {_against_dummy(scores)}."


def _against_baseline(scores: RegressionScores, names: dict[str, str]) -> str:
    difference, other = scores.differences[BASELINE], in_sentence(names[BASELINE])
    ours = scores.rows[MODEL].estimates["mean_absolute_error"].value
    if difference.value == 0:
        return f"{other} misses by exactly as much"
    change = abs(difference.value) / max(abs(difference.value + ours), 1e-300)
    size = f"{'smaller' if difference.value > 0 else 'larger'} by {format_fraction(change)}"
    size = f"the model's error is {size}"
    misses = f"misses by {_error_of(scores, BASELINE)}"
    if difference.verdict == "better":
        return f"{other} {misses}: {size}"
    if difference.verdict == "worse":
        return f"{other} is better and {misses}: {size}"
    return f"{other} {misses}: {size}, but these samples are too few to tell the two apart"


def _against_dummy(scores: RegressionScores) -> str:
    guess = f"Always predicting {format_number(scores.dummy)}, {scores.dummy_is},"
    error, verdict = _error_of(scores, DUMMY), scores.differences[DUMMY].verdict
    if verdict == "better":
        return f"{guess} would miss by {error}"
    if verdict == "worse":
        return f"{guess} is better and misses by {error}: the model is of no use here"
    return f"{guess} misses by {error}, which these samples cannot tell apart from the model"


def _error_of(scores: RegressionScores, predictor: str) -> str:
    return format_number(scores.rows[predictor].estimates["mean_absolute_error"].value)


def _cards(scores: RegressionScores) -> list[Card]:
    found = scores.rows[MODEL].estimates
    cards = [metric.card(found[metric.name]) for metric in REGRESSION_METRICS]
    if scores.coverage is not None:
        inside = f"{scores.n_inside:,} of {scores.n_intervals:,}"
        cards.append(Card("inside interval", format_fraction(scores.coverage.value), inside))
    return cards


def _predictions_section(samples, scores, figures: dict, hint: str) -> Section:
    second = "baseline-against-actual" if samples.has_baseline else "errors-against-actual"
    blocks = [Figures([figures["predicted-against-actual"], figures[second]])]
    coverage = describe_coverage(samples, scores)
    blocks += [Note(coverage, "coverage")] if coverage else []
    blocks += [Note(hint)] if hint else []
    error = samples.frame["error"].abs()
    blocks += recognition_blocks(samples.recognition, error, f"Absolute error of {samples.target}")
    table = samples.frame.dropna(axis="columns", how="all")
    if samples.recognition is not None:
        table = table.join(samples.recognition)
    blocks.append(Download("predictions", "every prediction, interval and error", table))
    return Section("predictions", "Predictions", "Predictions", blocks)


def describe_coverage(samples: PredictedNumbers, scores: RegressionScores) -> str:
    """Say how many true values lie inside their interval; empty without intervals."""
    if scores.coverage is None:
        return ""
    text, ends = format_fraction(scores.coverage.value), scores.coverage
    if ends.has_interval:
        low, high = (format_decimals(100 * end, 0) for end in (ends.lower, ends.upper))
        text += f" ({INTERVAL_WORDS} {low} to {high} %)"
    width = format_number((samples.frame["upper"] - samples.frame["lower"]).median())
    return words(
        "notes", "coverage", inside=scores.n_inside, samples=counted(scores.n_intervals, "sample"),
        share=text, width=width,
    )  # fmt: skip


def _describe_bounds(samples: PredictedNumbers, target: dict) -> tuple[str, bool]:
    """Say where intervals leave what training saw of a quantity without negative values.

    Returns
    -------
    str
        Empty if they do not.
    bool
        Whether they reach below 0, which a quantity may not.
    """
    smallest, lower = target.get("training_min"), samples.frame["lower"]
    if smallest is None or smallest < 0:
        return "", False
    below, negative = int((lower < smallest).sum()), int((lower < 0).sum())
    if not below:
        return "", False
    text = (
        f"{counted(below, 'interval reaches', 'intervals reach')} below "
        f"{format_number(smallest)}, the smallest value seen in training"
    )
    if negative and smallest > 0:
        text += f", {negative:,} of them below 0"
    return f"{text}. {words('notes', 'bounds', target=samples.target)}", negative > 0


def _scores_section(samples: PredictedNumbers, scores: RegressionScores) -> Section:
    units = f"MAE, RMSE and the intercept are in the units of {samples.target}."
    metrics, notes = (*REGRESSION_METRICS, *FIT_METRICS), [describe_bootstrap(samples)]
    blocks = score_blocks(list(scores.rows.values()), metrics, notes, units)
    return Section("scores", "Scores", "Scores", blocks)


def _errors_section(samples, figures: dict, groups: pd.DataFrame | None) -> Section:
    wanted = ["errors-against-actual"] if samples.has_baseline else []
    wanted += ["share-within-error", "error-distribution"]
    blocks = []
    if groups is not None:
        wanted.append("error-by-group")
        blocks.append(Download("groups", "the errors of every group", groups))
    blocks.insert(0, Figures([figures[name] for name in wanted]))
    return Section("errors", "Errors", "Errors", blocks)


def _worst_section(samples: PredictedNumbers, names: dict[str, str]) -> Section:
    frame = samples.frame
    order = frame["error"].abs().sort_values(ascending=False, kind="stable").index[:WORST_SHOWN]
    scale = float(frame["error"].abs().mean())
    shown = {"Sample": [str(name) for name in order]}
    numbers = {"Actual": "actual", "Predicted": "predicted", "Error": "error"}
    if samples.has_baseline:
        numbers[names[BASELINE]] = "baseline"
    worst = frame.loc[order]
    if samples.group_name is not None:
        shown[f"{samples.group_name} (group)"] = worst["group"].tolist()
    if samples.color_by is not None:
        shown[f"{samples.color_by.name} (color)"] = [format_cell(v) for v in worst["color_by"]]
    columns = [Column(label) for label in shown]
    for label, column in numbers.items():
        columns.append(Column(label, number=True))
        shown[f" {label}"] = [format_like(value, scale) for value in worst[column]]
    if samples.has_intervals:
        columns.append(Column("Interval", number=True))
        ends = worst[["lower", "upper"]].itertuples(index=False)
        shown[" Interval"] = [" to ".join(format_like(end, scale) for end in pair) for pair in ends]
    table = Table("worst-table", columns, list(zip(*shown.values(), strict=True)))
    blocks = [Note(words("notes", "worst")), table]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)
