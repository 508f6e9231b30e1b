"""The page of evaluate-regression: words and tables."""

from pathlib import Path

from ...errors import counted
from ...storage.training_log import TrainingLog
from ..evaluation import BASELINE, DUMMY, MODEL, Evaluation, in_sentence
from ..formatting import format_cell, format_fraction, format_like, format_number, words
from ..importance import ImportantFeatures
from ..metrics import FIT_METRICS, MAE, REGRESSION_METRICS, in_percent, score_blocks
from ..page import Card, Column, Download, Section, Text, table_of
from ..recognition import recognition_blocks
from .charts import make_figures
from .scores import PredictedNumbers, RegressionScores, errors_by_group, score_regression

WORST_SHOWN = 10


def write_regression_page(
    output_dir: str | Path,
    samples: PredictedNumbers,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a regressor as index.html with its downloads.

    The training log, of the model that predicted, tells the training mean and the design.
    """
    evaluation = Evaluation(samples, training_log)
    names = evaluation.names
    scores = score_regression(samples, names, evaluation.target.get("training_mean"))
    groups = None if samples.group_name is None else errors_by_group(samples)
    figures = make_figures(samples, scores, names, groups)
    hint, is_warning = _describe_bounds(samples, evaluation.target)
    found = scores.rows[MODEL].estimates
    cards = [metric.card(found[metric.name]) for metric in REGRESSION_METRICS]
    if scores.coverage is not None:
        inside = f"{scores.n_inside:,} of {scores.n_intervals:,}"
        cards.append(Card("inside interval", format_fraction(scores.coverage.value), inside))
    units = f"MAE, RMSE and the intercept are in the units of {samples.target}."
    metrics, notes = (*REGRESSION_METRICS, *FIT_METRICS), [samples.describe_bootstrap()]
    of_scores = score_blocks(list(scores.rows.values()), metrics, notes, units)
    wanted = ["errors-against-actual"] if samples.has_baseline else []
    wanted += ["share-within-error", "error-distribution"]
    wanted += [] if groups is None else ["error-by-group"]
    errors = [[figures[name] for name in wanted]]
    if groups is not None:
        errors.append(Download("groups", "the errors of every group", groups))
    sections = [
        _predictions_section(samples, scores, figures, "" if is_warning else hint),
        Section("scores", "Scores", "Scores", of_scores),
        Section("errors", "Errors", "Errors", errors),
        _worst_section(samples, names),
    ]
    headline, warnings = write_headline(samples, scores, names), [hint] if is_warning else []
    evaluation.write(output_dir, "regressor", headline, sections, cards, important, warnings)


def write_headline(
    samples: PredictedNumbers, scores: RegressionScores, names: dict[str, str]
) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    error, n_samples = scores.mae(), counted(scores.rows[MODEL].n_samples, "sample")
    values = {"error": format_number(error.value), "interval": MAE.in_brackets(error)}
    text = words("regression", "opening", target=samples.target, samples=n_samples, **values)
    dummy = format_number(scores.dummy)
    found = {}
    for other, difference in scores.differences.items():
        change = difference[MAE.name].value
        size = format_fraction(abs(change) / max(abs(change + error.value), 1e-300))
        values = {"size": f"{'smaller' if change > 0 else 'larger'} by {size}", "dummy": dummy}
        values["misses"] = format_number(scores.mae(other).value)
        values["other"] = in_sentence(names.get(other, other))
        found[other] = scores.describe_difference("regression", other, MAE.name, **values)
    text += f"; {found[BASELINE]}" if BASELINE in found else ""
    return f"{text}. {found[DUMMY]}."


def _predictions_section(samples, scores, figures: dict, hint: str) -> Section:
    second = "baseline-against-actual" if samples.has_baseline else "errors-against-actual"
    blocks = [[figures["predicted-against-actual"], figures[second]]]
    if scores.coverage is not None:
        width = (samples.frame["upper"] - samples.frame["lower"]).median()
        share = format_fraction(scores.coverage.value) + in_percent(scores.coverage)
        values = {"inside": scores.n_inside, "samples": counted(scores.n_intervals, "sample")}
        text = words("notes", "coverage", share=share, width=format_number(width), **values)
        blocks.append(Text(text, "coverage"))
    blocks += [hint] if hint else []
    error = samples.frame["error"].abs()
    blocks += recognition_blocks(samples.recognition, error, f"Absolute error of {samples.target}")
    table = samples.with_recognition(samples.frame.dropna(axis="columns", how="all"))
    blocks.append(Download("predictions", "every prediction, interval and error", table))
    return Section("predictions", "Predictions", "Predictions", blocks)


def _describe_bounds(samples: PredictedNumbers, target: dict) -> tuple[str, bool]:
    """Say where intervals leave what training saw of a quantity without negative values.

    Empty if they do not; and whether they reach below 0, which a quantity may not.
    """
    smallest, lower = target.get("training_min"), samples.frame["lower"]
    if smallest is None or smallest < 0:
        return "", False
    below, negative = int((lower < smallest).sum()), int((lower < 0).sum())
    if not below:
        return "", False
    values = {
        "intervals": counted(below, "interval reaches", "intervals reach"),
        "smallest": format_number(smallest),
        "negative": f", {negative:,} of them below 0" if negative and smallest > 0 else "",
    }
    return words("notes", "bounds", target=samples.target, **values), negative > 0


def _worst_section(samples: PredictedNumbers, names: dict[str, str]) -> Section:
    frame = samples.frame
    order = frame["error"].abs().sort_values(ascending=False, kind="stable").index[:WORST_SHOWN]
    worst, scale = frame.loc[order], float(frame["error"].abs().mean())
    columns = [(Column("Sample"), [str(name) for name in order])]
    if samples.group_name is not None:
        columns.append((Column(f"{samples.group_name} (group)"), worst["group"].tolist()))
    if samples.color_by is not None:
        colors = [format_cell(value) for value in worst["color_by"]]
        columns.append((Column(f"{samples.color_by.name} (color)"), colors))
    numbers = {"Actual": "actual", "Predicted": "predicted", "Error": "error"}
    if samples.has_baseline:
        numbers[names[BASELINE]] = "baseline"
    for label, name in numbers.items():
        cells = [format_like(value, scale) for value in worst[name]]
        columns.append((Column(label, number=True), cells))
    if samples.has_intervals:
        ends = worst[["lower", "upper"]].itertuples(index=False)
        cells = [" to ".join(format_like(end, scale) for end in pair) for pair in ends]
        columns.append((Column("Interval", number=True), cells))
    blocks = [words("notes", "worst"), table_of("worst-table", columns)]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)
