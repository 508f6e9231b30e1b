"""The look of every chart: what each color means, sizes, fonts, axes for numbers of any size."""

from collections.abc import Sequence

import altair as alt
import numpy as np
from altair.utils import schemapi

schemapi.disable_debug_mode()  # charts are checked by the tests; here it would take half of a page

# Okabe and Ito's palette and two of Tol's, which color-blind readers can tell apart. On every page
# blue is the model, vermillion the baseline and grey the dummy; classes, groups and effects get
# the other colors.
BLUE, VERMILLION, BLACK, GREY = "#0072B2", "#D55E00", "#222222", "#767676"
GREEN, PURPLE, ORANGE, SKY, BROWN = "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C2E"
CATEGORIES = [GREEN, PURPLE, ORANGE, SKY, BROWN, "#332288", "#999933", BLACK]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
SHAPES += ["triangle-right", "triangle-left"]
DASHES = [[1, 0], [7, 3], [2, 3], [7, 3, 2, 3], [10, 3], [4, 2], [1, 2], [10, 2, 2, 2]]
SHARES = ["#FFFFFF", "#6BAED6", "#08519C"]  # at none, half and all
NUMBERS = "viridis"  # evenly spaced for color-blind readers and in grey print
_LINES = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}  # of a legend
CROWDED = 400  # points
EDGE = 8  # pixels between the frame and the outermost points, so that none is cut
MINUS = "\u2212"
# "69 %", as everywhere on the pages
_LOCALE = {"number": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["$", ""]}}
_LOCALE["number"]["percent"] = " %"
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


def chart_of(data: list[dict] | str = ({},)) -> alt.Chart:
    """Start a chart on records of its own, or on a named data set that a page's charts share."""
    named = isinstance(data, str)
    return alt.Chart(alt.NamedData(data) if named else alt.InlineData(values=[*data]))


def short(value: float) -> float:
    """Drop digits that no screen shows, to keep the page small."""
    return float(f"{value:.7g}")


def domain_of(*values) -> list[float]:
    """Return the range of all finite values; never empty."""
    known = np.concatenate([np.asarray(part, float).ravel() for part in values])
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    half = 0.0 if high > low else abs(low) / 20 or 0.5
    return [low - half, high + half]


def exact(*values) -> alt.Scale:
    """Return a scale from the lowest to the highest value, with room for whole points."""
    domain = domain_of(*values) if values else alt.Undefined
    return alt.Scale(domain=domain, nice=False, zero=False, padding=EDGE)


def number_axis(*values) -> alt.Axis:
    """Write ticks as powers of ten where numbers are tiny or huge."""
    plain = 1e-3 <= max(map(abs, domain_of(*values))) < 1e6
    return alt.Axis() if plain else alt.Axis(format="~g")


def count_samples() -> alt.Y:
    """Count samples upwards."""
    return alt.Y("count()", title="Samples", axis=alt.Axis(tickMinStep=1))


def tips(*names: str, **numbers) -> list[alt.Tooltip]:
    """Show fields of text by their names, then numbers: by format, or by title and format."""
    shown = [alt.Tooltip(f"{name}:N", title=name) for name in names]
    for name, how in numbers.items():
        title, form = how if isinstance(how, tuple) else (name.replace("_", " "), how)
        shown.append(alt.Tooltip(f"{name}:Q", title=title, format=form))
    return shown


def rule_at(axis: str, value: float = 0) -> alt.Chart:
    """Draw a grey line at a value of an axis, ``x`` or ``y``."""
    return chart_of().mark_rule(color=GREY, strokeWidth=1.5).encode(**{axis: alt.datum(value)})


def line_through(ends: list[tuple[float, float]], x: alt.X, y: alt.Y, **look) -> alt.Chart:
    """Draw a straight line on the axes of other encodings; grey by default."""
    names = {"x": x.shorthand.split(":")[0], "y": y.shorthand.split(":")[0]}
    records = [{names["x"]: float(a), names["y"]: float(b)} for a, b in ends]
    look = {"color": GREY, "strokeWidth": 1.5, **look}
    return chart_of(records).mark_line(clip=True, **look).encode(x, y)


def mark_at(value: float, words: str, x: alt.X, late: bool, rule: dict, text: dict) -> list:
    """Mark a place of the x axis with a line and, above the plot, with words towards its middle."""
    data = chart_of([{x.shorthand.split(":")[0]: value, "words": words}])
    above = data.mark_text(align="right" if late else "left", dx=3 if late else -3, **text)
    return [data.mark_rule(**rule).encode(x), above.encode(x, y=alt.value(0), text="words:N")]


def by_name(channel, field: str, names: list[str], look: list, **options):
    """Give each name its color, shape or dash, in a legend without a title unless one is given."""
    scale = alt.Scale(domain=names, range=[look[place % len(look)] for place in range(len(names))])
    # two long names stand beside each other on a phone
    legend = alt.Legend(columns=2 if max(map(len, names)) > 8 else 4)
    return channel(field, scale=scale, **{"title": None, "legend": legend, **options})


def marks_by_name(field: str, names: list[str], title: str, colors: Sequence = CATEGORIES) -> list:
    """Give each name its color and shape, in a legend with a title."""
    looks = ((alt.Color, colors), (alt.Shape, SHAPES))
    return [by_name(channel, field, names, look, title=title) for channel, look in looks]


def lines_by_name(field: str, looks: dict[str, tuple], **options) -> list:
    """Give each name its color and dash, in a legend of lines with options."""
    (colors, dashes), legend = zip(*looks.values(), strict=True), alt.Legend(**_LINES, **options)
    return [
        by_name(alt.Color, field, list(looks), colors, legend=legend),
        by_name(alt.StrokeDash, field, list(looks), dashes, legend=legend),
    ]


def themed(*layers: alt.Chart, height: int = 340) -> alt.Chart:
    """Give a chart the common look, as wide as the place it stands in; height in pixels."""
    fit = {"type": "fit-x", "contains": "padding"}
    text = {"titleFontWeight": "normal", "labelFontSize": 12}
    chart = alt.layer(*layers) if len(layers) > 1 else layers[0]
    return (
        chart.properties(width="container", height=height, autosize=fit)
        .configure(font=FONT, background="white", padding=6, locale=_LOCALE)
        .configure_view(stroke="#CCCCCC")
        .configure_axis(
            gridColor="#EEEEEE", domainColor="#888888", tickColor="#888888", labelColor="#333333",
            titleColor=BLACK, titleFontSize=13, titleLimit=420, labelLimit=170, labelFlush=False,
            **text,
        )
        # as many ticks as there is room for, also on a phone
        .configure_axisX(
            tickCount=alt.ExprRef("max(2, min(8, width / 70))"), labelOverlap=True,
            labelSeparation=6,
        )
        .configure_legend(
            orient="top", titleFontSize=12, symbolSize=90, labelLimit=240, titleLimit=200,
            columns=4, **text,
        )
    )  # fmt: skip
