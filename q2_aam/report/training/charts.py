"""Curves of a training run: losses, metrics, learning rate, gradient norm and speed."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .. import style
from ..page import Figure
from ..style import by_name, chart_of, themed, tips
from ..words import parts

PARTS = {"train": "training samples", "validation": "validation samples"}
_LOOKS = {"train": (style.BLACK, [1, 0]), "validation": (style.ORANGE, [7, 3])}
_SINGLES = ("learning_rate", "gradient_norm", "samples_per_second", "skipped_steps")
_MOST_DOTTED_EPOCHS = 60
_LOGARITHMIC_FROM = 100  # largest over smallest value


def words_for(name: str, classes: bool = False) -> list[str]:
    """Return title, axis and reading of a curve; one that is unknown is called by its own name."""
    found = parts("curves", "class_loss" if classes and name == "target_loss" else name)
    if len(found) == 3:
        return found
    label = name.replace("_", " ")
    label = label[:1].upper() + label[1:]
    return [label, label, f"{label} over the epochs."]


def paired_names(history: pd.DataFrame) -> list[str]:
    """Name losses and metrics, from the ``train_`` and ``validation_`` columns.

    A total that is nothing but the target's loss is left out.
    """
    names = dict.fromkeys(
        column.removeprefix(f"{part}_")
        for column in history.columns
        for part in PARTS
        if column.startswith(f"{part}_") and history[column].notna().any()
    )
    pairs = [(history.get(f"{p}_loss"), history.get(f"{p}_target_loss")) for p in PARTS]
    known = [(total, target) for total, target in pairs if total is not None]
    if known and all(b is not None and np.allclose(a, b, equal_nan=True) for a, b in known):
        names.pop("loss", None)
    return list(names)


def single_names(history: pd.DataFrame) -> list[str]:
    """Name the curves without a validation counterpart that a history has."""
    return [name for name in _SINGLES if name in history and history[name].notna().any()]


def make_figures(
    history: pd.DataFrame, classes: bool, kept: int | None, not_kept: float, head: str
) -> list[Figure]:
    """Make a figure of every curve.

    Parameters
    ----------
    history : pd.DataFrame
        See `TrainingLog`.
    classes : bool
        Whether the target is a class.
    kept : int or None
        The epoch kept.
    not_kept : float
        Last epoch of those that may not be kept.
    head : str
        The head that the curves are of, put before their titles; may be empty.
    """
    figures = []
    for name in paired_names(history) + single_names(history):
        title, axis, caption = words_for(name, classes)
        chart = chart_curve(history, name, axis, kept, not_kept)
        title = f"{head}: {title}" if head else title
        # File names are ours: a column's own name may hold anything.
        file = f"curve-{len(figures) + 1}"
        figures.append(Figure(file, title, caption, chart, "history"))
    return figures


def chart_curve(
    history: pd.DataFrame, name: str, label: str, kept: int | None = None, not_kept: float = 0
) -> alt.LayerChart:
    """Draw one column of the history, or one loss or metric of training and validation samples."""
    parts = {name: ""}
    if name not in history:
        parts = {f"{p}_{name}": words for p, words in PARTS.items() if f"{p}_{name}" in history}
    records = [
        {"epoch": int(epoch), "value": style.short(value), "samples": words}
        for column, words in parts.items()
        for epoch, value in history.loc[np.isfinite(history[column]), ["epoch", column]].to_numpy()
    ]
    epochs, values = ({record[key] for record in records} for key in ("epoch", "value"))
    spans = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM
    scale = alt.Scale(type="log", nice=False) if spans else alt.Scale(zero=name in history)
    point = {"size": 26, "filled": True} if len(epochs) <= _MOST_DOTTED_EPOCHS else False
    axis = alt.Axis(tickMinStep=1, format="d")
    x = alt.X("epoch:Q", title="Epoch", axis=axis, scale=alt.Scale(zero=False, nice=False))
    line = chart_of(records).mark_line(strokeWidth=2.2, point=point, color=style.BLUE)
    line = line.encode(x, alt.Y("value:Q", title=label, scale=scale))
    line = line.encode(tooltip=tips(epoch="d", value=".4~g"))
    if name not in history:
        shown = [part for part in PARTS if f"{part}_{name}" in history]
        colors, dashes = zip(*(_LOOKS[part] for part in shown), strict=True)
        shown = [PARTS[part] for part in shown]
        line = line.encode(
            by_name(alt.Color, "samples:N", shown, colors),
            by_name(alt.StrokeDash, "samples:N", shown, dashes),
            tooltip=tips("samples", epoch="d", value=".4~g"),
        )
    layers = [line]
    if kept in epochs:
        layers = [*_shade(min(epochs), not_kept), *_kept_mark(kept, epochs), line]
    # Room above the plot for the words at the kept epoch; a legend makes that room itself.
    padding = {"left": 6, "right": 6, "bottom": 6, "top": 20 if name in history else 6}
    return themed(*layers, height=280).properties(padding=padding)


def _shade(first: int, not_kept: float) -> list[alt.Chart]:
    """Shade the epochs that may not be kept."""
    if not_kept <= first:
        return []
    data = chart_of([{"from": first, "to": not_kept}])
    band = data.mark_rect(color=style.GREY, opacity=0.12)
    return [band.encode(alt.X("from:Q", title="Epoch"), alt.X2("to:Q"))]


def _kept_mark(kept: int, epochs: set[int]) -> list[alt.Chart]:
    late = kept > (min(epochs) + max(epochs)) / 2
    data = chart_of([{"epoch": kept, "words": f"kept: epoch {kept}"}])
    rule = data.mark_rule(color=style.GREY, strokeWidth=1.5, strokeDash=[3, 3])
    align = {"align": "right" if late else "left", "dx": 3 if late else -3}
    words = data.mark_text(dy=-8, fontSize=12, color="#444", **align)
    x = alt.X("epoch:Q", title="Epoch")
    return [rule.encode(x), words.encode(x, y=alt.value(0), text="words:N")]
