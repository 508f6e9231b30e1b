"""What the settings of a target mean, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from ..storage.training_log import Setting

_MOST_CLASSES = 20  # named with their samples

_LOSSES = {
    "huber": "Errors count squared while small and plainly once large, so that outliers pull less "
    "(loss 'huber').",
    "mae": "Errors count plainly, which fits the median (loss 'mae').",
    "mse": "Errors count squared, which fits the mean (loss 'mse').",
    "quantile": "The median and a range around it are fitted (loss 'quantile').",
}
_SCALINGS = {
    "min-max": "While training, its values are scaled to lie between 0 and 1.",
    "z-score": "While training, its values are scaled to mean 0 and variance 1.",
    "log-min-max": "While training, its logarithms log(1 + value) are scaled to lie between 0 and "
    "1.",
    "log-z-score": "While training, its logarithms log(1 + value) are scaled to mean 0 and "
    "variance 1.",
    "none": "Its values are not scaled.",
}
_CLASS_WEIGHTS = {
    "balanced": "Every class counts alike in training, whatever its number of samples.",
    "none": "Every sample counts alike in training, so that common classes weigh more.",
}
_FUSIONS = {
    "concatenate": "their effect is added to that of the microbes.",
    "gate": "they strengthen or weaken what the microbes say.",
}


def describe_target_settings(settings: Sequence[Setting]) -> list[str]:
    """Say in sentences how the target was learned.

    Parameters
    ----------
    settings : sequence of Setting
        Of a training log; those that say nothing of a target are passed over.

    Returns
    -------
    list of str
    """
    value = {setting.name: setting.value for setting in settings}
    sentences = [
        _sentence(words, value.get(name))
        for name, words in (
            ("target_loss", _LOSSES),
            ("target_scaling", _SCALINGS),
            ("class_weights", _CLASS_WEIGHTS),
        )
    ]
    if value.get("bound_predictions") is True:
        sentences.append("Predictions are kept within the range of the training samples.")
    columns = value.get("covariate_columns")
    if columns and isinstance(columns, (list, tuple)):
        columns = ", ".join(map(str, columns))
        effect = _sentence(_FUSIONS, value.get("covariate_fusion"))
        sentences.append(f"The columns {columns} are read beside the microbes; {effect}")
    if value.get("freeze_encoder") is True:
        sentences.append("The encoder given was kept as it was; only the rest was trained.")
    return [sentence for sentence in sentences if sentence]


def describe_class_counts(counts: dict) -> str:
    """Name the classes with their training samples, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{name} ({count:,})" for name, count in ordered[:_MOST_CLASSES])
    rest = len(ordered) - _MOST_CLASSES
    return f"{named} and {rest:,} more" if rest > 0 else named


def _sentence(words: dict[str, str], value) -> str:
    return words.get(value, "") if isinstance(value, str) else ""  # a log may hold any JSON
