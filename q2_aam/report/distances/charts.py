"""Figures of predicted against actual distances, and of the samples behind them."""

import altair as alt
import numpy as np
import pandas as pd

from .. import style
from ..formatting import format_decimals, format_number, format_p, join_words, words
from ..page import Figure, figure
from ..samples import (
    POINTS,
    ColorBy,
    as_records,
    choose_drawn,
    color_layers,
    describe_colors,
    describe_drawn,
)
from ..style import exact, themed, tips
from .scores import PERMUTATIONS, DistanceScores, Ordinations

ORDINATED = "ordinated"  # a data set that both ordinations share
_DENSITY_COLORS = ["#D6E6F4", "#08519C"]


def make_figures(
    cells: pd.DataFrame,
    bins: pd.DataFrame,
    by_sample: pd.DataFrame,
    scores: DistanceScores,
    ordinations: Ordinations | None,
    color_by: ColorBy | None,
) -> dict[str, Figure]:
    """Make every figure of the page, by name; tables are from `density_cells` and its like."""
    width, line = cells["actual_to"].iloc[0] - cells["actual_from"].iloc[0], ""
    if np.isfinite(scores.slope):
        line = " " + words("density", "line", slope=format_number(scores.slope))
    by_distance = chart_error_by_distance(bins)
    figures = [
        figure("density", chart_density(cells, scores), cells, len(cells), width=width, line=line),
        figure("errors-by-distance", by_distance, "error-by-distance", 3 * len(bins)),
    ]
    if ordinations is not None:
        figures += _ordination_figures(ordinations, by_sample, color_by)
    drawn = choose_drawn(by_sample, by_sample["mean_absolute_error"])
    more, shared = describe_drawn(len(drawn), len(by_sample)), {POINTS: as_records(drawn, color_by)}
    chart = chart_sample_errors(len(drawn), color_by)
    figures.append(figure("error-by-sample", chart, "samples", len(drawn), True, shared, more=more))
    return {one.name: one for one in figures}


def chart_density(cells: pd.DataFrame, scores: DistanceScores) -> alt.LayerChart:
    """Draw how many pairs have which predicted and actual distance."""
    low = float(cells[["actual_from", "predicted_from"]].to_numpy().min())
    high = float(cells[["actual_to", "predicted_to"]].to_numpy().max())
    scale, most = alt.Scale(domain=[low, high], nice=False, zero=False), int(cells["pairs"].max())
    x = alt.X("actual_from:Q", title="Actual distance", scale=scale)
    y = alt.Y("predicted_from:Q", title="Predicted distance", scale=scale)
    colors = alt.Scale(type="log", domain=[1, max(2, most)], range=_DENSITY_COLORS)
    legend = alt.Legend(gradientLength=200, tickCount=4, format="~s")
    ends = ("actual_from", "actual_to", "predicted_from", "predicted_to")
    numbers = {**dict.fromkeys(ends, ".3~f"), "pairs": ","}
    density = style.chart_of(cells.to_dict("records")).mark_rect(strokeWidth=0, aria=False).encode(
        x, alt.X2("actual_to:Q"), y, alt.Y2("predicted_to:Q"),
        alt.Color("pairs:Q", title="Pairs of samples", scale=colors, legend=legend),
        tooltip=tips(**numbers),
    )  # fmt: skip
    lines = _line([(low, low), (high, high)], x, y, style.BLACK, [1, 0])
    if np.isfinite(scores.slope):
        over = float(cells["actual_from"].min()), float(cells["actual_to"].max())
        fitted = [(end, scores.slope * end + scores.intercept) for end in over]
        lines += _line(fitted, x, y, style.VERMILLION, [7, 4])
    return themed(density, *lines, height=420)


def _line(ends: list[tuple[float, float]], x: alt.X, y: alt.Y, color: str, dash: list) -> list:
    """Draw a line on a white one, so that it shows on light and dark cells."""
    white = {"color": "white", "strokeWidth": 4, "opacity": 0.8}
    look = {"color": color, "strokeWidth": 2, "strokeDash": dash}
    return [style.line_through(ends, x, y, **layer) for layer in (white, look)]


def chart_error_by_distance(bins: pd.DataFrame) -> alt.LayerChart:
    """Draw the median error and its spread for ranges of the actual distance."""
    middle = (bins["actual_from"] + bins["actual_to"]) / 2
    ends = [float(bins["actual_from"].min()), float(bins["actual_to"].max())]
    scale = alt.Scale(domain=ends, nice=False, zero=False)
    title = f"Error (predicted {style.MINUS} actual distance)"
    base = style.chart_of(bins.assign(middle=middle).round(6).to_dict("records"))
    base = base.encode(alt.X("middle:Q", title="Actual distance", scale=scale))
    bars = [
        base.mark_rule(color=style.BLUE, strokeWidth=width, strokeOpacity=opacity, aria=False)
        .encode(alt.Y(f"{lower}:Q", title=title), alt.Y2(f"{upper}:Q"))
        for lower, upper, width, opacity in (
            ("lower_5", "upper_95", 1.6, 1), ("lower_25", "upper_75", 9, 0.45),
        )
    ]  # fmt: skip
    numbers = {"actual_from": ".3~f", "actual_to": ("to", ".3~f"), "pairs": ","}
    numbers |= {"median": ("median error", ".3f"), "lower_5": ("5 % are below", ".3f")}
    numbers |= {"upper_95": ("5 % are above", ".3f")}
    medians = base.mark_point(filled=True, color=style.BLACK, size=45, opacity=1)
    medians = medians.encode(alt.Y("median:Q", title=title), tooltip=tips(**numbers))
    return themed(style.rule_at("y"), *bars, medians, height=420)


def _ordination_figures(
    ordinations: Ordinations, by_sample: pd.DataFrame, color_by: ColorBy | None
) -> list[Figure]:
    shown = ordinations.coordinates.join(by_sample["mean_absolute_error"])
    shared, more, n_drawn = {ORDINATED: as_records(shown, color_by)}, "", len(shown)
    if n_drawn < ordinations.n_samples:
        sizes = {"shown": n_drawn, "samples": ordinations.n_samples}
        more = " " + words("actual-ordination", "more", **sizes)
    values = {
        "more": describe_colors(color_by) + more,
        "own": join_words(f"{100 * share:.0f} %" for share in ordinations.predicted_explained),
        "disparity": format_decimals(ordinations.disparity, 2),
        "p_value": format_p(ordinations.p_value),
        "permutations": PERMUTATIONS,
    }
    charts = {s: chart_ordination(ordinations, s, color_by) for s in ("actual", "predicted")}
    return [
        figure(f"{side}-ordination", chart, "ordinations", n_drawn, datasets=shared, **values)
        for side, chart in charts.items()
    ]


def chart_ordination(
    ordinations: Ordinations, side: str, color_by: ColorBy | None
) -> alt.LayerChart:
    """Draw one of two aligned ordinations, ``actual`` or ``predicted``, both on the same axes."""
    values, axes = ordinations.coordinates.to_numpy(), []
    axis = alt.Axis(labels=False, ticks=False)
    for channel, number in ((alt.X, 1), (alt.Y, 2)):
        title = f"Turned onto the actual axis {number}"
        if side == "actual":
            share = 100 * ordinations.actual_explained[number - 1]
            title = f"Axis {number} ({share:.0f} % of the variation)"
        scale = exact(values[:, [number - 1, number + 1]])
        axes.append(channel(f"{side}_{number}:Q", title=title, scale=scale, axis=axis))
    return _sample_points(ORDINATED, len(values), axes, {}, color_by, 400)


def chart_sample_errors(n_drawn: int, color_by: ColorBy | None) -> alt.LayerChart:
    """Draw the mean absolute error of each sample over its mean distance to the others."""
    scale, error = alt.Scale(padding=style.EDGE), "Mean absolute error of a sample's distances"
    axes = [
        alt.X("mean_actual:Q", title="Mean actual distance to the other samples", scale=exact()),
        alt.Y("mean_absolute_error:Q", title=error, scale=scale),
    ]
    numbers = {"mean_actual": ("mean actual distance", ".3f")}
    numbers |= {"mean_predicted": ("mean predicted distance", ".3f")}
    return _sample_points(POINTS, n_drawn, axes, numbers, color_by, 340)


def _sample_points(data: str, n_drawn: int, axes: list, numbers: dict, color_by, height: int):
    points = style.points_of(data).mark_point(
        filled=True, size=26 if n_drawn > style.CROWDED else 50, fillOpacity=0.7,
        color=style.BLUE, aria=False,
    )  # fmt: skip
    tooltip = tips("sample", **numbers, mean_absolute_error=".3f")
    return themed(*color_layers(points.encode(*axes), tooltip, color_by), height=height)
