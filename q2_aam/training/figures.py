"""TensorBoard events: curves that overlay training and validation, and figures of predictions."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from torch.utils.tensorboard import SummaryWriter

from ..config.target import CLASSIFICATION
from ..storage.training_log import TENSORBOARD_EVENTS
from .objectives import objective_of

_MOST_POINTS = 4000
_MOST_NUMBERED, _MOST_NAMED = 20, 40  # classes whose counts, or names, fit
_LONGEST_NAME = 24
_PARTS = {"train": "training", "validation": "validation"}


def write_events(
    folder: str | Path, history: pd.DataFrame, figures: dict | None = None, part: str = "", epoch=0
) -> None:
    """Write a history, one row an epoch, as TensorBoard events into a training log's folder.

    A loss or metric stands under one name in both runs, ``train`` and ``validation``, so that one
    chart has both curves; what belongs to neither stands with training. No name tells the host.
    Figures (see `draw_predictions`) are of the samples of a `part` and the weights of an `epoch`.
    """
    elapsed = history["seconds"].cumsum()  # as wall time: the same events from the same history
    for run in _PARTS:
        target = Path(folder) / TENSORBOARD_EVENTS[run]
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            with SummaryWriter(scratch) as writer, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names may hold letters that the font lacks
                for column in history.columns.drop("epoch"):
                    prefix, _, rest = column.partition("_")
                    of_run, name = (prefix, rest) if prefix in _PARTS else ("train", column)
                    if of_run != run:
                        continue
                    points = zip(history["epoch"], history[column], elapsed, strict=True)
                    for number, value, seconds in points:
                        if pd.notna(value):
                            writer.add_scalar(name, value, int(number), walltime=seconds)
                for name, figure in (figures or {}).items() if run == part else ():
                    writer.add_figure(name, figure, epoch, close=False, walltime=elapsed.iloc[-1])
            (events,) = Path(scratch).iterdir()
            events.replace(target)  # a viewer of a live run sees the same file, longer


def draw_predictions(final, info: Callable[[str], None]) -> dict:
    """Draw final predictions: figures by name; without matplotlib `info` prints a line instead."""
    predicts, compares = final.predictions is not None, final.distances is not None
    try:
        import PIL.Image  # noqa: F401 - TensorBoard stores figures with it
        from matplotlib.figure import Figure
    except ImportError:
        if predicts or compares:
            info("TensorBoard gets no figures of predictions: matplotlib is not installed here.")
        return {}
    found, of_part = {}, f"{_PARTS[final.part]} samples"

    def axes(name: str):
        found[name] = Figure(figsize=(6.4, 6.4), dpi=110, layout="constrained")
        return found[name].add_subplot()

    if predicts and final.target.kind == CLASSIFICATION:
        _draw_classes(axes("confusion_matrix"), final, f"{final.samples:,} {of_part}")
    elif predicts:
        values = objective_of(final.target).in_units(final.predictions, final.targets)
        name, what = _plain(final.target.name), f"{final.samples:,} {of_part}"
        _draw_against(axes("predicted_against_actual"), *values, name, what)
    if compares:
        what = f"{len(final.distances[0]):,} pairs of {of_part}"
        _draw_against(axes("unifrac_predicted_against_actual"), *final.distances, "UniFrac", what)
    return found


def _draw_against(axes, predicted: np.ndarray, actual: np.ndarray, name: str, what: str) -> None:
    """Draw points with the 1:1 line, and write the scores above."""
    from sklearn.metrics import PredictionErrorDisplay, mean_absolute_error, r2_score

    r2 = f"{r2_score(actual, predicted):.3f}" if actual.min() < actual.max() else "–"
    PredictionErrorDisplay.from_predictions(
        actual, predicted, kind="actual_vs_predicted", random_state=0, ax=axes,
        subsample=_MOST_POINTS if len(actual) > _MOST_POINTS else None,
        scatter_kwargs={"s": 8 if len(actual) > 400 else 28, "alpha": 0.5, "linewidths": 0},
    )  # fmt: skip
    error = mean_absolute_error(actual, predicted)
    axes.set_title(f"R² {r2}, MAE {error:.3g}\n{what}")
    axes.set(xlabel=f"Predicted {name}", ylabel=f"Actual {name}")


def _draw_classes(axes, final, what: str) -> None:
    """Draw counts by actual and predicted class, or fractions of the actual class if many."""
    from sklearn import metrics

    names, actual = final.target.classes, final.targets
    predicted, few = final.predictions.argmax(axis=1), len(names) <= _MOST_NUMBERED
    metrics.ConfusionMatrixDisplay.from_predictions(
        actual, predicted, labels=range(len(names)), display_labels=list(map(_plain, names)),
        include_values=few, normalize=None if few else "true", xticks_rotation="vertical",
        cmap="Blues", ax=axes,
    )  # fmt: skip
    if len(names) > _MOST_NAMED:
        axes.set(xticks=[], yticks=[])
    name = _plain(final.target.name)
    axes.set(xlabel=f"Predicted {name}", ylabel=f"Actual {name}")
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        actual, predicted, average="macro", zero_division=0
    )
    accuracy = metrics.accuracy_score(actual, predicted)
    axes.set_title(
        f"accuracy {accuracy:.3f}, precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}\n"
        f"{what}; means of the classes that they have",
        fontsize=9,
    )


def _plain(name: str) -> str:
    """Shorten a name, and keep matplotlib from reading formulas in it."""
    name = " ".join(name.split())
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return short.replace("$", r"\$")
