"""Curves of a training run: losses, metrics, learning rate, gradient norm and speed."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .theme import BLUE, GREY, VERMILLION, inline_data, themed

PARTS = {"train": "training samples", "validation": "validation samples"}
_COLOURS = [BLUE, VERMILLION]
_DASHES = [[1, 0], [7, 3]]
_MOST_DOTTED_EPOCHS = 60
_LOGARITHMIC_FROM = 100  # largest over smallest value


def paired_names(history: pd.DataFrame) -> list[str]:
    """Name the losses and metrics of a history, from its ``train_`` and ``validation_`` columns."""
    names = [
        column.removeprefix(f"{part}_")
        for column in history.columns
        for part in PARTS
        if column.startswith(f"{part}_") and history[column].notna().any()
    ]
    return list(dict.fromkeys(names))


def chart_pair(
    history: pd.DataFrame, name: str, label: str, kept_epoch: int | None
) -> alt.LayerChart:
    """Draw one loss or metric for training and validation samples.

    Parameters
    ----------
    history : pd.DataFrame
        See `TrainingLog`.
    name : str
        What follows ``train_`` and ``validation_`` in its columns.
    label : str
        Title of the axis.
    kept_epoch : int or None
        Marked by a line.

    Returns
    -------
    alt.LayerChart
    """
    columns = {part: f"{part}_{name}" for part in PARTS if f"{part}_{name}" in history}
    records = [
        record
        for part, column in columns.items()
        for record in _records(history, column, PARTS[part])
    ]
    shown = list(dict.fromkeys(record["samples"] for record in records))
    places = [list(PARTS.values()).index(which) for which in shown]
    look = [
        alt.Color(
            "samples:N",
            title=None,
            scale=alt.Scale(domain=shown, range=[_COLOURS[place] for place in places]),
        ),
        alt.StrokeDash(
            "samples:N",
            title=None,
            scale=alt.Scale(domain=shown, range=[_DASHES[place] for place in places]),
        ),
    ]
    return _curve(records, label, look, kept_epoch)


def chart_single(
    history: pd.DataFrame, column: str, label: str, kept_epoch: int | None
) -> alt.LayerChart:
    """Draw one column of the history; see `chart_pair`."""
    records = _records(history, column, "")
    return _curve(records, label, [alt.ColorValue(BLUE)], kept_epoch, from_zero=True)


def _records(history: pd.DataFrame, column: str, samples: str) -> list[dict]:
    known = history[np.isfinite(history[column])]
    return [
        {"epoch": int(epoch), "value": float(f"{value:.7g}"), "samples": samples}
        for epoch, value in zip(known["epoch"], known[column])  # noqa: B905 - one frame
    ]


def _curve(
    records: list[dict], label: str, look: list, kept_epoch: int | None, from_zero: bool = False
) -> alt.LayerChart:
    epochs = {record["epoch"] for record in records}
    dotted = len(epochs) <= _MOST_DOTTED_EPOCHS
    lines = (
        alt.Chart(inline_data(records))
        .mark_line(strokeWidth=2.2, point={"size": 26, "filled": True} if dotted else False)
        .encode(
            alt.X(
                "epoch:Q",
                title="Epoch",
                axis=alt.Axis(tickMinStep=1, format="d"),
                scale=alt.Scale(zero=False, nice=False),
            ),
            alt.Y("value:Q", title=label, scale=_scale(records, from_zero)),
            *look,
            tooltip=[
                *([alt.Tooltip("samples:N")] if len(look) > 1 else []),
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("value:Q", format=".4~g"),
            ],
        )
    )
    layers = _kept_epoch_mark(kept_epoch, epochs) if kept_epoch in epochs else []
    # Room above the plot for the words at the kept epoch; a legend makes that room itself.
    padding = {"left": 6, "right": 6, "bottom": 6, "top": 20 if len(look) == 1 else 6}
    return themed(alt.layer(*layers, lines), height=280).properties(padding=padding)


def _kept_epoch_mark(kept_epoch: int, epochs: set[int]) -> list[alt.Chart]:
    late = kept_epoch > (min(epochs) + max(epochs)) / 2
    data = inline_data([{"epoch": kept_epoch, "words": f"kept: epoch {kept_epoch}"}])
    rule = alt.Chart(data).mark_rule(color=GREY, strokeWidth=1.5, strokeDash=[3, 3])
    words = alt.Chart(data).mark_text(
        align="right" if late else "left", dx=3 if late else -3, dy=-8, fontSize=12, color="#444"
    )
    x = alt.X("epoch:Q")
    return [rule.encode(x), words.encode(x, y=alt.value(0), text="words:N")]


def _scale(records: list[dict], from_zero: bool) -> alt.Scale:
    """Use a logarithmic axis where values span powers of ten."""
    values = [record["value"] for record in records]
    if values and min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM:
        return alt.Scale(type="log", nice=False)
    return alt.Scale(zero=from_zero)
