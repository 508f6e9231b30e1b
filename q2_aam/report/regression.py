"""The page of evaluate-regression."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..errors import counted
from ..storage.training_log import TrainingLog
from . import style
from .evaluation import BASELINE, DUMMY, LOOKS, MODEL, Evaluation, in_sentence
from .formatting import format_cell, format_fraction, format_like, format_number, words
from .importance import ImportantFeatures
from .metrics import FIT_METRICS, MAE, REGRESSION_METRICS, fit_line, in_percent, score_blocks
from .page import Card, Download, Figure, Section, Text, figure, table_of
from .recognition import recognition_blocks
from .regression_scores import PredictedNumbers, RegressionScores, predictions_of, score_regression
from .samples import POINTS, color_layers, describe_colors, describe_drawn
from .style import by_name, exact, number_axis, themed, tips

WORST_SHOWN = 10
MOST_COLORED_GROUPS, MOST_GROUPS = 6, 30


def write_regression_page(
    output_dir: str | Path,
    samples: PredictedNumbers,
    training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:
    """Write the evaluation of a regressor, whose training log tells its mean and design."""
    evaluation = Evaluation(samples, training_log)
    names = evaluation.names
    scores = score_regression(samples, names, evaluation.target.get("training_mean"))
    hint, is_warning = _describe_bounds(samples, evaluation.target)
    cards = scores.rows[MODEL].cards(REGRESSION_METRICS)
    if scores.coverage is not None:
        inside = f"{scores.n_inside:,} of {scores.n_intervals:,}"
        cards.append(Card("inside interval", format_fraction(scores.coverage.value), inside))
    units = f"MAE, RMSE and the intercept are in the units of {samples.target}."
    metrics, notes = (*REGRESSION_METRICS, *FIT_METRICS), [samples.describe_bootstrap()]
    of_scores = score_blocks(list(scores.rows.values()), metrics, notes, units)
    sections = [
        _predictions_section(samples, scores, names, "" if is_warning else hint),
        Section("scores", "Scores", "Scores", of_scores),
        _errors_section(samples, scores, names),
        _worst_section(samples, names),
    ]
    headline, warnings = write_headline(samples, scores, names), [hint] if is_warning else []
    evaluation.write(output_dir, "regressor", headline, sections, cards, important, warnings)


def write_headline(
    samples: PredictedNumbers, scores: RegressionScores, names: dict[str, str]
) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    error, n_samples = scores.of(MODEL, MAE), counted(scores.rows[MODEL].n_samples, "sample")
    values = {"error": format_number(error.value), "interval": MAE.in_brackets(error)}
    text = words("regression", "opening", target=samples.target, samples=n_samples, **values)
    found, dummy = {}, format_number(scores.dummy)
    for other, difference in scores.differences.items():
        change = difference[MAE.name].value
        size = format_fraction(abs(change) / max(abs(change + error.value), 1e-300))
        values = {"size": f"{'smaller' if change > 0 else 'larger'} by {size}", "dummy": dummy}
        values |= {"misses": format_number(scores.of(other, MAE).value)}
        name = names.get(other, other)
        found[other] = scores.describe_difference("regression", other, MAE, name, **values)
    text += f"; {found[BASELINE]}" if BASELINE in found else ""
    return f"{text}. {found[DUMMY]}."


def _describe_bounds(samples: PredictedNumbers, target: dict) -> tuple[str, bool]:
    """Say where intervals leave what training saw of a quantity without negative values.

    Empty if they do not; and whether they reach below 0, which a quantity may not.
    """
    smallest, lower = target.get("training_min"), samples.frame["lower"]
    if smallest is None or smallest < 0 or not (lower < smallest).any():
        return "", False
    negative = int((lower < 0).sum())
    values = {
        "intervals": counted((lower < smallest).sum(), "interval reaches", "intervals reach"),
        "smallest": format_number(smallest),
        "negative": f", {negative:,} of them below 0" if negative and smallest > 0 else "",
    }
    return words("notes", "bounds", target=samples.target, **values), negative > 0


def _predictions_section(samples, scores: RegressionScores, names: dict, hint: str) -> Section:
    second = _errors_figure(samples)
    if samples.has_baseline:
        second = _predicted_figure(samples, "baseline", names[BASELINE])
    blocks = [[_predicted_figure(samples, "predicted", names[MODEL]), second]]
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


def _errors_section(samples: PredictedNumbers, scores: RegressionScores, names: dict) -> Section:
    distribution = chart_error_distribution(samples)
    figures = [
        *([_errors_figure(samples)] if samples.has_baseline else []),
        _share_figure(samples, scores, names),
        # fills the row beside a baseline: there are three figures then
        figure("error-distribution", distribution, "predictions", wide=samples.has_baseline),
    ]
    blocks = [figures]
    if samples.group_name is not None:
        errors, group = samples.frame["error"], samples.frame["group"]
        groups = pd.DataFrame({"samples": errors.groupby(group).size()})
        groups["mean_absolute_error"] = errors.abs().groupby(group).mean()
        groups["median_error"] = errors.groupby(group).median()
        groups = groups.sort_values("mean_absolute_error", ascending=False, kind="stable")
        figures.append(_group_figure(samples, groups))
        blocks.append(Download("groups", "the errors of every group", groups))
    return Section("errors", "Errors", "Errors", blocks)


def _worst_section(samples: PredictedNumbers, names: dict[str, str]) -> Section:
    frame = samples.frame
    worst = frame.sort_values("error", key=abs, ascending=False, kind="stable").head(WORST_SHOWN)
    scale = float(frame["error"].abs().mean())
    columns = [("Sample", worst.index.map(str))]
    if samples.group_name is not None:
        columns.append((f"{samples.group_name} (group)", worst["group"]))
    if samples.color_by is not None:
        colors = worst["color_by"].map(format_cell)
        columns.append((f"{samples.color_by.name} (color)", colors))
    numbers = {"Actual": "actual", "Predicted": "predicted", "Error": "error"}
    if samples.has_baseline:
        numbers[names[BASELINE]] = "baseline"
    for label, name in numbers.items():
        columns.append((label, [format_like(value, scale) for value in worst[name]], True))
    if samples.has_intervals:
        ends = worst[["lower", "upper"]].itertuples(index=False)
        cells = [" to ".join(format_like(end, scale) for end in pair) for pair in ends]
        columns.append(("Interval", cells, True))
    blocks = [words("notes", "worst"), table_of("worst-table", columns)]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)


def _predicted_figure(samples: PredictedNumbers, column: str, name: str) -> Figure:
    file, line = f"{column}-against-actual", _line_of(samples.frame, column)
    values = {"name": name, "whose": in_sentence(name), "line": "", "more": ""}
    if np.isfinite(line[0]):
        values["line"] = " " + words(file, "line", slope=format_number(line[0]))
    if column == "predicted":
        more = describe_colors(samples.color_by)
        if len(samples.group_names) > MOST_COLORED_GROUPS and samples.color_by is None:
            more = " " + words(file, "groups", groups=len(samples.group_names))
        if samples.has_intervals:
            more = f" {words(file, 'intervals')}{more}"
        values["more"] = more + describe_drawn(samples.n_drawn, len(samples.frame))
    chart, n_marks = chart_predicted_against_actual(samples, column), 2 * samples.n_drawn
    return figure(file, chart, "predictions", n_marks, datasets=samples.points, **values)


def _line_of(frame: pd.DataFrame, column: str) -> list[float]:
    known = frame[frame[column].notna()]
    return fit_line(known["actual"].to_numpy(float), known[column].to_numpy(float))


def chart_predicted_against_actual(
    samples: PredictedNumbers, column: str = "predicted"
) -> alt.LayerChart:
    """Draw predictions (or ``baseline``) over true values, with the 1:1 and a fitted line."""
    frame, title = samples.frame, f"Predicted {samples.target}"
    # Without the ends of intervals, which would squeeze the points into the middle.
    values = frame["actual"], frame["predicted"], frame["baseline"]
    scale, axis, ends = exact(*values), number_axis(*values), style.domain_of(*values)
    x = alt.X("actual:Q", title=f"Actual {samples.target}", scale=scale, axis=axis)
    y = alt.Y(f"{column}:Q", title=title, scale=scale, axis=axis)
    has = f"isValid(datum.{column})"
    layers = [layer.transform_filter(has) for layer in _points(samples, x, y)]
    if column == "predicted" and samples.has_intervals:
        faint = float(np.clip(4 / np.sqrt(samples.n_drawn + 1), 0.12, 0.5))
        bars = style.points_of(POINTS).mark_rule(
            color=style.GREY, strokeOpacity=faint, strokeWidth=1.2, clip=True, aria=False
        )
        bars = bars.encode(x, alt.Y("lower:Q", title=title, scale=scale), alt.Y2("upper:Q"))
        layers.insert(0, bars.transform_filter("isValid(datum.lower)"))
    layers.append(style.line_through([(end, end) for end in ends], x, y))
    line = _line_of(frame, column)
    if np.isfinite(line[0]):
        over = float(frame["actual"].min()), float(frame["actual"].max())
        fitted = [(end, line[0] * end + line[1]) for end in over]
        look = {"color": style.BLACK, "strokeWidth": 2, "strokeDash": [7, 4]}
        layers.append(style.line_through(fitted, x, y, **look))
    return themed(*layers, height=420)


def _points(samples: PredictedNumbers, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    numbers = dict.fromkeys(("actual", "predicted", "error"), ".4~g")
    if samples.has_intervals:
        numbers |= {"lower": ("interval from", ".4~g"), "upper": ("interval to", ".4~g")}
    if samples.has_baseline:
        numbers["baseline"] = ".4~g"
    crowded = samples.n_drawn > style.CROWDED
    points = style.points_of(POINTS).mark_point(
        filled=True, size=23 if crowded else 46, fillOpacity=0.5 if crowded else 0.75,
        color=style.VERMILLION if y.shorthand == "baseline:Q" else style.BLUE,
        aria=False,  # a screen reader gains nothing from a thousand points
    ).encode(x, y)  # fmt: skip
    names, title = samples.group_names, samples.group_name
    if samples.color_by is None and 1 < len(names) <= MOST_COLORED_GROUPS:
        points = points.encode(
            by_name(alt.Color, "group:N", names, style.CATEGORIES, title=title),
            by_name(alt.Shape, "group:N", names, style.SHAPES, title=title),
        )
    shown = ["sample", *(["group"] if names else [])]
    return color_layers(points, tips(*shown, **numbers), samples.color_by)


def _errors_figure(samples: PredictedNumbers) -> Figure:
    """Draw errors over true values, with the median error in ranges of the true value."""
    frame = samples.frame
    axis, title = number_axis(frame["actual"]), f"Actual {samples.target}"
    x, y = alt.X("actual:Q", title=title, scale=exact(), axis=axis), _error_axis(samples, alt.Y)
    layers = [style.rule_at("y"), *_points(samples, x, y)]
    n_ranges, medians = min(10, len(frame) // 8), []  # equally filled ranges
    if n_ranges > 1:
        ranges = pd.qcut(frame["actual"], n_ranges, duplicates="drop")
        medians = frame.groupby(ranges, observed=True)[["actual", "error"]].median()
        medians = medians.to_dict("records")
    if len(medians) > 1:
        point = {"color": style.BLACK, "size": 50}
        line = style.chart_of(medians).mark_line(point=point, color=style.BLACK, strokeWidth=2)
        layers.append(line.encode(x, y))
    file, points = "errors-against-actual", samples.points
    return figure(file, themed(*layers), "predictions", samples.n_drawn, datasets=points)


def _error_axis(samples: PredictedNumbers, channel, **options):
    title = f"Error (predicted {style.MINUS} actual {samples.target})"
    options = {"scale": alt.Scale(padding=style.EDGE), **options}
    return channel("error:Q", title=title, axis=number_axis(samples.frame["error"]), **options)


def chart_error_distribution(samples: PredictedNumbers) -> alt.LayerChart:
    """Draw how many samples have which error, counted over all samples, an edge at zero."""
    errors = samples.frame["error"]
    low, high = style.domain_of(errors)
    bins = alt.Bin(maxbins=int(np.clip(2 * np.sqrt(len(errors)), 8, 40)))
    if np.ptp(errors) <= 1e-9 * errors.abs().max():  # one bar
        bins = alt.Bin(extent=[low, high], step=high - low)
    records = [{"error": style.short(error)} for error in errors]
    bars = style.chart_of(records).mark_bar(color=style.BLUE, stroke="white", strokeWidth=1)
    bars = bars.encode(_error_axis(samples, alt.X, bin=bins, scale=alt.Scale()))
    return themed(bars.encode(style.count_samples()), style.rule_at("x"))


def _share_figure(samples: PredictedNumbers, scores: RegressionScores, names: dict) -> Figure:
    """Draw, by quantiles, which share of the samples each predictor predicts to within an error."""
    shares, actual = np.linspace(0, 1, 101).round(2), samples.frame["actual"]
    tables, looks = [], {}
    for key, predicted in predictions_of(samples, scores.dummy).items():
        errors = np.quantile((predicted - actual).abs()[samples.common], shares)
        name = "dummy" if key == DUMMY else names[key]
        columns, looks[name] = {"predictor": name, "share": shares, "error": errors}, LOOKS[key]
        index = [f"{name}: {format_fraction(share)}" for share in shares]
        tables.append(pd.DataFrame(columns, index))
    table = pd.concat(tables)
    axis, title = number_axis(table["error"]), f"Absolute error of {samples.target}, at most"
    records = [r | {"error": style.short(r["error"])} for r in table.to_dict("records")]
    chart = style.chart_of(records).mark_line(strokeWidth=2.5).encode(
        alt.X("error:Q", title=title, axis=axis),
        alt.Y("share:Q", title="Share of samples", axis=alt.Axis(format="%")),
        *style.lines_by_name("predictor:N", looks),
        tooltip=tips("predictor", error=".4~g", share=".0%"),
    )  # fmt: skip
    dummy = {"dummy": format_number(scores.dummy), "dummy_is": scores.dummy_is}
    return figure("share-within-error", themed(chart), table, **dummy)


def _group_figure(samples: PredictedNumbers, groups: pd.DataFrame) -> Figure:
    """Draw every error of the groups predicted worst, and each group's median."""
    shown, worst = [str(name) for name in groups.index[:MOST_GROUPS]], groups.iloc[:MOST_GROUPS]
    x = _error_axis(samples, alt.X)
    y = alt.Y("group:N", title=None, sort=shown, scale=alt.Scale(domain=shown))
    medians = [
        {"group": str(row.Index), "error": float(row.median_error), "samples": int(row.samples)}
        for row in worst.itertuples()
    ]
    dots = style.points_of(POINTS).mark_circle(
        color=style.BLUE, fillOpacity=0.55, size=40, aria=False
    )
    dots = dots.encode(x, y, tooltip=tips("sample", "group", error=".4~g"))
    dots = dots.transform_filter(alt.FieldOneOfPredicate(field="group", oneOf=shown))
    ticks = style.chart_of(medians).mark_tick(color=style.BLACK, thickness=3, size=15)
    ticks = ticks.encode(x, y, tooltip=tips("group", error=("median error", ".4~g"), samples="d"))
    chart = themed(style.rule_at("x"), dots, ticks, height=24 * len(shown) + 6)
    more, file = "", "error-by-group"
    if len(groups) > MOST_GROUPS:
        more = " " + words(file, "more", shown=MOST_GROUPS, groups=len(groups))
    values = {"datasets": samples.points, "name": samples.group_name, "more": more}
    return figure(file, chart, "groups", samples.n_drawn, True, **values)
