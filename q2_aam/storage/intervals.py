"""Prediction intervals as a table of text: id, lower, upper."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples

COLUMNS = ["lower", "upper"]


def write_intervals(file, intervals: pd.DataFrame) -> None:
    """Write intervals indexed by sample id; other columns than lower and upper are left out."""
    if not set(COLUMNS) <= set(intervals):
        raise _other_columns(intervals.columns)
    intervals[COLUMNS].to_csv(file, sep="\t", index_label="id")


def read_intervals(lines) -> pd.DataFrame:
    """Read and check intervals.

    Returns
    -------
    pd.DataFrame
        Indexed by sample id (text, so that ``0001`` stays), columns lower and upper.

    Raises
    ------
    AAMError
        If the columns are others, an id repeats, or a lower bound is above the upper.
    """
    try:
        frame = pd.read_csv(lines, sep="\t", dtype={"id": str}, keep_default_na=False)
        if list(frame.columns) != ["id", *COLUMNS]:
            raise _other_columns(frame.columns)
        frame = frame.set_index("id").astype(np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, AAMError):
            raise
        raise AAMError(f"The intervals are not a table of id, lower, upper: {error}") from error
    repeated = frame.index[frame.index.duplicated()]
    crossed = frame.index[~(frame["lower"] <= frame["upper"])]
    for what, found in (("appear twice", repeated), ("have no lower ≤ upper", crossed)):
        if len(found):
            raise AAMError(
                f"{counted(len(found), 'id')} {what} in the intervals: {examples(found)}."
            )
    return frame


def _other_columns(columns) -> AAMError:
    return AAMError(f"The intervals have the columns {examples(columns)}, not id, lower, upper.")
