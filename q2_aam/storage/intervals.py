"""Tables of text by sample: prediction intervals, and how a sample's reads were recognized."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..data.matching import CLADES_ONLY, KINDS
from ..errors import AAMError, counted, examples

COLUMNS = ["lower", "upper"]
SHARES = list(KINDS)  # of a sample's reads; intervals of older versions have none
_LAYOUTS = (COLUMNS, COLUMNS + SHARES, [*COLUMNS, CLADES_ONLY])


def write_intervals(file, intervals: pd.DataFrame) -> None:
    """Write intervals indexed by sample id, with the shares of reads if there are any."""
    if list(intervals.columns) not in _LAYOUTS:
        raise _other_columns(intervals.columns)
    intervals.to_csv(file, sep="\t", index_label="id")


def read_intervals(lines) -> pd.DataFrame:
    """Read and check intervals.

    Returns
    -------
    pd.DataFrame
        Indexed by sample id (text, so that ``0001`` stays), columns lower and upper, and the
        shares of reads if they were written.

    Raises
    ------
    AAMError
        If the columns are others, an id repeats, or a lower bound is above the upper.
    """
    try:
        frame = pd.read_csv(lines, sep="\t", dtype={"id": str}, keep_default_na=False)
        if list(frame.columns[:1]) != ["id"] or list(frame.columns[1:]) not in _LAYOUTS:
            raise _other_columns(frame.columns)
        frame = frame.set_index("id").astype(np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, AAMError):
            raise
        raise AAMError(f"The intervals are not a table of id, lower, upper: {error}") from error
    repeated = frame.index[frame.index.duplicated()]
    crossed = frame.index[~(frame["lower"] <= frame["upper"])]
    shares = frame.drop(columns=COLUMNS)
    wrong = frame.index[~shares.apply(lambda column: column.between(0, 1)).all(axis=1)]
    for what, found in (
        ("appear twice", repeated),
        ("have no lower ≤ upper", crossed),
        ("have shares of reads outside 0 to 1", wrong),
    ):
        if len(found):
            raise AAMError(
                f"{counted(len(found), 'id')} {what} in the intervals: {examples(found)}."
            )
    return frame


def _other_columns(columns) -> AAMError:
    return AAMError(
        f"The intervals have the columns {examples(columns)}, not id, lower, upper and "
        f"perhaps {', '.join(SHARES)}."
    )
