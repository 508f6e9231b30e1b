"""The page of find-learning-rate: what a range test found, and whether it is more than noise."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from scipy.stats import kendalltau

from ..storage.training_log import Setting
from . import style
from .formatting import MISSING, format_count, format_number, words
from .page import Card, Download, Section, Text, figure, write_page
from .samples import table_of_counts
from .style import short, tips
from .training import section_of_settings

_DIGITS = 2  # a third digit of a learning rate means nothing
_ROOM, _LOGARITHMIC_FROM = 0.04, 100  # of the axis, above and below; largest over smallest loss
_LARGEST_P = 1e-4  # of a fall: small, as the lowest of many points ends it
_SMALLEST_TAU = -0.25  # rank correlation of loss and step: weaker falls say little about where
_FEWEST_STEPS = 10


def write_learning_rate_page(
    output_dir: str | Path, curve: pd.DataFrame, suggestion: float | None, diverged: bool, *,
    action: str, target: str | None, settings: Sequence[Setting], data: Sequence[dict],
) -> None:  # fmt: skip
    """Write the result of a range test, whose curve has a row a step: learning_rate, loss,
    smoothed_loss. The suggestion is the rate of the steepest fall, None if there was none.
    """
    suggestion = suggestion if has_clear_slope(curve) else None
    chart = chart_learning_rate(curve, suggestion)
    one = figure("loss-by-learning-rate", chart, "curve", len(curve), wide=True)
    blocks = [[one], Download("curve", "every step", curve)]
    use = [words("notes", "rate_use")]
    if suggestion is not None:
        frozen = {one.value for one in settings if one.name == "freeze_encoder"}
        how = "--p-attention-head on " if frozen == {True} else ""  # else nothing learns in steps
        how += "--p-no-freeze-encoder " if frozen == {False} and action != "pretrain" else ""
        command = f"qiime aam {action} {how}--p-learning-rate {_write_rate(suggestion)} \u2026"
        use.insert(0, Text(command, tag="pre"))
    counts = table_of_counts(data, "data-table")
    sections = [
        Section("curve", "Curve", "Curve", blocks),
        Section("use", "How to use it", "How to use it", use),
        Section("data", "Data", "Data used and dropped", [counts]),
        section_of_settings(settings),
    ]
    lowest = curve.loc[curve["smoothed_loss"].idxmin()]
    cards = [
        Card("suggested learning rate", _write_rate(suggestion)),
        Card("lowest average loss", format_number(lowest["smoothed_loss"])),
        Card("at a learning rate of", _write_rate(lowest["learning_rate"])),
        Card("steps", format_count(len(curve))),
    ]
    if diverged:
        cards.append(Card("stopped at", _write_rate(curve["learning_rate"].iloc[-1])))
    heading = escape(f"Learning rate for {action}")
    heading += "" if target is None else Markup(": <em>{}</em>").format(target)
    low, high = (_write_rate(curve["learning_rate"].iloc[place]) for place in (0, -1))
    headline, rose = "no_rate", f"while the learning rate rose from {low} to {high}"
    if suggestion is not None:
        headline, rose = "rate_headline", rose.capitalize()
    headline = words("notes", headline, rose=rose, rate=_write_rate(suggestion), action=action)
    warnings = write_warnings(curve, suggestion, diverged)
    write_page(output_dir, "Learning-rate range test", heading, headline, sections, cards, warnings)


def has_clear_slope(curve: pd.DataFrame) -> bool:
    """Say whether the batches' losses fall, up to their lowest average, more than noise does."""
    lowest = int(curve["smoothed_loss"].to_numpy().argmin())
    losses = curve["loss"].to_numpy()[: lowest + 1]
    if len(losses) < _FEWEST_STEPS:
        return False
    # of ranks: what single batches do beside their neighbors cannot make a slope
    tau, p_value = kendalltau(np.arange(len(losses)), losses)
    return bool(tau <= _SMALLEST_TAU and p_value <= _LARGEST_P)


def _write_rate(rate: float | None) -> str:
    """Write a learning rate as it can be typed on a command line, or a dash."""
    return MISSING if rate is None else f"{rate:.{_DIGITS}g}"


def write_warnings(curve: pd.DataFrame, suggestion: float | None, diverged: bool) -> list[str]:
    """Point at what the curve suggests to do differently."""
    if suggestion is None:
        return [words("notes", "rate_unclear")]
    lowest = int(curve["smoothed_loss"].to_numpy().argmin())
    start, end = curve["learning_rate"].iloc[[0, -1]]
    found = {
        "rate_falling": not diverged and lowest >= len(curve) - 2,
        "rate_early": suggestion < start * (end / start) ** 0.15,
    }
    return [words("notes", name) for name, holds in found.items() if holds]


def chart_learning_rate(curve: pd.DataFrame, suggestion: float | None) -> alt.LayerChart:
    """Draw the loss of each batch and its moving average over the learning rate."""
    drawn = curve[["learning_rate", "loss", "smoothed_loss"]].apply(lambda one: one.map(short))
    drawn = drawn.rename(columns={"smoothed_loss": "average"})
    records = drawn.assign(step=range(1, len(drawn) + 1)).to_dict("records")
    axis, scale = alt.Axis(format="~g"), alt.Scale(type="log", nice=False)
    x = alt.X("learning_rate:Q", title="Learning rate", scale=scale, axis=axis)
    scale = _loss_scale(curve)
    numbers = {"step": "d", "learning_rate": ".3~g", "loss": ("loss of the batch", ".4~g")}
    numbers["average"] = ("moving average", ".4~g")
    base = style.chart_of(records).encode(x)
    points = base.mark_point(filled=True, size=22, color=style.GREY, fillOpacity=0.55, clip=True)
    line = base.mark_line(strokeWidth=2.5, color=style.BLUE, clip=True)
    layers = [
        points.encode(alt.Y("loss:Q", title="Loss", scale=scale), tooltip=tips(**numbers)),
        line.encode(alt.Y("average:Q", title="Loss", scale=scale)),
    ]
    if suggestion is not None:
        late = suggestion > np.sqrt(curve["learning_rate"].iloc[[0, -1]].prod())
        rule = {"color": style.VERMILLION, "strokeWidth": 2, "strokeDash": [5, 3]}
        text = {"dy": -9, "fontSize": 13, "color": "#222"}
        label, x = (
            f"suggested: {_write_rate(suggestion)}",
            alt.X(x.shorthand, title="Learning rate"),
        )
        layers += style.mark_at(suggestion, label, x, late, rule, text)
    padding = {"left": 6, "right": 6, "bottom": 6, "top": 22}  # room for the words of the mark
    return style.themed(*layers, height=380).properties(padding=padding)


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
