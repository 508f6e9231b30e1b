"""The chart of a learning-rate range test."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .learning_rate_words import write_rate
from .theme import BLUE, GREY, VERMILLION, inline_data, themed

_ROOM = 0.04  # of the axis, above and below
_LOGARITHMIC_FROM = 100  # largest over smallest loss


def chart_learning_rate(curve: pd.DataFrame, suggestion: float | None) -> alt.LayerChart:
    """Draw the loss of each batch and its moving average over the learning rate.

    Parameters
    ----------
    curve : pd.DataFrame
        With the columns learning_rate, loss and smoothed_loss.
    suggestion : float or None
        Marked by a line.

    Returns
    -------
    alt.LayerChart
    """
    records = [
        {
            "step": step + 1,
            "rate": _short(row["learning_rate"]),
            "loss": _short(row["loss"]),
            "average": _short(row["smoothed_loss"]),
        }
        for step, row in enumerate(curve.to_dict("records"))
    ]
    base = alt.Chart(inline_data(records))
    x = alt.X(
        "rate:Q",
        title="Learning rate",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~g", tickCount=6),
    )
    scale = _loss_scale(curve)
    tooltip = [
        alt.Tooltip("step:Q"),
        alt.Tooltip("rate:Q", title="learning rate", format=".3~g"),
        alt.Tooltip("loss:Q", title="loss of the batch", format=".4~g"),
        alt.Tooltip("average:Q", title="moving average", format=".4~g"),
    ]
    points = base.mark_point(filled=True, size=22, color=GREY, opacity=0.55, clip=True)
    line = base.mark_line(strokeWidth=2.5, color=BLUE, clip=True)
    layers = [
        points.encode(x, alt.Y("loss:Q", title="Loss", scale=scale), tooltip=tooltip),
        line.encode(x, alt.Y("average:Q", title="Loss", scale=scale)),
    ]
    if suggestion is not None:
        layers += _mark(suggestion, curve["learning_rate"])
    padding = {"left": 6, "right": 6, "bottom": 6, "top": 22}  # room for the words of the mark
    return themed(alt.layer(*layers), height=380).properties(padding=padding)


def _loss_scale(curve: pd.DataFrame) -> alt.Scale:
    """Leave out single batches that would flatten the curve: they are cut at the frame."""
    smoothed = curve["smoothed_loss"].to_numpy()
    low = float(min(np.quantile(curve["loss"], 0.02), smoothed.min()))
    before_end = smoothed[:-1] if len(smoothed) > 1 else smoothed
    high = float(max(np.quantile(curve["loss"], 0.9), before_end.max()))
    if low > 0 and high / low >= _LOGARITHMIC_FROM:
        return alt.Scale(type="log", domain=[low, high], nice=False)
    room = _ROOM * (high - low) or 1.0
    return alt.Scale(domain=[low - room, high + room], nice=False, zero=False)


def _mark(suggestion: float, rates: pd.Series) -> list[alt.Chart]:
    late = suggestion > float(np.sqrt(rates.iloc[0] * rates.iloc[-1]))
    words = f"suggested: {write_rate(suggestion)}"
    data = inline_data([{"rate": suggestion, "words": words}])
    rule = alt.Chart(data).mark_rule(color=VERMILLION, strokeWidth=2, strokeDash=[5, 3])
    text = alt.Chart(data).mark_text(
        align="right" if late else "left", dx=3 if late else -3, dy=-9, fontSize=13, color="#222"
    )
    x = alt.X("rate:Q")
    return [rule.encode(x), text.encode(x, y=alt.value(0), text="words:N")]


def _short(value: float) -> float:
    """Drop digits that no screen shows, to keep the page small."""
    return float(f"{value:.6g}")
