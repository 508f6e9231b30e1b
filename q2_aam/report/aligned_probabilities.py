"""Probabilities put beside the predictions that they belong to, and checked against them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples, no_shared_ids

_ROUNDING = 1e-6


def align_probabilities(
    probabilities: pd.DataFrame | None,
    predicted: pd.Series,
    classes: list[str],
    whose: str,
    notes: list[str],
) -> np.ndarray | None:
    """Order probabilities like the samples and classes of a page.

    Parameters
    ----------
    probabilities : pd.DataFrame or None
        Index: sample id; columns: classes.
    predicted : pd.Series of str
        The class predicted for each sample of the page; None where there is no prediction.
    classes : list of str
        All classes of the page.
    whose : str
        Such as ``the model``.
    notes : list of str
        What a reader should know is added here.

    Returns
    -------
    np.ndarray of shape (samples, classes), or None
        0 for classes without a column, NaN for samples without a prediction.

    Raises
    ------
    AAMError
        If a sample with a prediction, or a class that was predicted, has no probabilities.
    """
    if probabilities is None:
        return None
    known = predicted.dropna()
    _require_samples(probabilities, known, whose)
    _require_predicted_classes(probabilities, known, whose)
    new = [name for name in classes if name not in probabilities.columns]
    if new:
        notes.append(
            f"{whose.capitalize()} does not know {counted(len(new), 'class', 'classes')} of the "
            f"samples shown here: {examples(new)}. It cannot predict them; they count all the same."
        )
    less = _count_less_probable(probabilities, known)
    if less:
        notes.append(
            f"For {counted(less, 'sample')}, {whose} predicted another class than its most "
            "probable one: check that predictions and probabilities come from one run."
        )
    aligned = probabilities.reindex(columns=classes, fill_value=0.0).reindex(known.index)
    return aligned.reindex(predicted.index).to_numpy(float)


def _require_samples(probabilities: pd.DataFrame, known: pd.Series, whose: str) -> None:
    if not known.index.intersection(probabilities.index).size:
        raise no_shared_ids(
            f"the probabilities of {whose}",
            list(probabilities.index),
            "the evaluated samples",
            list(known.index),
        )
    missing = known.index.difference(probabilities.index, sort=False)
    if len(missing):
        raise AAMError(
            f"The probabilities of {whose} lack {counted(len(missing), 'evaluated sample')}, such "
            f"as {examples(missing)}. Give the probabilities that came with the predictions."
        )


def _require_predicted_classes(probabilities: pd.DataFrame, known: pd.Series, whose: str) -> None:
    unknown = sorted(set(known) - set(probabilities.columns))
    if unknown:
        raise AAMError(
            f"The probabilities of {whose} have no column for "
            f"{counted(len(unknown), 'class', 'classes')} that it predicted: {examples(unknown)}.\n"
            f"Their columns are {examples(probabilities.columns)}. Give the probabilities that "
            "came with the predictions."
        )


def _count_less_probable(probabilities: pd.DataFrame, known: pd.Series) -> int:
    values = probabilities.loc[known.index].to_numpy(float)
    chosen = values[np.arange(len(known)), probabilities.columns.get_indexer(known)]
    return int((chosen < values.max(axis=1) - _ROUNDING).sum())
