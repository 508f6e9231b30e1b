"""Tables of numbers by sample: embeddings, and prediction intervals with how reads were recognized.

Tab-separated text: id, then a column for each number.
"""

import csv

import numpy as np
import pandas as pd

from ..data.matching import CLADES_ONLY, KINDS
from ..errors import AAMError, counted, examples

BOUNDS, SHARES = ["lower", "upper"], list(KINDS)  # intervals of older versions have no shares
_COLUMNS_OF_INTERVALS = (BOUNDS, BOUNDS + SHARES, [*BOUNDS, CLADES_ONLY])


def write_table(file, frame: pd.DataFrame) -> None:
    """Write numbers indexed by sample id."""
    frame.to_csv(file, sep="\t", index_label="id")


def write_intervals(file, intervals: pd.DataFrame) -> None:
    """Write intervals indexed by sample id, with the shares of reads if there are any."""
    if list(intervals.columns) not in _COLUMNS_OF_INTERVALS:
        raise _other_columns("intervals", list(intervals.columns))
    write_table(file, intervals)


def read_embeddings(lines) -> pd.DataFrame:
    """Read embeddings from a file of text: float64, by sample id (text, so that ``0001`` stays).

    AAMError if no sample or dimension is there, one repeats, or a value is not a finite number.
    """
    frame = _read("embeddings", lines)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise AAMError(
            f"{counted(len(twice), 'dimension')} of the embeddings appear twice: {examples(twice)}."
        )
    infinite = ~np.isfinite(frame.to_numpy()).all(axis=1)
    _refuse_rows("embeddings", frame, {"have values that are not finite": infinite})
    return frame


def read_intervals(lines) -> pd.DataFrame:
    """Read intervals from a file of text: by sample id, with the columns that were written.

    AAMError if columns are others, an id repeats, a lower bound is above the upper, or a share is
    none.
    """
    frame = _read("intervals", lines)
    outside = ~frame[frame.columns[2:]].apply(lambda share: share.between(0, 1)).all(axis=1)
    wrong = {
        "have no lower ≤ upper": ~(frame["lower"] <= frame["upper"]),
        "have shares of reads outside 0 to 1": outside,
    }
    _refuse_rows("intervals", frame, wrong)
    return frame


def _other_columns(what: str, names: list[str]) -> AAMError:
    found = f"the columns {examples(names)}" if names else "no columns"
    wanted = f"id, lower, upper and perhaps {', '.join(SHARES)}"
    if what == "embeddings":
        wanted = "'id' and at least one dimension"
    return AAMError(f"The {what} have {found}, not {wanted}.")


def _read(what: str, lines) -> pd.DataFrame:
    try:
        names = next(csv.reader([lines.readline()], delimiter="\t"), [])
        known = what == "embeddings" or names[1:] in _COLUMNS_OF_INTERVALS
        if names[:1] != ["id"] or len(names) < 2 or not known:
            raise _other_columns(what, names)
        types = {0: str} | dict.fromkeys(range(1, len(names)), np.float64)
        frame = pd.read_csv(lines, sep="\t", header=None, dtype=types, keep_default_na=False)
    except AAMError:
        raise
    except (ValueError, csv.Error) as error:  # letters that are not UTF-8, too
        raise AAMError(f"The {what} are not a table of numbers: {str(error).strip()}") from error
    if frame.shape[1] != len(names):
        raise AAMError(
            f"The {what} have {counted(len(names) - 1, 'number')} in their first line, but "
            f"{frame.shape[1] - 1:,} in the others."
        )
    return frame.set_index(0).set_axis(names[1:], axis=1).rename_axis("id")


def _refuse_rows(what: str, frame: pd.DataFrame, wrong: dict[str, np.ndarray]) -> None:
    for why, rows in ({"appear twice": frame.index.duplicated()} | wrong).items():
        found = frame.index[rows]
        if len(found):
            raise AAMError(f"{counted(len(found), 'id')} {why} in the {what}: {examples(found)}.")
