"""Figures of predicted against true numbers and of the errors between them."""

import altair as alt
import numpy as np
import pandas as pd

from .. import style
from ..evaluation import BASELINE, DUMMY, MODEL, in_sentence
from ..formatting import format_fraction, format_number, words
from ..metrics import fit_line
from ..page import Figure, figure
from ..samples import (
    POINTS,
    as_records,
    choose_drawn,
    color_layers,
    describe_colors,
    describe_drawn,
)
from ..style import by_name, exact, number_axis, themed, tips
from .scores import PredictedNumbers, RegressionScores, share_within_error

MOST_COLORED_GROUPS, MOST_GROUPS = 6, 30


def make_figures(
    samples: PredictedNumbers, scores: RegressionScores, names: dict, groups: pd.DataFrame | None
) -> dict[str, Figure]:
    """Make every figure of the page, by name; ``groups`` are from `errors_by_group`."""
    frame = samples.frame
    drawn = choose_drawn(frame, frame["error"])
    records = as_records(drawn.drop(columns="color_by", errors="ignore"), samples.color_by)
    shared = {"datasets": {POINTS: records}}
    note, n_drawn = describe_drawn(len(drawn), len(frame)), len(drawn)
    errors = chart_errors_against_actual(samples, n_drawn)
    distribution = chart_error_distribution(samples)
    figures = [
        _predicted_figure(samples, "predicted", names[MODEL], n_drawn, shared, note),
        figure("errors-against-actual", errors, "predictions", n_drawn, **shared),
        # fills the row beside a baseline: there are three figures then
        figure("error-distribution", distribution, "predictions", wide=samples.has_baseline),
        _share_figure(samples, scores, names),
    ]
    if samples.has_baseline:
        name = names[BASELINE]
        figures.append(_predicted_figure(samples, "baseline", name, n_drawn, shared, ""))
    if groups is not None:
        more, file = "", "error-by-group"
        if len(groups) > MOST_GROUPS:
            more = " " + words(file, "more", shown=MOST_GROUPS, groups=len(groups))
        chart, values = chart_error_by_group(samples, groups), {**shared, "more": more}
        name = samples.group_name
        figures.append(figure(file, chart, "groups", n_drawn, True, name=name, **values))
    return {one.name: one for one in figures}


def _predicted_figure(samples, column: str, name: str, n_drawn: int, shared: dict, note: str):
    file, line = f"{column}-against-actual", _line_of(samples.frame, column)
    values = {"name": name, "whose": in_sentence(name), "line": "", "more": note}
    if line is not None:
        values["line"] = " " + words(file, "line", slope=format_number(line[0]))
    if column == "predicted":
        groups = set() if samples.group_name is None else set(samples.frame["group"])
        more = describe_colors(samples.color_by)
        if len(groups) > MOST_COLORED_GROUPS and samples.color_by is None:
            more = " " + words(file, "groups", groups=len(groups))
        if samples.has_intervals:
            more = f" {words(file, 'intervals')}{more}"
        values["more"] = more + note
    chart = chart_predicted_against_actual(samples, n_drawn, column)
    return figure(file, chart, "predictions", 2 * n_drawn, **shared, **values)


def _line_of(frame: pd.DataFrame, column: str) -> list[float] | None:
    known = frame[frame[column].notna()]
    return fit_line(known["actual"].to_numpy(float), known[column].to_numpy(float))


def chart_predicted_against_actual(
    samples: PredictedNumbers, n_drawn: int, column: str = "predicted"
) -> alt.LayerChart:
    """Draw predictions over true values, with the 1:1 line, a fitted line and intervals.

    The page's data set `POINTS` has ``n_drawn`` points; the column is predicted or baseline.
    """
    frame, title = samples.frame, f"Predicted {samples.target}"
    # Without the ends of intervals, which would squeeze the points into the middle.
    values = frame["actual"], frame["predicted"], frame["baseline"]
    scale, axis, ends = exact(*values), number_axis(*values), style.domain_of(*values)
    x = alt.X("actual:Q", title=f"Actual {samples.target}", scale=scale, axis=axis)
    y = alt.Y(f"{column}:Q", title=title, scale=scale, axis=axis)
    has = f"isValid(datum.{column})"
    layers = [layer.transform_filter(has) for layer in _points(samples, n_drawn, x, y)]
    if column == "predicted" and samples.has_intervals:
        faint = float(np.clip(4 / np.sqrt(n_drawn + 1), 0.12, 0.5))
        bars = style.points_of(POINTS).mark_rule(
            color=style.GREY, strokeOpacity=faint, strokeWidth=1.2, clip=True, aria=False
        )
        bars = bars.encode(x, alt.Y("lower:Q", title=title, scale=scale), alt.Y2("upper:Q"))
        layers.insert(0, bars.transform_filter("isValid(datum.lower)"))
    layers.append(style.line_through([(end, end) for end in ends], x, y))
    line = _line_of(frame, column)
    if line is not None:
        over = float(frame["actual"].min()), float(frame["actual"].max())
        look = {"color": style.BLACK, "strokeWidth": 2, "strokeDash": [7, 4]}
        fitted = [(end, line[0] * end + line[1]) for end in over]
        layers.append(style.line_through(fitted, x, y, **look))
    return themed(*layers, height=420)


def _points(samples: PredictedNumbers, n_drawn: int, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    numbers = dict.fromkeys(("actual", "predicted", "error"), ".4~g")
    if samples.has_intervals:
        numbers |= {"lower": ("interval from", ".4~g"), "upper": ("interval to", ".4~g")}
    if samples.has_baseline:
        numbers["baseline"] = ".4~g"
    crowded = n_drawn > style.CROWDED
    points = style.points_of(POINTS).mark_point(
        filled=True, size=23 if crowded else 46, fillOpacity=0.5 if crowded else 0.75,
        color=style.VERMILLION if y.shorthand == "baseline:Q" else style.BLUE,
        aria=False,  # a screen reader gains nothing from a thousand points
    ).encode(x, y)  # fmt: skip
    names = [] if samples.group_name is None else sorted(set(samples.frame["group"]))
    if samples.color_by is None and 1 < len(names) <= MOST_COLORED_GROUPS:
        title = samples.group_name
        points = points.encode(
            by_name(alt.Color, "group:N", names, style.CATEGORIES, title=title),
            by_name(alt.Shape, "group:N", names, style.SHAPES, title=title),
        )
    shown = ["sample", *(["group"] if names else [])]
    return color_layers(points, tips(*shown, **numbers), samples.color_by)


def chart_errors_against_actual(samples: PredictedNumbers, n_drawn: int) -> alt.LayerChart:
    """Draw errors over true values, with the median error in ranges of the true value."""
    frame = samples.frame
    axis, title = number_axis(frame["actual"]), f"Actual {samples.target}"
    x, y = alt.X("actual:Q", title=title, scale=exact(), axis=axis), _error_axis(samples, alt.Y)
    layers = [style.rule_at("y"), *_points(samples, n_drawn, x, y)]
    n_ranges, medians = min(10, len(frame) // 8), []  # equally filled ranges
    if n_ranges > 1:
        ranges = pd.qcut(frame["actual"], n_ranges, duplicates="drop")
        medians = frame.groupby(ranges, observed=True)[["actual", "error"]].median()
        medians = medians.to_dict("records")
    if len(medians) > 1:
        point = {"color": style.BLACK, "size": 50}
        line = style.chart_of(medians).mark_line(point=point, color=style.BLACK, strokeWidth=2)
        layers.append(line.encode(x, y))
    return themed(*layers)


def _error_axis(samples: PredictedNumbers, channel, **options):
    axis, title = number_axis(samples.frame["error"]), f"predicted {style.MINUS} actual"
    title = f"Error ({title} {samples.target})"
    options = {"scale": alt.Scale(padding=style.EDGE), **options}
    return channel("error:Q", title=title, axis=axis, **options)


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
    table, names = share_within_error(samples, scores.dummy), {**names, DUMMY: "dummy"}
    keys = list(dict.fromkeys(table["predictor"]))
    looks = {MODEL: (style.BLUE, [1, 0]), BASELINE: (style.VERMILLION, [7, 3])}
    colors, dashes = zip(*(looks.get(key, (style.GREY, [2, 3])) for key in keys), strict=True)
    shown, legend = [names[key] for key in keys], alt.Legend(**style.LINES)
    table = table.assign(predictor=table["predictor"].map(names))
    table.index = [f"{r.predictor}: {format_fraction(r.share)}" for r in table.itertuples()]
    axis, title = number_axis(table["error"]), f"Absolute error of {samples.target}, at most"
    records = [r | {"error": style.short(r["error"])} for r in table.to_dict("records")]
    chart = style.chart_of(records).mark_line(strokeWidth=2.5).encode(
        alt.X("error:Q", title=title, axis=axis),
        alt.Y("share:Q", title="Share of samples", axis=style.percent_axis()),
        by_name(alt.Color, "predictor:N", shown, colors, legend=legend),
        by_name(alt.StrokeDash, "predictor:N", shown, dashes, legend=legend),
        tooltip=tips("predictor", error=".4~g", share=".0%"),
    )  # fmt: skip
    dummy = {"dummy": format_number(scores.dummy), "dummy_is": scores.dummy_is}
    return figure("share-within-error", themed(chart), table, **dummy)


def chart_error_by_group(samples: PredictedNumbers, groups: pd.DataFrame) -> alt.LayerChart:
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
    return themed(style.rule_at("x"), dots, ticks, height=24 * len(shown) + 6)
