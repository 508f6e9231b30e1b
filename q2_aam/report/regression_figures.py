"""The figures of evaluate-regression, each with the words that say how to read it."""

from __future__ import annotations

import pandas as pd

from .drawn_points import POINTS, choose_drawn_points, point_records, thinning_note
from .evaluated_samples import EvaluatedSamples
from .figure import Figure
from .group_charts import MOST_GROUPS, chart_error_by_group
from .number_format import format_number
from .regression_charts import (
    MOST_COLOURED_GROUPS,
    chart_error_distribution,
    chart_errors_against_actual,
    chart_predicted_against_actual,
    chart_share_within_error,
    fit_line,
)
from .regression_scores import RegressionScores


def make_regression_figures(
    samples: EvaluatedSamples, scores: RegressionScores, groups: pd.DataFrame | None
) -> list[Figure]:
    """Make every figure of the page.

    Parameters
    ----------
    samples : EvaluatedSamples
    scores : RegressionScores
    groups : pd.DataFrame, optional
        From `error_by_group`.

    Returns
    -------
    list of Figure
    """
    drawn = choose_drawn_points(samples.frame)
    n_drawn, points = len(drawn), {POINTS: point_records(drawn, samples.colours)}
    note = thinning_note(n_drawn, len(samples.frame))
    figures = [
        _predicted_figure(samples, points, "predicted", note),
        Figure(
            "errors-against-actual",
            "Where the model errs",
            chart_errors_against_actual(samples, n_drawn),
            "Points above zero were predicted too high. The line joins the median errors of "
            "ranges of the true value that hold equally many samples: where it leaves zero, the "
            "model errs in one direction. A line that falls from left to right means that "
            f"predictions are drawn towards the middle.{_colour_words(samples)}{note}",
            n_drawn,
            datasets=points,
        ),
        Figure(
            "error-distribution",
            "How large the errors are",
            chart_error_distribution(samples),
            "Counts of all samples by error; the line marks zero. A heap beside zero means "
            "predictions that are too high (right) or too low (left) throughout.",
            wide=samples.has_baseline,  # fills the row: there are three figures then
        ),
        Figure(
            "share-within-error",
            "How many samples are predicted well enough",
            chart_share_within_error(samples, scores.constant),
            "Pick the error that you can live with: the height of a line is the share of samples "
            "predicted at least that well. The higher line is better. The constant always answers "
            f"{format_number(scores.constant)}, the {scores.constant_is}.",
        ),
    ]
    if samples.has_baseline:
        figures.append(_predicted_figure(samples, points, "baseline", note))
    if groups is not None:
        figures.append(_group_figure(samples, points, groups, note))
    return figures


def _predicted_figure(samples, points: dict, predictor: str, note: str) -> Figure:
    caption = "Each point is a sample; a perfect prediction lies on the solid 1:1 line. "
    fitted = fit_line(samples.frame["actual"], samples.frame[predictor])
    if fitted is not None:
        caption += (
            f"The dashed line is the least-squares fit (slope {format_number(fitted[0])}; a slope "
            "below 1 means that the extremes are predicted too near the middle). "
        )
    if predictor == "predicted":
        if samples.has_intervals:
            caption += "Vertical bars are the prediction intervals. "
        names = [] if samples.group_name is None else set(samples.frame["group"])
        if len(names) > MOST_COLOURED_GROUPS and samples.colours is None:
            caption += f"There are {len(names)} groups, too many for colours: hover to see them. "
        title, name = "Predicted against actual", "predicted-against-actual"
    else:
        caption += "Same axes as for the model. "
        title, name = "The baseline: predicted against actual", "baseline-against-actual"
    n_drawn = len(points[POINTS])
    chart = chart_predicted_against_actual(samples, n_drawn, predictor)
    return Figure(
        name,
        title,
        chart,
        caption.strip() + _colour_words(samples) + note,
        2 * n_drawn,
        datasets=points,
    )


def _colour_words(samples: EvaluatedSamples) -> str:
    return "" if samples.colours is None else samples.colours.describe()


def _group_figure(samples, points: dict, groups: pd.DataFrame, note: str) -> Figure:
    caption = (
        "One row per group, the largest mean absolute error on top; points are samples, the bar "
        "is the group's median. A row far from zero is a group that the model misjudges as a whole."
    )
    if len(groups) > MOST_GROUPS:
        caption += f" Shown are {MOST_GROUPS} of {len(groups)} groups; the table has all."
    return Figure(
        "error-by-group",
        f"Errors by {samples.group_name}",
        chart_error_by_group(samples, groups),
        caption + note,
        len(points[POINTS]),
        wide=True,
        datasets=points,
    )
