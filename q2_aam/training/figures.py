"""TensorBoard events: curves that overlay training and validation, and figures of predictions."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from torch.utils.tensorboard import SummaryWriter

from ..config import CLASSIFICATION
from ..storage.training_log import TENSORBOARD_EVENTS
from .objectives import objective_of

PARTS = ("train", "validation")
_MOST_POINTS = 4000
_MOST_NUMBERED, _MOST_NAMED = 20, 40  # classes whose counts, or names, fit
_LONGEST_NAME = 24
_PARTS = {"validation": "validation", "train": "training"}


def write_events(
    folder: str | Path, history: pd.DataFrame, figures: dict | None = None, part: str = "", epoch=0
) -> None:
    """Write a history as TensorBoard events.

    A loss or metric stands under one name in both runs, ``train`` and ``validation``, so that
    TensorBoard draws both curves into one chart. The files' names carry no host name.

    Parameters
    ----------
    folder : str or Path
        Of the training log.
    history : pd.DataFrame
        One row an epoch.
    figures : dict of str to matplotlib Figure, optional
        By name (see `draw_predictions`), of the samples of a `part` and the weights of an `epoch`.
    """
    for run in PARTS:
        target = Path(folder) / TENSORBOARD_EVENTS[run]
        target.parent.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            with SummaryWriter(scratch) as writer, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names may hold letters that the font lacks
                for name in history:
                    _write_column(writer, run, name, history)
                for name, figure in (figures or {}).items() if run == part else ():
                    time = history["seconds"].sum()
                    writer.add_figure(name, figure, epoch, close=False, walltime=time)
            (events,) = Path(scratch).iterdir()
            target.write_bytes(events.read_bytes())


def write_live_events(run_folder: Path, history: list[dict[str, float]]) -> None:
    """Write the events of an unfinished run anew; a viewer sees the same file, longer."""
    with tempfile.TemporaryDirectory(dir=run_folder) as scratch:
        write_events(scratch, pd.DataFrame(history))
        for name in TENSORBOARD_EVENTS.values():
            target = run_folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / name).replace(target)


def _write_column(writer: SummaryWriter, run: str, name: str, history: pd.DataFrame) -> None:
    prefix, _, rest = name.partition("_")
    shared = prefix not in PARTS
    if name == "epoch" or (shared and run != "train") or (not shared and prefix != run):
        return
    elapsed = history["seconds"].cumsum()  # as wall time: the same events from the same history
    for epoch, value, seconds in zip(history["epoch"], history[name], elapsed, strict=True):
        if pd.notna(value):
            writer.add_scalar(name if shared else rest, value, int(epoch), walltime=seconds)


def draw_predictions(final, info: Callable[[str], None]) -> dict:
    """Draw what there is to see of final predictions.

    Parameters
    ----------
    final : q2_aam.training.evaluation.FinalPredictions
    info : callable
        Prints a line; told if there is nothing to draw with.

    Returns
    -------
    dict of str to matplotlib Figure
        By name; none without matplotlib, which training can do without.
    """
    drawings = {}
    if final.predictions is not None:
        classes = final.target.kind == CLASSIFICATION
        name = "confusion_matrix" if classes else "predicted_against_actual"
        drawings[name] = _draw_classes if classes else _draw_values
    if final.distances is not None:
        drawings["unifrac_predicted_against_actual"] = _draw_distances
    try:
        import PIL.Image  # noqa: F401 - TensorBoard stores figures with it
        from matplotlib.figure import Figure
    except ImportError:
        if drawings:
            info("TensorBoard gets no figures of predictions: matplotlib is not installed here.")
        return {}
    found = {}
    for name, draw in drawings.items():
        found[name] = Figure(figsize=(6.4, 6.4), dpi=110, layout="constrained")
        draw(found[name].add_subplot(), final)
    return found


def _draw_values(axes, final) -> None:
    predicted, actual = objective_of(final.target).in_units(final.predictions, final.targets)
    _draw_against(axes, predicted, actual, f"{final.samples:,} {_PARTS[final.part]} samples")
    name = _plain(final.target.name)
    axes.set(xlabel=f"Predicted {name}", ylabel=f"Actual {name}")


def _draw_distances(axes, final) -> None:
    predicted, actual = final.distances
    _draw_against(axes, predicted, actual, f"{len(actual):,} pairs of {_PARTS[final.part]} samples")
    axes.set(xlabel="Predicted UniFrac", ylabel="Actual UniFrac")


def _draw_against(axes, predicted: np.ndarray, actual: np.ndarray, what: str) -> None:
    """Draw points with the 1:1 line, and write the scores above."""
    from sklearn.metrics import PredictionErrorDisplay, mean_absolute_error, r2_score

    r2 = f"{r2_score(actual, predicted):.3f}" if actual.min() < actual.max() else "–"
    error = mean_absolute_error(actual, predicted)
    PredictionErrorDisplay.from_predictions(
        actual,
        predicted,
        kind="actual_vs_predicted",
        subsample=_MOST_POINTS if len(actual) > _MOST_POINTS else None,
        random_state=0,
        ax=axes,
        scatter_kwargs={"s": 8 if len(actual) > 400 else 28, "alpha": 0.5, "linewidths": 0},
    )
    axes.set_title(f"R² {r2}, MAE {error:.3g}\n{what}")


def _draw_classes(axes, final) -> None:
    """Draw counts by actual and predicted class, or fractions of the actual class if many."""
    from sklearn.metrics import (
        ConfusionMatrixDisplay,
        accuracy_score,
        precision_recall_fscore_support,
    )

    names, actual = final.target.classes, final.targets
    predicted, few = final.predictions.argmax(axis=1), len(names) <= _MOST_NUMBERED
    display = ConfusionMatrixDisplay.from_predictions(
        actual,
        predicted,
        labels=range(len(names)),
        display_labels=[_plain(name) for name in names],
        include_values=few,
        normalize=None if few else "true",
        xticks_rotation="vertical",
        cmap="Blues",
        ax=axes,
    )
    if len(names) > _MOST_NAMED:
        display.ax_.set(xticks=[], yticks=[])
    name = _plain(final.target.name)
    axes.set(xlabel=f"Predicted {name}", ylabel=f"Actual {name}")
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, average="macro", zero_division=0
    )
    accuracy = accuracy_score(actual, predicted)
    axes.set_title(
        f"accuracy {accuracy:.3f}, precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}\n"
        f"{final.samples:,} {_PARTS[final.part]} samples; means of the classes that they have",
        fontsize=9,
    )


def _plain(name: str) -> str:
    """Shorten a name, and keep matplotlib from reading formulas in it."""
    name = " ".join(name.split())
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return name.replace("$", r"\$")
