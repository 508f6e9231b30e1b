"""The figures of evaluate-distances, each with the words that say how to read it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .distance_charts import (
    ORDINATED,
    POINTS,
    chart_density,
    chart_error_by_distance,
    chart_ordination,
    chart_sample_errors,
)
from .distance_distribution import DistanceDistribution, density_cells
from .distance_scores import DistanceScores
from .drawn_points import choose_drawn_points, thinning_note
from .figure import Figure
from .number_format import format_decimals, format_number
from .ordinations import PERMUTATIONS, Ordinations
from .point_colours import PointColours


def make_distance_figures(
    distribution: DistanceDistribution,
    bins: pd.DataFrame,
    scores: DistanceScores,
    ordinations: Ordinations | None,
    colours: PointColours | None,
) -> list[Figure]:
    """Make every figure of the page.

    Parameters
    ----------
    distribution : DistanceDistribution
    bins : pd.DataFrame
        From `error_bins`.
    scores : DistanceScores
    ordinations : Ordinations, optional
    colours : PointColours, optional

    Returns
    -------
    list of Figure
    """
    figures = [_density_figure(distribution, scores), _error_figure(bins)]
    if ordinations is not None:
        figures += _ordination_figures(ordinations, distribution.by_sample, colours)
    return [*figures, _sample_figure(distribution.by_sample, colours)]


def _density_figure(distribution: DistanceDistribution, scores: DistanceScores) -> Figure:
    cells = density_cells(distribution.grid)
    width = cells[0]["actual_to"] - cells[0]["actual_from"]
    caption = (
        f"Every pair of samples is counted in a cell {width:g} wide; the darker a "
        "cell, the more pairs (note the logarithmic scale). Perfect predictions lie on the solid "
        "1:1 line. "
    )
    if np.isfinite(scores.slope):
        caption += (
            f"The dashed line is the least-squares fit (slope {format_number(scores.slope)}; a "
            "slope below 1 means that small distances are predicted too large and large ones too "
            "small)."
        )
    chart = chart_density(cells, scores)
    return Figure(
        "predicted-against-actual", "Predicted against actual", chart, caption, len(cells)
    )


def _error_figure(bins: pd.DataFrame) -> Figure:
    return Figure(
        "error-by-distance",
        "Where the model errs",
        chart_error_by_distance(bins),
        "For ranges of the actual distance: the median error (point), the middle half of the "
        "errors (thick bar) and 90 % of them (thin bar). Above zero, distances are predicted too "
        "large. Long bars mean that pairs of this distance are hard to predict.",
        3 * len(bins),
    )


def _ordination_figures(
    ordinations: Ordinations, by_sample: pd.DataFrame, colours: PointColours | None
) -> list[Figure]:
    shown = ordinations.coordinates.join(by_sample["mean_absolute_error"])
    records = {ORDINATED: _records(shown, colours)}
    colour_words = "" if colours is None else colours.describe()
    note = ""
    if len(shown) < ordinations.n_samples:
        note = (
            f" Both show the same {len(shown):,} of {ordinations.n_samples:,} samples, chosen at "
            "random."
        )
    own = " and ".join(f"{100 * share:.1f} %" for share in ordinations.predicted_explained)
    actual = Figure(
        "actual-ordination",
        "Ordination of the actual distances",
        chart_ordination(ordinations, "actual", colours),
        "Principal coordinates: samples that are near each other are alike. Compare with the "
        f"predicted ones: points should lie in the same places.{colour_words}{note}",
        len(shown),
        datasets=records,
    )
    predicted = Figure(
        "predicted-ordination",
        "Ordination of the predicted distances",
        chart_ordination(ordinations, "predicted", colours),
        "Turned, mirrored and scaled to lie as well as possible on the actual ordination "
        f"(Procrustes), on the same axes. Its own first two axes hold {own} of the variation. "
        f"Disparity {format_decimals(ordinations.disparity, 2)} (0: the same shape, 1: nothing in "
        f"common), p = {ordinations.p_value:.3f} from {PERMUTATIONS} random pairings "
        f"of the samples.{colour_words}{note}",
        len(shown),
        datasets=records,
    )
    return [actual, predicted]


def _sample_figure(by_sample: pd.DataFrame, colours: PointColours | None) -> Figure:
    drawn = choose_drawn_points(by_sample.assign(error=by_sample["mean_absolute_error"]))
    note = thinning_note(len(drawn), len(by_sample))
    return Figure(
        "error-by-sample",
        "Which samples are predicted badly",
        chart_sample_errors(len(drawn), colours),
        "Each point is a sample: how far off its distances to the others are on average, over how "
        "far it is from them. Points far above the rest are samples that the model misjudges; "
        f"hover to see which.{'' if colours is None else colours.describe()}{note}",
        len(drawn),
        wide=True,
        datasets={POINTS: _records(drawn.drop(columns="error"), colours)},
    )


def _records(frame: pd.DataFrame, colours: PointColours | None) -> list[dict]:
    """Turn samples into the records that a chart reads, without digits that no screen shows."""
    records = []
    for sample, row in zip(frame.index, frame.to_dict("records"), strict=True):
        record = {"sample": sample} | {name: float(f"{v:.5g}") for name, v in row.items()}
        records.append(record if colours is None else record | colours.fields_of(sample))
    return records
