"""The page of find-learning-rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..storage.training_log import Setting
from .figure import Figure
from .learning_rate_chart import chart_learning_rate
from .learning_rate_words import write_command, write_headline, write_rate, write_warnings
from .number_format import format_number
from .page import write_page
from .settings_table import setting_rows, settings_table


def write_learning_rate_page(
    output_dir: str | Path,
    curve: pd.DataFrame,
    suggestion: float | None,
    diverged: bool,
    *,
    action: str,
    target: str | None,
    settings: Sequence[Setting],
    data: Sequence[dict],
) -> None:
    """Write the result of a learning-rate range test as index.html with its downloads.

    Parameters
    ----------
    output_dir : str or Path
    curve : pd.DataFrame
        One row a step (index ``step 1``, …): learning_rate, loss and smoothed_loss.
    suggestion : float or None
        The rate of the steepest fall; None if the loss never clearly fell.
    diverged : bool
        Whether the loss exploded before the highest rate.
    action : str
        As which the model was trained: ``pretrain``, ``fit-regressor`` or ``fit-classifier``.
    target : str or None
        The metadata column that was learned.
    settings : sequence of Setting
    data : sequence of dict
        What was read and dropped, as in a training log.
    """
    figure = Figure(
        "loss-by-learning-rate",
        "Loss while the learning rate rose",
        chart_learning_rate(curve, suggestion),
        "Each point is the loss of one batch before its step, the line their moving average. From "
        "left to right, the line stays level while steps are too small to matter, falls while the "
        "model learns, and rises once steps are too large. A good learning rate lies where it "
        "falls steeply, well before its lowest point.",
        len(curve),
        wide=True,
    )
    context = {
        "title": "Learning-rate range test",
        "action": action,
        "target": target,
        "headline": write_headline(curve, suggestion, action),
        "warnings": write_warnings(curve, suggestion, diverged),
        "tiles": _tiles(curve, suggestion, diverged),
        "figure": figure,
        "command": write_command(suggestion, action),
        "settings": setting_rows(settings),
        "data": list(data),
    }
    tables = {"curve": curve, "settings": settings_table(settings)}
    write_page(output_dir, "learning_rate.html", context, [figure], tables)


def _tiles(curve: pd.DataFrame, suggestion: float | None, diverged: bool) -> list[dict]:
    lowest = curve.loc[curve["smoothed_loss"].idxmin()]
    tiles = [
        ("suggested learning rate", write_rate(suggestion)),
        ("lowest average loss", format_number(lowest["smoothed_loss"])),
        ("at a learning rate of", write_rate(lowest["learning_rate"])),
        ("steps", format_number(len(curve))),
    ]
    if diverged:
        tiles.append(("stopped at", write_rate(curve["learning_rate"].iloc[-1])))
    return [{"label": label, "value": value, "detail": ""} for label, value in tiles]
