"""Charts of predicted against actual distances, and of the samples behind them."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .distance_scores import DistanceScores
from .ordinations import Ordinations
from .point_colours import PointColours
from .theme import BLACK, BLUE, GREY, VERMILLION, inline_data, shared_data, themed

POINTS, ORDINATED = "points", "ordinated"  # data sets that the charts of a page share
_DENSITY_COLOURS = ["#D6E6F4", "#08519C"]
_MINUS = "\u2212"


def chart_density(cells: list[dict], scores: DistanceScores) -> alt.LayerChart:
    """Draw how many pairs have which predicted and actual distance.

    Parameters
    ----------
    cells : list of dict
        From `density_cells`.
    scores : DistanceScores
        Gives the fitted line.

    Returns
    -------
    alt.LayerChart
    """
    ends = [cell[name] for cell in cells for name in ("actual_from", "predicted_from")]
    tops = [cell[name] for cell in cells for name in ("actual_to", "predicted_to")]
    low, high = min(ends), max(tops)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    most = max(cell["pairs"] for cell in cells)
    density = (
        alt.Chart(inline_data(cells))
        .mark_rect(strokeWidth=0, aria=False)
        .encode(
            alt.X("actual_from:Q", title="Actual distance", scale=scale),
            alt.X2("actual_to:Q"),
            alt.Y("predicted_from:Q", title="Predicted distance", scale=scale),
            alt.Y2("predicted_to:Q"),
            alt.Color(
                "pairs:Q",
                title="Pairs of samples",
                scale=alt.Scale(
                    type="log",
                    domain=[1, max(2, most)],
                    range=_DENSITY_COLOURS,
                    interpolate="rgb",
                ),
                legend=alt.Legend(gradientLength=200, tickCount=4, format="~s"),
            ),
            tooltip=[
                alt.Tooltip("actual_from:Q", title="actual from", format=".3~f"),
                alt.Tooltip("actual_to:Q", title="to", format=".3~f"),
                alt.Tooltip("predicted_from:Q", title="predicted from", format=".3~f"),
                alt.Tooltip("predicted_to:Q", title="to ", format=".3~f"),
                alt.Tooltip("pairs:Q", format=","),
            ],
        )
    )
    lines = _line([(low, low), (high, high)], scale, BLACK, [1, 0])
    if np.isfinite(scores.slope):
        start, end = min(c["actual_from"] for c in cells), max(c["actual_to"] for c in cells)
        fitted = [(x, scores.slope * x + scores.intercept) for x in (start, end)]
        lines += _line(fitted, scale, VERMILLION, [7, 4])
    return themed(alt.layer(density, *lines), height=420)


def _line(ends: list[tuple[float, float]], scale: alt.Scale, colour: str, dash: list) -> list:
    """Draw a line on a white one, so that it shows on light and dark cells."""
    records = [{"x": float(x), "y": float(y)} for x, y in ends]
    base = alt.Chart(inline_data(records)).encode(
        alt.X("x:Q", scale=scale), alt.Y("y:Q", scale=scale)
    )
    return [
        base.mark_line(color="white", strokeWidth=4, opacity=0.8, clip=True),
        base.mark_line(color=colour, strokeWidth=2, strokeDash=dash, clip=True),
    ]


def chart_error_by_distance(bins: pd.DataFrame) -> alt.LayerChart:
    """Draw the median error and its spread for ranges of the actual distance.

    Parameters
    ----------
    bins : pd.DataFrame
        From `error_bins`.

    Returns
    -------
    alt.LayerChart
    """
    records = [
        {name: float(f"{value:.5g}") for name, value in row.items()}
        | {"middle": (row["actual_from"] + row["actual_to"]) / 2}
        for row in bins.to_dict("records")
    ]
    low, high = bins["actual_from"].min(), bins["actual_to"].max()
    x = alt.X(
        "middle:Q",
        title="Actual distance",
        scale=alt.Scale(domain=[float(low), float(high)], nice=False, zero=False),
    )
    title = f"Error (predicted {_MINUS} actual distance)"
    base = alt.Chart(inline_data(records))
    zero = alt.Chart(inline_data([{}])).mark_rule(color=GREY, strokeWidth=1.5)
    spread = base.mark_rule(color=BLUE, strokeWidth=1.6, aria=False).encode(
        x, alt.Y("lower_5:Q", title=title), alt.Y2("upper_95:Q")
    )
    quartiles = base.mark_rule(color=BLUE, strokeWidth=9, opacity=0.45, aria=False).encode(
        x, alt.Y("lower_25:Q", title=title), alt.Y2("upper_75:Q")
    )
    medians = base.mark_point(filled=True, color=BLACK, size=45, opacity=1).encode(
        x,
        alt.Y("median:Q", title=title),
        tooltip=[
            alt.Tooltip("actual_from:Q", title="actual from", format=".3~f"),
            alt.Tooltip("actual_to:Q", title="to", format=".3~f"),
            alt.Tooltip("pairs:Q", format=","),
            alt.Tooltip("median:Q", title="median error", format=".3f"),
            alt.Tooltip("lower_5:Q", title="5 % are below", format=".3f"),
            alt.Tooltip("upper_95:Q", title="5 % are above", format=".3f"),
        ],
    )
    layers = (zero.encode(y=alt.datum(0)), spread, quartiles, medians)
    return themed(alt.layer(*layers), height=420)


def chart_ordination(
    ordinations: Ordinations, side: str, colours: PointColours | None
) -> alt.LayerChart:
    """Draw one of two aligned ordinations, both on the same axes.

    Parameters
    ----------
    ordinations : Ordinations
        Gives the axes; the points come from the page's data set `ORDINATED`.
    side : {'actual', 'predicted'}
    colours : PointColours, optional

    Returns
    -------
    alt.LayerChart
    """
    values = ordinations.coordinates.to_numpy()
    axes = []
    for channel, number in ((alt.X, 1), (alt.Y, 2)):
        both = values[:, [number - 1, number + 1]]
        margin = 0.05 * np.ptp(both) or 0.1
        domain = [float(both.min() - margin), float(both.max() + margin)]
        if side == "actual":
            share = 100 * ordinations.actual_explained[number - 1]
            title = f"Axis {number} ({share:.1f} % of the variation)"
        else:
            title = f"Turned onto the actual axis {number}"
        axis = alt.Axis(labels=False, ticks=False, tickCount=6)
        scale = alt.Scale(domain=domain, nice=False, zero=False)
        axes.append(channel(f"{side}_{number}:Q", title=title, scale=scale, axis=axis))
    tooltip = [alt.Tooltip("sample:N"), _error_tooltip()]
    crowded = len(values) > 300
    points = (
        alt.Chart(shared_data(ORDINATED))
        .mark_point(filled=True, size=26 if crowded else 50, opacity=0.7, color=BLUE, aria=False)
        .encode(*axes)
    )
    return themed(alt.layer(*_coloured(points, tooltip, colours)), height=400)


def chart_sample_errors(n_drawn: int, colours: PointColours | None) -> alt.LayerChart:
    """Draw the mean absolute error of each sample over its mean distance to the others.

    Parameters
    ----------
    n_drawn : int
        How many points the page's data set `POINTS` has.
    colours : PointColours, optional

    Returns
    -------
    alt.LayerChart
    """
    tooltip = [
        alt.Tooltip("sample:N"),
        alt.Tooltip("mean_actual:Q", title="mean actual distance", format=".3f"),
        alt.Tooltip("mean_predicted:Q", title="mean predicted distance", format=".3f"),
        _error_tooltip(),
    ]
    points = (
        alt.Chart(shared_data(POINTS))
        .mark_point(
            filled=True, size=26 if n_drawn > 300 else 50, opacity=0.65, color=BLUE, aria=False
        )
        .encode(
            alt.X(
                "mean_actual:Q",
                title="Mean actual distance to the other samples",
                scale=alt.Scale(zero=False),
            ),
            alt.Y("mean_absolute_error:Q", title="Mean absolute error of a sample's distances"),
        )
    )
    return themed(alt.layer(*_coloured(points, tooltip, colours)))


def _error_tooltip() -> alt.Tooltip:
    return alt.Tooltip("mean_absolute_error:Q", title="mean absolute error", format=".3f")


def _coloured(points: alt.Chart, tooltip: list, colours: PointColours | None) -> list[alt.Chart]:
    if colours is None:
        return [points.encode(tooltip=tooltip)]
    return colours.colour_layers(points.encode(tooltip=[*tooltip, colours.tooltip()]))
