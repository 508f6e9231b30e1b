"""The page of evaluate-distances."""

import math
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..errors import counted
from . import distance_scores, formatting, samples, style
from .distance_scores import ComparedDistances, DistanceScores, Ordinations
from .formatting import format_decimals, words
from .metrics import DISTANCE_METRICS, ScoreRow, score_blocks
from .page import Download, Figure, Section, figure, table_of, write_page
from .samples import ColorBy
from .style import exact, themed, tips

WORST_SHOWN = 10
_ORDINATED = "ordinated"  # a data set that both ordinations share
_DENSITY_COLORS = ["#D6E6F4", "#08519C"]
_COLUMNS = {  # of the samples' table
    "mean_absolute_error": "Mean absolute error", "mean_error": "Mean error",
    "mean_actual": "Mean actual distance", "mean_predicted": "Mean predicted distance",
}  # fmt: skip


def write_distances_page(
    output_dir: str | Path, compared: ComparedDistances, column: pd.Series | None = None,
    random_seed: int = 0,
) -> None:  # fmt: skip
    """Write the comparison of two distance matrices; the column colors the samples."""
    color_by = None if column is None else ColorBy.of(column, pd.Index(compared.ids))
    scores = distance_scores.score_distances(compared, random_seed)
    pairs = distance_scores.pairs_of(compared)
    by_sample, bins = distance_scores.errors_by_sample(compared), distance_scores.error_bins(*pairs)
    ordinations = distance_scores.ordinate(compared, random_seed)
    blocks = [
        [_density_figure(distance_scores.density_cells(*pairs), scores), _error_figure(bins)],
        Download("error-by-distance", "the errors by distance", bins),
    ]
    label = f"predicted distances ({counted(compared.n_pairs, 'pair')})"
    row = ScoreRow("", label, len(compared.ids), scores.estimates)
    note = words("notes", "pairs", resamples=distance_scores.RESAMPLES, samples=len(compared.ids))
    sections = [
        Section("distances", "Distances", "Distances", blocks),
        Section("scores", "Scores", "Scores", score_blocks([row], DISTANCE_METRICS, [note])),
    ]
    if ordinations is not None:
        both = _ordination_figures(ordinations, by_sample, color_by)
        download = Download("ordinations", "both ordinations", ordinations.coordinates)
        sections.append(Section("ordinations", "Ordinations", "Ordinations", [both, download]))
    sections.append(_worst_section(by_sample, color_by))
    counts = [*compared.counts, *([] if color_by is None else [color_by.count_blanks()])]
    blocks = samples.count_blocks(counts, "counts-table", "counts")
    sections.append(Section("counts", "Samples", "Samples compared and left out", blocks))
    title = "Evaluation of predicted distances"
    heading = "How well distances between samples are predicted"
    headline = write_headline(compared, scores, ordinations)
    spread, n_samples = scores.estimates["spread_ratio"].value, len(compared.ids)
    found = {
        "narrow": spread < 0.5, "all_equal": math.isnan(spread),
        "no_ordinations": ordinations is None, "rough": n_samples < samples.FEW_SAMPLES,
    }  # fmt: skip
    number = counted(n_samples, "sample")
    warnings = [words("notes", name, samples=number) for name, holds in found.items() if holds]
    cards = row.cards(DISTANCE_METRICS)
    write_page(output_dir, title, heading, headline, sections, cards, warnings)


def write_headline(compared, scores: DistanceScores, ordinations: Ordinations | None) -> str:
    """Say in two sentences how well distances are predicted."""
    correlation, _, error, *_ = DISTANCE_METRICS
    r, r_squared, estimate, *_ = (scores.estimates[one.name] for one in DISTANCE_METRICS)
    r_squared = r_squared.value
    values = {
        "error": error.cell(estimate).text, "interval": error.in_brackets(estimate),
        "pairs": counted(compared.n_pairs, "pair"),
        "samples": counted(len(compared.ids), "sample"),
        "mean": format_decimals(scores.mean_actual, 2),
        "dummy": format_decimals(scores.dummy_error, 3),
    }  # fmt: skip
    text, parts = words("distances", "opening", **values), []
    if not r_squared > 0:
        text += words("distances", "no_better")
    if not math.isnan(r.value):
        values = {"r": correlation.cell(r).text, "interval": correlation.in_brackets(r)}
        values["explained"] = formatting.format_fraction(r_squared) if r_squared > 0 else "nothing"
        parts.append(words("distances", "correlate", **values))
    if ordinations is not None:
        agree = "agree" if ordinations.p_value <= 0.05 else "disagree"
        parts.append(words("distances", agree, **_in_words(ordinations)))
    second = "; ".join(parts)
    return f"{text}. {second[:1].upper()}{second[1:]}." if second else f"{text}."


def _in_words(ordinations: Ordinations) -> dict[str, str]:
    disparity = format_decimals(ordinations.disparity, 2)
    return {"disparity": disparity, "p_value": formatting.format_p(ordinations.p_value)}


def _worst_section(by_sample: pd.DataFrame, color_by: ColorBy | None) -> Section:
    table = by_sample.sort_values("mean_absolute_error", ascending=False, kind="stable")
    columns = [("Sample", table.index.map(str))]
    if color_by is not None:
        table["color_by"] = color_by.values
        columns.append((color_by.name, table["color_by"].map(formatting.format_cell)))
    for name, label in _COLUMNS.items():
        columns.append((label, [format_decimals(value, 3) for value in table[name]], True))
    columns = [(label, cells[:WORST_SHOWN], *number) for label, cells, *number in columns]
    blocks = [
        [_sample_figure(by_sample, color_by)],
        words("notes", "worst_distances"),
        table_of("worst-table", columns),
        Download("samples", "the errors of every sample", table),
    ]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)


def _density_figure(cells: pd.DataFrame, scores: DistanceScores) -> Figure:
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
    lines, line = [([(low, low), (high, high)], style.BLACK, [1, 0])], ""
    if np.isfinite(scores.slope):
        over = float(cells["actual_from"].min()), float(cells["actual_to"].max())
        fitted = [(end, scores.slope * end + scores.intercept) for end in over]
        lines.append((fitted, style.VERMILLION, [7, 4]))
        line = " " + words("density", "line", slope=formatting.format_number(scores.slope))
    layers = [density]
    for ends, color, dash in lines:  # on white ones, so that they show on light and dark cells
        layers.append(style.line_through(ends, x, y, color="white", strokeWidth=4, opacity=0.8))
        look = {"color": color, "strokeWidth": 2, "strokeDash": dash}
        layers.append(style.line_through(ends, x, y, **look))
    width = cells["actual_to"].iloc[0] - cells["actual_from"].iloc[0]
    chart = themed(*layers, height=420)
    return figure("density", chart, cells, len(cells), width=width, line=line)


def _error_figure(bins: pd.DataFrame) -> Figure:
    """Draw the median error and its spread for ranges of the actual distance."""
    middle = (bins["actual_from"] + bins["actual_to"]) / 2
    ends = [float(bins["actual_from"].min()), float(bins["actual_to"].max())]
    scale = alt.Scale(domain=ends, nice=False, zero=False)
    title, layers = f"Error (predicted {style.MINUS} actual distance)", [style.rule_at("y")]
    base = style.chart_of(bins.assign(middle=middle).round(6).to_dict("records"))
    base = base.encode(alt.X("middle:Q", title="Actual distance", scale=scale))
    for lower, upper, width, opacity in (
        ("lower_5", "upper_95", 1.6, 1), ("lower_25", "upper_75", 9, 0.45),
    ):  # fmt: skip
        look = {"color": style.BLUE, "strokeWidth": width, "strokeOpacity": opacity}
        ends = alt.Y(f"{lower}:Q", title=title), alt.Y2(f"{upper}:Q")
        layers.append(base.mark_rule(**look, aria=False).encode(*ends))
    numbers = {
        "actual_from": ".3~f", "actual_to": ("to", ".3~f"), "pairs": ",",
        "median": ("median error", ".3f"), "lower_5": ("5 % are below", ".3f"),
        "upper_95": ("5 % are above", ".3f"),
    }  # fmt: skip
    medians = base.mark_point(filled=True, color=style.BLACK, size=45, opacity=1)
    medians = medians.encode(alt.Y("median:Q", title=title), tooltip=tips(**numbers))
    chart = themed(*layers, medians, height=420)
    return figure("errors-by-distance", chart, "error-by-distance", 3 * len(bins))


def _ordination_figures(
    ordinations: Ordinations, by_sample: pd.DataFrame, color_by: ColorBy | None
) -> list[Figure]:
    """Draw two aligned ordinations, both on the same axes."""
    coordinates, figures = ordinations.coordinates, []
    shown = samples.as_records(coordinates.join(by_sample["mean_absolute_error"]), color_by)
    n_drawn, n_samples, more = len(shown), ordinations.n_samples, samples.describe_colors(color_by)
    if n_drawn < n_samples:
        more += " " + words("actual-ordination", "more", shown=n_drawn, samples=n_samples)
    own = formatting.join_words(f"{100 * one:.0f} %" for one in ordinations.predicted_explained)
    values = {"more": more, "own": own, "permutations": distance_scores.PERMUTATIONS}
    values |= _in_words(ordinations)
    shares = ordinations.actual_explained
    for side in ("actual", "predicted"):
        axes = []
        for channel, n, share in zip((alt.X, alt.Y), (1, 2), shares, strict=True):
            title = f"Axis {n} ({100 * share:.0f} % of the variation)"
            title = title if side == "actual" else f"Turned onto the actual axis {n}"
            scale = exact(coordinates[[f"actual_{n}", f"predicted_{n}"]])
            axis = alt.Axis(labels=False, ticks=False)
            axes.append(channel(f"{side}_{n}:Q", title=title, scale=scale, axis=axis))
        chart = _sample_points(_ORDINATED, n_drawn, axes, {}, color_by, 400)
        shared = {_ORDINATED: shown}
        one = figure(f"{side}-ordination", chart, "ordinations", n_drawn, False, shared, **values)
        figures.append(one)
    return figures


def _sample_figure(by_sample: pd.DataFrame, color_by: ColorBy | None) -> Figure:
    """Draw the mean absolute error of each sample over its mean distance to the others."""
    scale, error = alt.Scale(padding=style.EDGE), "Mean absolute error of a sample's distances"
    axes = [
        alt.X("mean_actual:Q", title="Mean actual distance to the other samples", scale=exact()),
        alt.Y("mean_absolute_error:Q", title=error, scale=scale),
    ]
    numbers = {"mean_actual": ("mean actual distance", ".3f")}
    numbers |= {"mean_predicted": ("mean predicted distance", ".3f")}
    shared = samples.draw(by_sample, by_sample["mean_absolute_error"], color_by)
    n_drawn = len(shared[samples.POINTS])
    chart = _sample_points(samples.POINTS, n_drawn, axes, numbers, color_by, 340)
    more = samples.describe_drawn(n_drawn, len(by_sample))
    return figure("error-by-sample", chart, "samples", n_drawn, True, shared, more=more)


def _sample_points(data: str, n_drawn: int, axes: list, numbers: dict, color_by, height: int):
    points = style.chart_of(data).mark_point(
        filled=True, size=26 if n_drawn > style.CROWDED else 50, fillOpacity=0.7,
        color=style.BLUE, aria=False,
    )  # fmt: skip
    tooltip = tips("sample", **numbers, mean_absolute_error=".3f")
    return themed(*samples.color_layers(points.encode(*axes), tooltip, color_by), height=height)
