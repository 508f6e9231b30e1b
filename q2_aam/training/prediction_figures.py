"""Pictures of predictions for TensorBoard: predicted against actual values, and confusion."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from ..config import CLASSIFICATION
from .objectives import objective_of
from .shown_predictions import ShownPredictions

_INCHES, _DOTS = 6.4, 110  # of a side, and of an inch
_MOST_POINTS = 4000
_MOST_NUMBERED = 20  # classes whose counts are written into their cells
_MOST_NAMED = 40  # classes whose names fit beside the axes
_LONGEST_NAME = 24
_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#767676"  # of Okabe and Ito's palette
_PARTS = {"validation": "validation", "train": "training"}


def draw_predictions(shown: ShownPredictions, say: Callable[[str], None]) -> dict[str, np.ndarray]:
    """Draw what there is to see of predictions.

    Parameters
    ----------
    shown : ShownPredictions
    say : callable
        Prints a line; told if there is nothing to draw with.

    Returns
    -------
    dict of str to ndarray of uint8, (height, width, 3)
        Pictures by name; none without matplotlib, which training can do without.
    """
    drawings = {}
    if shown.answers is not None:
        classes = shown.target.kind == CLASSIFICATION
        name = "confusion_matrix" if classes else "predicted_against_actual"
        drawings[name] = _draw_confusion if classes else _draw_values
    if shown.distances is not None:
        drawings["unifrac_predicted_against_actual"] = _draw_distances
    try:
        import matplotlib.style
        import PIL.Image  # noqa: F401 - TensorBoard stores pictures with it
    except ImportError:
        if drawings:
            say("TensorBoard gets no pictures of predictions: matplotlib is not installed here.")
        return {}
    with matplotlib.style.context("default"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names may hold letters that the font lacks
        return {name: _as_image(draw, shown) for name, draw in drawings.items()}


def _as_image(draw: Callable, shown: ShownPredictions) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_subplot(), shown)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_values(axes, shown: ShownPredictions) -> None:
    predicted, actual = objective_of(shown.target).in_units(shown.answers, shown.targets)
    name = _plain(shown.target.name)
    _draw_against(axes, predicted, actual, f"{shown.samples:,} {_PARTS[shown.part]} samples")
    axes.set_xlabel(f"Actual {name}")
    axes.set_ylabel(f"Predicted {name}")


def _draw_distances(axes, shown: ShownPredictions) -> None:
    predicted, actual = shown.distances
    what = f"{len(actual):,} pairs of {_PARTS[shown.part]} samples"
    _draw_against(axes, predicted, actual, what)
    axes.set_xlabel("Actual UniFrac")
    axes.set_ylabel("Predicted UniFrac")


def _draw_against(axes, predicted: np.ndarray, actual: np.ndarray, what: str) -> None:
    """Draw points with the 1:1 line and the line fitted to them, and write the scores above."""
    drawn = np.arange(len(actual))
    if len(actual) > _MOST_POINTS:
        drawn = np.random.default_rng(0).choice(len(actual), _MOST_POINTS, replace=False)
        what += f", {_MOST_POINTS:,} drawn"
    crowded = len(drawn) > 400
    axes.scatter(
        actual[drawn],
        predicted[drawn],
        s=8 if crowded else 28,
        alpha=0.35 if crowded else 0.75,
        color=_BLUE,
        linewidths=0,
    )
    low, high = min(actual.min(), predicted.min()), max(actual.max(), predicted.max())
    axes.plot([low, high], [low, high], color=_GREY, linewidth=1.5, label="1:1")
    ends = np.array([actual.min(), actual.max()])
    if ends[0] < ends[1]:
        slope, intercept = np.polyfit(actual, predicted, 1)
        label = f"fit: slope {slope:.2f}"
        axes.plot(ends, slope * ends + intercept, "--", color=_VERMILLION, linewidth=2, label=label)
    error = f"MAE {np.abs(predicted - actual).mean():.3g}"
    axes.set_title(f"R² {_r_squared(predicted, actual)}, {error}\n{what}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", frameon=False)


def _r_squared(predicted: np.ndarray, actual: np.ndarray) -> str:
    total = np.square(actual - actual.mean()).sum()
    if total <= 0:
        return "–"
    return f"{1 - np.square(predicted - actual).sum() / total:.3f}"


def _draw_confusion(axes, shown: ShownPredictions) -> None:
    """Draw counts by actual and predicted class; colours are shares of the actual class."""
    names = [_plain(name) for name in shown.target.classes]
    counts = confusion(shown.answers.argmax(axis=1), shown.targets, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.figure.colorbar(picture, ax=axes, shrink=0.75, label="Share of the actual class")
    size = 9 if len(names) <= 12 else 6
    if len(names) <= _MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else "black"
            text = f"{count:,}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    places = np.arange(len(names)) if len(names) <= _MOST_NAMED else []
    shown_names = names if len(places) else []
    axes.set_xticks(places, shown_names, rotation=45, ha="right", fontsize=size)
    axes.set_yticks(places, shown_names, fontsize=size)
    axes.set_xlabel(f"Predicted {_plain(shown.target.name)}")
    axes.set_ylabel(f"Actual {_plain(shown.target.name)}")
    accuracy, precision, recall, f1 = class_scores(counts)
    axes.figure.suptitle(
        f"accuracy {accuracy:.3f}, precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}\n"
        f"{shown.samples:,} {_PARTS[shown.part]} samples; means of the classes that they have",
        fontsize=10,
    )


def confusion(predicted: np.ndarray, actual: np.ndarray, classes: int) -> np.ndarray:
    """Count samples by actual (rows) and predicted class (columns): (classes, classes)."""
    flat = np.bincount(actual * classes + predicted, minlength=classes**2)
    return flat.reshape(classes, classes)


def class_scores(counts: np.ndarray) -> tuple[float, float, float, float]:
    """Return accuracy, and precision, recall and F1 as means over classes.

    Only classes that samples have or are predicted to have count; precision is 0 for a class
    that is never predicted, as is recall for one that no sample has.

    Parameters
    ----------
    counts : ndarray of int64, (classes, classes)
        See `confusion`.
    """
    right, had, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    seen = (had + said) > 0
    precision = right[seen] / np.maximum(said[seen], 1)
    recall = right[seen] / np.maximum(had[seen], 1)
    f1 = 2 * right[seen] / (had + said)[seen]
    means = (float(values.mean()) for values in (precision, recall, f1))
    return float(right.sum() / counts.sum()), *means


def _plain(name: str) -> str:
    """Shorten a name, and keep matplotlib from reading formulas in it."""
    name = " ".join(name.split())
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return name.replace("$", r"\$")
