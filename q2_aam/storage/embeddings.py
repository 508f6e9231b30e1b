"""Embeddings of samples as a table of text: id, then a column for each dimension."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples


def write_embeddings(file, embeddings: pd.DataFrame) -> None:
    """Write embeddings indexed by sample id."""
    embeddings.to_csv(file, sep="\t", index_label="id")


def read_embeddings(lines) -> pd.DataFrame:
    """Read and check embeddings.

    Parameters
    ----------
    lines : file of text

    Returns
    -------
    pd.DataFrame of float64
        Indexed by sample id (text, so that ``0001`` stays), a column for each dimension.

    Raises
    ------
    AAMError
        If there is no sample or no dimension, an id or a dimension repeats, or a value is not a
        finite number.
    """
    names = next(csv.reader([lines.readline()], delimiter="\t"), [])
    if names[:1] != ["id"] or len(names) < 2:
        raise AAMError(
            f"The embeddings have {f'the columns {examples(names)}' if names else 'no columns'}, "
            "not 'id' and at least one dimension."
        )
    try:
        frame = pd.read_csv(
            lines,
            sep="\t",
            header=None,
            dtype={0: str} | dict.fromkeys(range(1, len(names)), np.float64),
            keep_default_na=False,
        ).set_index(0)
    except (ValueError, pd.errors.ParserError) as error:
        raise AAMError(
            f"The embeddings are not a table of numbers: {str(error).strip()}"
        ) from error
    if frame.shape[1] != len(names) - 1:
        raise AAMError(
            f"The embeddings have {counted(len(names) - 1, 'dimension')} in their first line, but "
            f"{frame.shape[1]:,} in the others."
        )
    frame = frame.set_axis(names[1:], axis=1).rename_axis("id")
    _check(frame)
    return frame


def _check(frame: pd.DataFrame) -> None:
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise AAMError(
            f"{counted(len(repeated), 'dimension')} of the embeddings appear twice: "
            f"{examples(repeated)}."
        )
    twice = frame.index[frame.index.duplicated()]
    infinite = frame.index[~np.isfinite(frame.to_numpy()).all(axis=1)]
    for what, found in (("appear twice", twice), ("have values that are not finite", infinite)):
        if len(found):
            raise AAMError(
                f"{counted(len(found), 'id')} {what} in the embeddings: {examples(found)}."
            )
