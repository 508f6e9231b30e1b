"""Predicted classes and probabilities as files, read so that every class keeps its name.

q2-sample-classifier's own reader takes a class called NA or nan for a missing value and turns
the classes 01 and 1.0 into the number 1. Here a class is text, whatever it looks like.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples

_SUM_TOLERANCE = 0.01


def read_predicted_classes(path: str | Path, name: str = "The predictions") -> pd.Series:
    """Read the class predicted for each sample.

    Parameters
    ----------
    path : str or Path
        Tab-separated, a header and two columns: sample id, class.
    name : str
        What the user calls it, at the start of a sentence.

    Returns
    -------
    pd.Series of str
        Index: sample id.

    Raises
    ------
    AAMError
        If the file is no such table, a sample comes twice or has no class.
    """
    cells = _read_cells(path, name)
    if cells.shape[1] != 2:
        raise AAMError(
            f"{name} have {counted(cells.shape[1], 'column')} and must have two, sample id and "
            "class. Give the predictions of a classifier."
        )
    ids = _distinct_ids(cells, name)
    classes = pd.Series(cells.iloc[1:, 1].str.strip().to_numpy(object), index=ids)
    blank = classes.index[classes == ""]
    if len(blank):
        raise AAMError(
            f"{name} have no class for {counted(len(blank), 'sample')}, such as "
            f"{examples(blank)}. Give the predictions of a classifier."
        )
    return classes


def read_probabilities(path: str | Path, name: str = "The probabilities") -> pd.DataFrame:
    """Read the probability of each class for each sample.

    Parameters
    ----------
    path : str or Path
        Tab-separated, a header of classes, then one row a sample.
    name : str
        What the user calls it, at the start of a sentence.

    Returns
    -------
    pd.DataFrame of float
        Index: sample id; columns: classes.

    Raises
    ------
    AAMError
        If the file is no such table, a sample or class comes twice, or the numbers of a sample
        are no probabilities that add up to 1.
    """
    cells = _read_cells(path, name)
    ids = _distinct_ids(cells, name)
    classes = cells.iloc[0, 1:].str.strip()
    twice = classes[classes.duplicated()].unique()
    if len(twice):
        raise AAMError(f"{name} have more than one column for the classes {examples(twice)}.")
    values = cells.iloc[1:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    with np.errstate(invalid="ignore"):
        inside = ((values >= 0) & (values <= 1)).all(axis=1)
        whole = np.abs(values.sum(axis=1) - 1) <= _SUM_TOLERANCE
    wrong = ids[~(inside & whole)]
    if len(wrong):
        raise AAMError(
            f"{name} are not numbers from 0 to 1 that add up to 1 for "
            f"{counted(len(wrong), 'sample')}: {examples(wrong)}. Give the probabilities of a "
            "classifier."
        )
    return pd.DataFrame(values, index=ids, columns=pd.Index(classes.tolist(), dtype=object))


def _read_cells(path: str | Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path, sep="\t", header=None, dtype=str, na_filter=False, encoding="utf-8-sig"
        )
    except ValueError as error:
        raise AAMError(f"{name} are no table of tab-separated columns: {error}") from error


def _distinct_ids(cells: pd.DataFrame, name: str) -> pd.Index:
    ids = pd.Index(cells.iloc[1:, 0].str.strip(), dtype=object)
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise AAMError(
            f"{name} hold {counted(len(twice), 'sample')} more than once: {examples(twice)}. "
            "Give one line for each sample."
        )
    return ids
