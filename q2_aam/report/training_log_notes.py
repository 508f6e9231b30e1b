"""What a training log says about an evaluation: whether it fits, and whether it is fair."""

from __future__ import annotations

from ..storage.training_log import SAMPLES_USED_FOR_TRAINING


def note_training(summary: dict, target: str, evaluated) -> list[str]:
    """Warn of a log of another target, and of samples that trained the model.

    Parameters
    ----------
    summary : dict
        See `TrainingLog`; empty without one.
    target : str
        The metadata column evaluated.
    evaluated : iterable of str
        Ids of the samples evaluated.

    Returns
    -------
    list of str
    """
    warnings = []
    trained_on = (summary.get("target") or {}).get("name")
    if trained_on is not None and trained_on != target:
        warnings.append(
            f"The training log is of a model of '{trained_on}', but the true values are of "
            f"'{target}'."
        )
    trained = {
        str(sample)
        for entry in summary.get("data") or []
        if entry["what"] == SAMPLES_USED_FOR_TRAINING
        for sample in entry.get("examples") or []
    }
    if trained & set(evaluated):
        warnings.append(
            "Some of these samples were used to fit the model: the scores are better than they "
            "would be on new samples."
        )
    return warnings
