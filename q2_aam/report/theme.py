"""The look of every chart: colours that colour-blind readers can tell apart, sizes, fonts."""

from __future__ import annotations

import altair as alt

# Okabe and Ito's palette, ordered by contrast on white; its yellow is too pale for points.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, BROWN = "#E69F00", "#56B4E9", "#222222", "#7A5C2E"
CATEGORIES = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, BROWN]
SHAPES = [
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
    "triangle-left",
]  # fmt: skip
SHARE_COLOURS = ["#FFFFFF", "#6BAED6", "#08519C"]  # at none, half and all
NUMBER_SCHEME = "viridis"  # evenly spaced for colour-blind readers and in grey print
GREY = "#767676"
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


def inline_data(records: list[dict]) -> alt.InlineData:
    """Wrap a few records that belong to one chart."""
    return alt.InlineData(values=records)


def shared_data(name: str) -> alt.NamedData:
    """Refer to a data set that the page holds once for all its charts, see `Figure.datasets`."""
    return alt.NamedData(name=name)


def themed(chart: alt.Chart, height: int = 340) -> alt.Chart:
    """Give a chart the common look, as wide as the place it stands in.

    Parameters
    ----------
    chart : alt.Chart
    height : int
        In pixels.

    Returns
    -------
    alt.Chart
    """
    return (
        chart.properties(
            width="container", height=height, autosize={"type": "fit-x", "contains": "padding"}
        )
        .configure(font=FONT, background="white", padding=6)
        .configure_view(stroke="#CCCCCC")
        .configure_axis(
            labelFontSize=12,
            titleFontSize=13,
            titleFontWeight="normal",
            gridColor="#EEEEEE",
            domainColor="#888888",
            tickColor="#888888",
            labelColor="#333333",
            titleColor="#222222",
            labelLimit=140,
            titleLimit=420,
            labelFlush=False,
        )
        .configure_axisX(tickCount=8)
        .configure_legend(
            orient="top",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            symbolSize=90,
            labelLimit=160,
            titleLimit=200,
            columns=4,
        )
    )
