"""A training run in plain words: what its curves are called, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .number_format import format_number


@dataclass(frozen=True)
class CurveWords:
    """Title, axis and reading of one curve."""

    title: str
    axis: str
    caption: str


_OVERFITTING = (
    "Lower is better. Where the validation curve turns up while the training curve still falls, "
    "the model is memorising its training samples."
)
_READER = (
    "The training curve is of the reader that is being trained, on each batch as it comes; the "
    "validation curve is of the whole model at the end of the epoch, and can be the better one."
)
_PAIRS = {
    "loss": CurveWords("Total loss", "Total loss (weighted sum)", _OVERFITTING),
    "unifrac_loss": CurveWords(
        "UniFrac", "Mean squared error of UniFrac", f"Distances between samples. {_OVERFITTING}"
    ),
    "nucleotide_loss": CurveWords(
        "Masked nucleotides",
        "Cross-entropy per hidden nucleotide",
        "How badly hidden nucleotides of an ASV are guessed; guessing blindly costs 1.39. "
        "Lower is better.",
    ),
    "abundance_loss": CurveWords(
        "Masked abundances",
        "Error of hidden log abundances",
        "How badly hidden abundances of a sample are guessed. Lower is better.",
    ),
    "target_loss": CurveWords(
        "Target", "Error of the scaled target", f"What is predicted, scaled. {_OVERFITTING}"
    ),
    "unifrac_r": CurveWords(
        "Agreement with UniFrac",
        "Correlation (Pearson r) with UniFrac",
        "Correlation between predicted and given distances of pairs of samples: in training of "
        "pairs within a batch, in validation of all pairs. Higher is better; 1 is perfect.",
    ),
    "mean_absolute_error": CurveWords(
        "Mean absolute error of the target",
        "Mean absolute error (target's units)",
        "How far off predictions are on average, in the target's own units. Lower is better. "
        f"{_READER}",
    ),
    "accuracy": CurveWords(
        "Accuracy",
        "Share of samples predicted right",
        f"Share of samples whose class is predicted. Higher is better; 1 is perfect. {_READER}",
    ),
    "balanced_accuracy": CurveWords(
        "Balanced accuracy",
        "Mean share predicted right, by class",
        "Share predicted right of each class, averaged over the classes, so that rare classes "
        "count as much as common ones. Higher is better; guessing blindly gives 1 divided by the "
        f"number of classes. {_READER}",
    ),
}
_CLASSES = CurveWords(
    "Classes",
    "Cross-entropy of the classes",
    "How little probability is given to the right class. Guessing blindly costs the natural "
    f"logarithm of the number of classes. {_OVERFITTING}",
)
_SINGLES = {
    "learning_rate": CurveWords(
        "Learning rate",
        "Learning rate",
        "How large the steps are: they grow in the warm-up, then shrink.",
    ),
    "gradient_norm": CurveWords(
        "Gradient norm",
        "Gradient norm, before clipping",
        "How strongly the loss pulls at the weights. Sudden peaks mean an unstable run: "
        "lower the learning rate.",
    ),
    "samples_per_second": CurveWords(
        "Speed",
        "Samples per second",
        "Training samples read per second. Drops usually mean that the machine was busy.",
    ),
    "skipped_steps": CurveWords(
        "Skipped steps",
        "Steps skipped in an epoch",
        "Steps whose gradients were too large for half precision (fp16): they change nothing, and "
        "the next ones are scaled down. A few in the first epochs are normal; if they go on, "
        "choose bf16 or fp32.",
    ),
}


def words_for(name: str, classes: bool = False) -> CurveWords:
    """Return the words for a curve; one that is unknown here is called by its own name.

    Parameters
    ----------
    name : str
    classes : bool
        Whether the target is a class.
    """
    if classes and name == "target_loss":
        return _CLASSES
    known = _PAIRS.get(name) or _SINGLES.get(name)
    if known is not None:
        return known
    label = name.replace("_", " ")
    label = label[:1].upper() + label[1:]
    return CurveWords(label, label, "Training and validation samples over the epochs.")


def single_names(history: pd.DataFrame) -> list[str]:
    """Name the curves without a validation counterpart that a history has."""
    return [name for name in _SINGLES if name in history and history[name].notna().any()]


def write_headline(summary: dict, history: pd.DataFrame) -> str:
    """Say how long the training ran, why it stopped and what was kept.

    Parameters
    ----------
    summary, history
        See `TrainingLog`.

    Returns
    -------
    str
    """
    epochs = summary.get("epochs_run") or len(history)
    text = f"Training ran for {epochs:,} epoch{'s' if epochs != 1 else ''}"
    if summary.get("stop_reason"):
        reason = str(summary["stop_reason"]).strip().rstrip(".")
        text += f" and stopped: {reason}"
    text += "."
    kept = summary.get("kept_epoch")
    if kept is None:
        return text
    return f"{text} The weights of epoch {kept} were kept{_losses_at(history, kept)}."


def _losses_at(history: pd.DataFrame, epoch: int) -> str:
    row = history[history["epoch"] == epoch]
    parts = [
        f"{words} loss {format_number(float(row[column].iloc[0]))}"
        for column, words in (("validation_loss", "validation"), ("train_loss", "training"))
        if len(row) and column in row and pd.notna(row[column].iloc[0])
    ]
    return f" ({', '.join(parts)})" if parts else ""


def write_warnings(summary: dict, history: pd.DataFrame) -> list[str]:
    """Point at what a run's history suggests to do differently.

    Parameters
    ----------
    summary, history
        See `TrainingLog`.

    Returns
    -------
    list of str
    """
    kept, warnings = summary.get("kept_epoch"), []
    last = int(history["epoch"].max())
    if kept is not None and kept == last and last > 1:
        warnings.append(
            "The last epoch was the best so far: the model may still have been improving, and "
            "more epochs may help."
        )
    if kept is not None and kept <= 1 < last:
        warnings.append(
            "Nothing after the first epoch was better on the validation samples: try a lower "
            "learning rate, or check that the data can predict this at all."
        )
    if "validation_loss" not in history or history["validation_loss"].isna().all():
        warnings.append(
            "There is no validation loss: nothing here says how the model does on unseen samples."
        )
    return warnings
