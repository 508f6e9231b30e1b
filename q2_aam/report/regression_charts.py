"""Charts of predicted against true values and of the errors between them."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .drawn_points import POINTS
from .evaluated_samples import EvaluatedSamples
from .theme import (
    BLACK,
    BLUE,
    CATEGORIES,
    GREY,
    SHAPES,
    VERMILLION,
    inline_data,
    shared_data,
    themed,
)

MOST_COLOURED_GROUPS = 6
_POINT_SIZE = 46
_MINUS = "\u2212"


def chart_predicted_against_actual(
    samples: EvaluatedSamples, n_drawn: int, predictor: str = "predicted"
) -> alt.LayerChart:
    """Draw predictions over true values, with the 1:1 line, a fitted line and intervals.

    Parameters
    ----------
    samples : EvaluatedSamples
        Give the axes and the fit; the points come from the page's data set `POINTS`.
    n_drawn : int
        How many points that data set has.
    predictor : {'predicted', 'baseline'}
        Whose predictions.

    Returns
    -------
    alt.LayerChart
    """
    scale = alt.Scale(domain=_shared_domain(samples.frame), nice=False, zero=False)
    x = alt.X("actual:Q", title=f"Actual {samples.target}", scale=scale)
    whose = "Predicted" if predictor == "predicted" else "Baseline's prediction of"
    y = alt.Y(f"{predictor}:Q", title=f"{whose} {samples.target}", scale=scale)
    points = _points(n_drawn, samples, x, y)
    if predictor == "baseline":
        points = points.transform_filter("isValid(datum.baseline)")
    layers = [points, *_guide_lines(samples, predictor, scale)]
    if predictor == "predicted" and samples.has_intervals:
        layers.insert(0, _interval_bars(n_drawn, x, scale))
    return themed(alt.layer(*layers), height=420)


def chart_errors_against_actual(samples: EvaluatedSamples, n_drawn: int) -> alt.LayerChart:
    """Draw errors over true values, with the median error in ranges of the true value."""
    x = alt.X("actual:Q", title=f"Actual {samples.target}", scale=alt.Scale(zero=False))
    y = alt.Y("error:Q", title=f"Error (predicted {_MINUS} actual {samples.target})")
    layers = [_zero_rule("y"), _points(n_drawn, samples, x, y)]
    medians = median_error_by_range(samples.frame)
    if len(medians) > 1:
        layers.append(
            alt.Chart(inline_data(medians))
            .mark_line(point={"color": BLACK, "size": 50}, color=BLACK, strokeWidth=2)
            .encode(alt.X("actual:Q"), alt.Y("error:Q"))
        )
    return themed(alt.layer(*layers))


def median_error_by_range(frame: pd.DataFrame, most_ranges: int = 10) -> list[dict]:
    """Take the median error in equally filled ranges of the true value (about 8 samples each)."""
    n_ranges = min(most_ranges, len(frame) // 8)
    if n_ranges < 2:
        return []
    ranges = pd.qcut(frame["actual"], n_ranges, duplicates="drop")
    medians = frame.groupby(ranges, observed=True)[["actual", "error"]].median()
    return medians.to_dict("records")


def chart_error_distribution(samples: EvaluatedSamples) -> alt.LayerChart:
    """Draw how many samples have which error, counted over all samples."""
    counts, edges = np.histogram(samples.frame["error"], bins=_error_bins(samples.frame["error"]))
    bars = [
        {"from": float(low), "to": float(high), "samples": int(count)}
        for low, high, count in zip(edges, edges[1:], counts)  # noqa: B905 - one edge more
    ]
    histogram = (
        alt.Chart(inline_data(bars))
        .mark_bar(color=BLUE, stroke="white", strokeWidth=1)
        .encode(
            alt.X("from:Q", title=f"Error (predicted {_MINUS} actual {samples.target})"),
            alt.X2("to:Q"),
            alt.Y("samples:Q", title="Samples", axis=alt.Axis(tickMinStep=1)),
            alt.Y2(datum=0),
            tooltip=[
                alt.Tooltip("from:Q", format=".4~g"),
                alt.Tooltip("to:Q", format=".4~g"),
                alt.Tooltip("samples:Q"),
            ],
        )
    )
    return themed(alt.layer(histogram, _zero_rule("x")))


def _error_bins(errors: pd.Series) -> np.ndarray:
    """Return the edges of bins of a round width, one of them at zero."""
    low, high = float(errors.min()), float(errors.max())
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)):
        half = abs(low) / 20 or 0.5
        return np.array([low - half, low + half])
    # Freedman and Diaconis' rule; numpy's own would build an edge for each bin up to an outlier
    upper, lower = np.percentile(errors, [75, 25])
    narrow = 2 * (upper - lower) / len(errors) ** (1 / 3)
    wanted = min(max(narrow, span / 40), span / 8)
    power = 10.0 ** np.floor(np.log10(wanted))
    width = power * next(step for step in (1, 2, 2.5, 5, 10) if step * power >= 0.7 * wanted)
    return width * np.arange(np.floor(low / width), np.floor(high / width) + 2)


def chart_share_within_error(samples: EvaluatedSamples, constant: float) -> alt.Chart:
    """Draw which share of the samples is predicted to within an error, for each predictor."""
    frame = samples.frame
    if samples.has_baseline:
        frame = frame[frame["baseline"].notna()]
    errors = {"this model": frame["error"].abs()}
    if samples.has_baseline:
        errors["baseline"] = (frame["baseline"] - frame["actual"]).abs()
    errors["constant"] = (constant - frame["actual"]).abs()
    shares = np.linspace(0, 1, 101)
    records = [
        {"predictor": name, "error": float(f"{error:.7g}"), "share": float(f"{share:.4g}")}
        for name, values in errors.items()
        for share, error in zip(shares, np.quantile(values, shares))  # noqa: B905 - same shape
    ]
    names = list(errors)
    colours = [{"this model": BLUE, "baseline": VERMILLION, "constant": GREY}[n] for n in names]
    dashes = [{"this model": [1, 0], "baseline": [7, 3], "constant": [2, 3]}[n] for n in names]
    chart = (
        alt.Chart(inline_data(records))
        .mark_line(strokeWidth=2.5)
        .encode(
            alt.X("error:Q", title=f"Absolute error of {samples.target}, at most"),
            alt.Y("share:Q", title="Share of samples", axis=alt.Axis(format="%")),
            alt.Color("predictor:N", title=None, scale=alt.Scale(domain=names, range=colours)),
            alt.StrokeDash("predictor:N", title=None, scale=alt.Scale(domain=names, range=dashes)),
            tooltip=["predictor:N", "error:Q", alt.Tooltip("share:Q", format=".0%")],
        )
    )
    return themed(chart)


def _shared_domain(frame: pd.DataFrame) -> list[float]:
    values = frame[["actual", "predicted", "baseline", "lower", "upper"]].to_numpy(float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.03 * (high - low) or max(1.0, abs(high))
    # Values that cannot be negative, such as ages, get no negative margin.
    return [0.0 if low >= 0 > low - margin else low - margin, high + margin]


def _guide_lines(samples: EvaluatedSamples, predictor: str, scale: alt.Scale) -> list[alt.Chart]:
    low, high = scale.domain
    one_to_one = [{"actual": value, "line": value} for value in (low, high)]
    encodings = [alt.X("actual:Q", scale=scale), alt.Y("line:Q", scale=scale)]
    lines = [
        alt.Chart(inline_data(one_to_one)).mark_line(color=GREY, strokeWidth=1.5).encode(*encodings)
    ]
    fitted = fit_line(samples.frame["actual"], samples.frame[predictor])
    if fitted is not None:
        slope, intercept = fitted
        ends = [samples.frame["actual"].min(), samples.frame["actual"].max()]
        records = [{"actual": float(x), "line": float(slope * x + intercept)} for x in ends]
        lines.append(
            alt.Chart(inline_data(records))
            .mark_line(color=BLACK, strokeWidth=2, strokeDash=[7, 4], clip=True)
            .encode(*encodings)
        )
    return lines


def fit_line(actual: pd.Series, predicted: pd.Series) -> tuple[float, float] | None:
    """Fit predicted = slope * actual + intercept by least squares; None if it is not defined."""
    known = predicted.notna()
    actual, predicted = actual[known].to_numpy(float), predicted[known].to_numpy(float)
    centred = actual - actual.mean()
    spread = float(centred @ centred)
    if spread <= 1e-12 * float(actual @ actual):
        return None
    slope = float(centred @ predicted) / spread
    return slope, float(predicted.mean() - slope * actual.mean())


def _interval_bars(n_drawn: int, x: alt.X, scale: alt.Scale) -> alt.Chart:
    opacity = float(np.clip(4 / np.sqrt(n_drawn + 1), 0.12, 0.5))
    return (
        alt.Chart(shared_data(POINTS))
        .mark_rule(color=GREY, opacity=opacity, strokeWidth=1.2, aria=False)
        .encode(x, alt.Y("lower:Q", scale=scale), alt.Y2("upper:Q"))
        .transform_filter("isValid(datum.lower)")
    )


def _points(n_drawn: int, samples: EvaluatedSamples, x: alt.X, y: alt.Y) -> alt.Chart:
    tooltip = [alt.Tooltip("sample:N"), alt.Tooltip("actual:Q"), alt.Tooltip("predicted:Q")]
    tooltip.append(alt.Tooltip("error:Q"))
    for field, has in (
        ("interval:N", samples.has_intervals),
        ("baseline:Q", samples.has_baseline),
        ("group:N", samples.group_name is not None),
    ):
        if has:
            tooltip.append(alt.Tooltip(field))
    crowded = n_drawn > 400
    points = alt.Chart(shared_data(POINTS)).mark_point(
        filled=True,
        size=_POINT_SIZE / (2 if crowded else 1),
        opacity=0.5 if crowded else 0.75,
        color=BLUE,
        aria=False,  # a screen reader gains nothing from a thousand points
    )
    encodings = [x, y]
    names = sorted(set(samples.frame["group"])) if samples.group_name is not None else []
    if 1 < len(names) <= MOST_COLOURED_GROUPS:
        title = samples.group_name
        colours = alt.Scale(domain=names, range=CATEGORIES[: len(names)])
        shapes = alt.Scale(domain=names, range=SHAPES[: len(names)])
        encodings.append(alt.Color("group:N", title=title, scale=colours))
        encodings.append(alt.Shape("group:N", title=title, scale=shapes))
    return points.encode(*encodings, tooltip=tooltip)


def _zero_rule(axis: str) -> alt.Chart:
    encoding = {axis: alt.datum(0)}
    return alt.Chart(inline_data([{}])).mark_rule(color=GREY, strokeWidth=1.5).encode(**encoding)
