"""Errors by group: which subject, site or cage is predicted badly."""

from __future__ import annotations

import altair as alt
import pandas as pd

from .drawn_points import POINTS
from .evaluated_samples import EvaluatedSamples
from .theme import BLACK, BLUE, GREY, inline_data, shared_data, themed

MOST_GROUPS = 30


def error_by_group(samples: EvaluatedSamples) -> pd.DataFrame:
    """Summarise the errors of each group, the largest mean absolute error first.

    Parameters
    ----------
    samples : EvaluatedSamples
        With groups.

    Returns
    -------
    pd.DataFrame
        Index: group (``id``). Columns: samples, mean_absolute_error, median_error.
    """
    by_group = samples.frame["error"].groupby(samples.frame["group"], sort=True)
    table = pd.DataFrame(
        {
            "samples": by_group.size(),
            "mean_absolute_error": by_group.apply(lambda errors: errors.abs().mean()),
            "median_error": by_group.median(),
        }
    )
    table.index.name = "id"
    return table.sort_values("mean_absolute_error", ascending=False, kind="stable")


def chart_error_by_group(samples: EvaluatedSamples, table: pd.DataFrame) -> alt.LayerChart:
    """Draw every error of the groups predicted worst, and each group's median.

    Parameters
    ----------
    samples : EvaluatedSamples
        The points come from the page's data set `POINTS`.
    table : pd.DataFrame
        From `error_by_group`.

    Returns
    -------
    alt.LayerChart
    """
    shown = [str(name) for name in table.index[:MOST_GROUPS]]
    y = alt.Y("group:N", title=None, sort=shown, scale=alt.Scale(domain=shown))
    x = alt.X("error:Q", title=f"Error (predicted \u2212 actual {samples.target})")
    medians = [
        {"group": str(name), "error": float(row["median_error"]), "samples": int(row["samples"])}
        for name, row in table.iloc[:MOST_GROUPS].iterrows()
    ]
    zero = alt.Chart(inline_data([{}])).mark_rule(color=GREY).encode(x=alt.datum(0))
    dots = (
        alt.Chart(shared_data(POINTS))
        .transform_filter(alt.FieldOneOfPredicate(field="group", oneOf=shown))
        .mark_circle(color=BLUE, opacity=0.55, size=40, aria=False)
        .encode(x, y, tooltip=["sample:N", "group:N", "error:Q"])
    )
    ticks = (
        alt.Chart(inline_data(medians))
        .mark_tick(color=BLACK, thickness=3, size=15)
        .encode(x, y, tooltip=["group:N", alt.Tooltip("error:Q", format=".3~g"), "samples:Q"])
    )
    return themed(alt.layer(zero, dots, ticks), height=24 * len(shown) + 6)
