"""The page of evaluate-distances: words and tables."""

import math
from pathlib import Path

import pandas as pd

from ...errors import counted
from ..formatting import format_cell, format_decimals, format_fraction, format_p, words
from ..metrics import DISTANCE_METRICS, ScoreRow, score_blocks
from ..page import Column, Download, Section, table_of, write_page
from ..samples import FEW_SAMPLES, ColorBy, count_blocks
from .charts import make_figures
from .scores import (
    RESAMPLES,
    ComparedDistances,
    DistanceScores,
    Ordinations,
    density_cells,
    error_bins,
    errors_by_sample,
    ordinate,
    pairs_of,
    score_distances,
)

WORST_SHOWN = 10


def write_distances_page(
    output_dir: str | Path,
    compared: ComparedDistances,
    column: pd.Series | None = None,
    random_seed: int = 0,
) -> None:
    """Write the comparison of two distance matrices as index.html with its downloads.

    The column colors the samples. The seed is of the bootstrap, of the permutations and of the
    samples that are ordinated.
    """
    color_by = None if column is None else ColorBy.of(column, pd.Index(compared.ids))
    scores = score_distances(compared, random_seed)
    pairs, by_sample = pairs_of(compared), errors_by_sample(compared)
    cells, bins = density_cells(*pairs), error_bins(*pairs)
    ordinations = ordinate(compared, random_seed)
    figures = make_figures(cells, bins, by_sample, scores, ordinations, color_by)
    blocks = [[figures["density"], figures["errors-by-distance"]]]
    blocks.append(Download("error-by-distance", "the errors by distance", bins))
    label = f"predicted distances ({counted(compared.n_pairs, 'pair')})"
    row = ScoreRow("", label, len(compared.ids), scores.estimates)
    note = words("notes", "pairs", resamples=RESAMPLES, samples=len(compared.ids))
    sections = [
        Section("distances", "Distances", "Distances", blocks),
        Section("scores", "Scores", "Scores", score_blocks([row], DISTANCE_METRICS, [note])),
    ]
    if ordinations is not None:
        both = [figures["actual-ordination"], figures["predicted-ordination"]]
        download = Download("ordinations", "both ordinations", ordinations.coordinates)
        sections.append(Section("ordinations", "Ordinations", "Ordinations", [both, download]))
    sections.append(_worst_section(by_sample, color_by, figures["error-by-sample"]))
    counts = [*compared.counts, *([] if color_by is None else [color_by.count_blanks()])]
    blocks = count_blocks(counts, "counts-table", "counts")
    sections.append(Section("counts", "Samples", "Samples compared and left out", blocks))
    write_page(
        output_dir,
        "Evaluation of predicted distances",
        "How well distances between samples are predicted",
        write_headline(compared, scores, ordinations),
        sections,
        [metric.card(scores.estimates[metric.name]) for metric in DISTANCE_METRICS],
        write_warnings(compared, scores, ordinations),
    )


def write_headline(
    compared: ComparedDistances, scores: DistanceScores, ordinations: Ordinations | None
) -> str:
    """Say in two sentences how well distances are predicted."""
    found, metrics = scores.estimates, {metric.name: metric for metric in DISTANCE_METRICS}
    error, correlation = metrics["mean_absolute_error"], metrics["correlation"]
    estimate, r, r_squared = found[error.name], found[correlation.name], found["r_squared"].value
    values = {
        "error": error.cell(estimate).text,
        "interval": error.in_brackets(estimate),
        "pairs": counted(compared.n_pairs, "pair"),
        "samples": counted(len(compared.ids), "sample"),
        "mean": format_decimals(scores.mean_actual, 2),
        "dummy": format_decimals(scores.dummy_error, 3),
    }
    text, parts = words("distances", "opening", **values), []
    if not r_squared > 0:
        text += words("distances", "no_better")
    if not math.isnan(r.value):
        values = {"r": correlation.cell(r).text, "interval": correlation.in_brackets(r)}
        values["explained"] = format_fraction(r_squared) if r_squared > 0 else "nothing"
        parts.append(words("distances", "correlate", **values))
    if ordinations is not None:
        values = {"disparity": format_decimals(ordinations.disparity, 2)}
        values["p_value"] = format_p(ordinations.p_value)
        agree = "agree" if ordinations.p_value <= 0.05 else "disagree"
        parts.append(words("distances", agree, **values))
    second = "; ".join(parts)
    return f"{text}. {second[:1].upper()}{second[1:]}." if second else f"{text}."


def write_warnings(compared: ComparedDistances, scores: DistanceScores, ordinations) -> list[str]:
    """Warn of results that cannot be taken at their word."""
    warnings, spread = [], scores.estimates["spread_ratio"].value
    if not spread >= 0.5:  # NaN too
        warnings.append(words("notes", "narrow" if spread == spread else "all_equal"))
    if ordinations is None:
        warnings.append(words("notes", "no_ordinations"))
    if len(compared.ids) < FEW_SAMPLES:
        warnings.append(words("notes", "rough", samples=counted(len(compared.ids), "sample")))
    return warnings


def _worst_section(by_sample: pd.DataFrame, color_by: ColorBy | None, figure) -> Section:
    table = by_sample if color_by is None else by_sample.assign(color_by=color_by.values)
    table = table.sort_values("mean_absolute_error", ascending=False, kind="stable")
    worst = table.iloc[:WORST_SHOWN]
    columns = [(Column("Sample"), [str(sample) for sample in worst.index])]
    if color_by is not None:
        columns.append((Column(color_by.name), worst["color_by"].map(format_cell)))
    for label, name in (
        ("Mean absolute error", "mean_absolute_error"),
        ("Mean error", "mean_error"),
        ("Mean actual distance", "mean_actual"),
        ("Mean predicted distance", "mean_predicted"),
    ):
        cells = [format_decimals(value, 3) for value in worst[name]]
        columns.append((Column(label, number=True), cells))
    blocks = [
        [figure],
        words("notes", "worst_distances"),
        table_of("worst-table", columns),
        Download("samples", "the errors of every sample", table),
    ]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)
