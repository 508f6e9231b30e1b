"""The page of evaluate-distances."""

from __future__ import annotations

from pathlib import Path

from .compared_distances import ComparedDistances
from .distance_distribution import error_bins, tabulate_distances
from .distance_figures import make_distance_figures
from .distance_scores import score_distances
from .distance_tables import samples_table, score_cells, scores_table, worst_rows
from .distance_words import describe_intervals, write_headline, write_warnings
from .ordinations import ordinate
from .page import write_page
from .point_colours import PointColours
from .sample_counts import counts_table


def write_distances_page(
    output_dir: str | Path,
    compared: ComparedDistances,
    colours: PointColours | None = None,
    random_seed: int = 0,
) -> None:
    """Write the comparison of two distance matrices as index.html with its downloads.

    Parameters
    ----------
    output_dir : str or Path
    compared : ComparedDistances
    colours : PointColours, optional
        Of the samples compared.
    random_seed : int
        Of the bootstrap, of the permutations and of the samples that are ordinated.
    """
    scores = score_distances(compared, random_seed)
    distribution = tabulate_distances(compared)
    bins = error_bins(distribution.errors)
    ordinations = ordinate(compared, random_seed)
    figures = make_distance_figures(distribution, bins, scores, ordinations, colours)
    by_sample = samples_table(distribution, colours)
    counts = [*compared.counts, *([] if colours is None else [colours.count_blanks()])]
    tables = {
        "scores": scores_table(scores),
        "error-by-distance": bins,
        "samples": by_sample,
        "counts": counts_table(counts),
    }
    if ordinations is not None:
        tables["ordinations"] = ordinations.coordinates
    cells = score_cells(scores)
    context = {
        "title": "Evaluation of predicted distances",
        "colour_name": None if colours is None else colours.name,
        "headline": write_headline(compared, scores, ordinations),
        "warnings": write_warnings(compared, scores, ordinations),
        "tiles": cells,
        "cells": cells,
        "n_samples": len(compared.ids),
        "n_pairs": compared.n_pairs,
        "intervals": describe_intervals(compared),
        "figures": {figure.name: figure for figure in figures},
        "worst": worst_rows(by_sample),
        "counts": [entry for entry in counts if entry.count],
    }
    write_page(output_dir, "distances.html", context, figures, tables)
