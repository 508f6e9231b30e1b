"""The page of evaluate-distances: words and tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...errors import counted
from ..color_by import ColorBy
from ..formatting import format_cell, format_decimals, format_fraction, format_p
from ..metrics import DISTANCE_METRICS, ScoreRow, score_blocks
from ..page import Column, Download, Figures, Note, Section, Table, write_page
from ..samples import FEW_SAMPLES, counts_table, table_of_counts
from ..words import words
from .charts import make_figures
from .ordination import Ordinations, ordinate
from .samples import ComparedDistances
from .scores import (
    RESAMPLES,
    DistanceScores,
    density_cells,
    error_bins,
    errors_by_sample,
    pairs_of,
    score_distances,
)

WORST_SHOWN = 10
_METRIC = {metric.name: metric for metric in DISTANCE_METRICS}


def write_distances_page(
    output_dir: str | Path,
    compared: ComparedDistances,
    color_by: ColorBy | None = None,
    random_seed: int = 0,
) -> None:
    """Write the comparison of two distance matrices as index.html with its downloads.

    Parameters
    ----------
    random_seed : int
        Of the bootstrap, of the permutations and of the samples that are ordinated.
    """
    scores = score_distances(compared, random_seed)
    pairs, by_sample = pairs_of(compared), errors_by_sample(compared)
    cells, bins = density_cells(*pairs), error_bins(*pairs)
    ordinations = ordinate(compared, random_seed)
    figures = make_figures(cells, bins, by_sample, scores, ordinations, color_by)
    blocks = [Figures([figures["density"], figures["errors-by-distance"]])]
    blocks.append(Download("error-by-distance", "the errors by distance", bins))
    label = f"predicted distances ({counted(compared.n_pairs, 'pair')})"
    row = ScoreRow("", label, len(compared.ids), scores.estimates)
    note = words("notes", "pairs", resamples=RESAMPLES, samples=len(compared.ids))
    sections = [
        Section("distances", "Distances", "Distances", blocks),
        Section("scores", "Scores", "Scores", score_blocks([row], DISTANCE_METRICS, [note])),
    ]
    if ordinations is not None:
        both = Figures([figures["actual-ordination"], figures["predicted-ordination"]])
        download = Download("ordinations", "both ordinations", ordinations.coordinates)
        sections.append(Section("ordinations", "Ordinations", "Ordinations", [both, download]))
    sections.append(_worst_section(by_sample, color_by, figures["error-by-sample"]))
    counts = [*compared.counts, *([] if color_by is None else [color_by.count_blanks()])]
    blocks = [
        table_of_counts(counts, "counts-table"),
        Download("counts", "these counts", counts_table(counts)),
    ]
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
    found = scores.estimates
    error, r_squared, correlation = (
        found[name] for name in ("mean_absolute_error", "r_squared", "correlation")
    )
    error_words, r_words = (_METRIC[n] for n in ("mean_absolute_error", "correlation"))
    text = (
        f"Predicted distances are off by {error_words.format(error)} on average"
        f"{error_words.in_brackets(error)}, over {counted(compared.n_pairs, 'pair')} of "
        f"{counted(len(compared.ids), 'sample')}; always predicting the mean distance, "
        f"{format_decimals(scores.mean_actual, 2)}, would be off by "
        f"{format_decimals(scores.dummy_error, 3)}"
    )
    if not r_squared.value > 0:
        text += ": the model is no better than that"
    parts = []
    if correlation.value == correlation.value:  # not NaN
        explained = format_fraction(r_squared.value) if r_squared.value > 0 else "nothing"
        parts.append(
            f"they correlate with the actual ones with r = {r_words.format(correlation)}"
            f"{r_words.in_brackets(correlation)} and explain {explained} of their variance"
        )
    if ordinations is not None:
        numbers = (
            f"(Procrustes disparity {format_decimals(ordinations.disparity, 2)}, "
            f"p = {format_p(ordinations.p_value)})"
        )
        if ordinations.p_value <= 0.05:
            parts.append(f"the two ordinations agree more than by chance {numbers}")
        else:
            parts.append(f"these samples do not show that the two ordinations agree {numbers}")
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
    numbers = {
        "Mean absolute error": "mean_absolute_error",
        "Mean error": "mean_error",
        "Mean actual distance": "mean_actual",
        "Mean predicted distance": "mean_predicted",
    }
    columns = [Column("Sample"), *([] if color_by is None else [Column(color_by.name)])]
    columns += [Column(label, number=True) for label in numbers]
    rows = []
    for sample, row in table.iloc[:WORST_SHOWN].iterrows():
        color = [] if color_by is None else [format_cell(row["color_by"])]
        values = [format_decimals(row[name], 3) for name in numbers.values()]
        rows.append([str(sample), *color, *values])
    blocks = [
        Figures([figure]),
        Note(words("notes", "worst_distances")),
        Table("worst-table", columns, rows),
        Download("samples", "the errors of every sample", table),
    ]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)
