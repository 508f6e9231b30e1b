"""A precomputed distance matrix, parsed once to float32 and checked by us."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import EXAMPLES, AAMError, counted, examples

TOLERANCE = 1e-5  # text files round; a larger difference is a real asymmetry
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Distances:
    """A square matrix and, for each sample of a study, its row there.

    Attributes
    ----------
    matrix : ndarray of float32, (ids, ids)
        As stored; never reordered or copied whole.
    rows : ndarray of int64, (samples,)
        Row of `matrix` for each sample.
    """

    matrix: np.ndarray
    rows: np.ndarray

    def block(self, samples: np.ndarray) -> np.ndarray:
        """Return the distances among some samples, (len(samples), len(samples)), in their order."""
        rows = self.rows[samples]
        return self.matrix[np.ix_(rows, rows)]


def parse_distances(lines) -> tuple[list[str], np.ndarray]:
    """Read a labelled square matrix from tab-separated text.

    Parameters
    ----------
    lines : text file object
        Header of ids, then one row an id; blank lines and lines that begin with # are skipped.

    Returns
    -------
    ids : list of str
    matrix : ndarray of float32, (len(ids), len(ids))

    Raises
    ------
    AAMError
        If the text is not a square matrix of numbers in [0, 1], symmetric and without NaN.
    """
    ids = _header(lines)
    matrix, rows = np.empty((len(ids), len(ids)), dtype=np.float32), []
    try:
        for frame in _in_parts(lines, len(ids)):
            first, stop = len(rows), len(rows) + len(frame)
            rows.extend(frame[0].str.strip())
            if stop <= len(ids):
                matrix[first:stop] = frame.iloc[:, 1:]
        if not rows:
            raise ValueError("it has no rows")
    except ValueError as error:
        raise AAMError(f"The distance matrix is not a table of numbers: {error}") from error
    if rows != ids:
        raise AAMError(
            f"The distance matrix has {counted(len(ids), 'column id')} and "
            f"{counted(len(rows), 'row id')}; both must be the same ids in the same order."
        )
    check_distances(ids, matrix)
    matrix.setflags(write=False)
    return ids, matrix


def _in_parts(lines, columns: int) -> Iterator:
    """Read some rows at a time as data frames, so that the matrix is never held twice."""
    import pandas as pd  # training on a machine that only trains needs none

    blanks = {column: ["nan", "NaN", ""] for column in range(1, columns + 1)}
    types = {0: str} | dict.fromkeys(range(1, columns + 1), np.float32)
    rows = (_of_width(line, columns) for line in lines if line.strip())
    while text := "".join(itertools.islice(rows, _ROWS_AT_ONCE)):
        yield pd.read_csv(
            io.StringIO(text), sep="\t", header=None, dtype=types, quoting=3, comment=None,
            keep_default_na=False, na_values=blanks,
        )  # fmt: skip


def _of_width(line: str, columns: int) -> str:
    """Fill a row that is too short with blanks, and refuse one that pandas would cut."""
    line = line.rstrip("\r\n")
    missing = columns - line.count("\t")
    if missing < 0:
        name = line.partition("\t")[0]
        raise ValueError(f"the row of {name} has {columns - missing:,} numbers, not {columns:,}")
    return line + "\t" * missing + "\n"


def check_distances(ids: Sequence[str], matrix: np.ndarray) -> None:
    """Refuse values that no UniFrac matrix holds; the diagonal is not looked at.

    Raises
    ------
    AAMError
        If a value off the diagonal is NaN or outside [0, 1], or the matrix is asymmetric.
    """
    number = dict.fromkeys(("NaN", "outside [0, 1]", "asymmetric"), 0)
    shown: dict[str, list[str]] = {what: [] for what in number}
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        rows = matrix[start : start + _ROWS_AT_ONCE]
        mirrored = matrix[:, start : start + _ROWS_AT_ONCE].T
        off_diagonal = np.arange(len(ids)) != np.arange(start, start + len(rows))[:, None]
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            asymmetric = np.abs(rows - mirrored) > TOLERANCE
        outside = (rows < -TOLERANCE) | (rows > 1 + TOLERANCE)
        for what, where in zip(number, (np.isnan(rows), outside, asymmetric), strict=True):
            # a matrix of percentages has millions of faults: count them, write out a few
            found = np.flatnonzero(where & off_diagonal)
            number[what] += len(found)
            for place in found[: EXAMPLES - len(shown[what])]:
                row, column = divmod(int(place), len(ids))
                shown[what].append(f"{ids[start + row]} – {ids[column]}: {rows[row, column]}")
    for what in number:
        if number[what]:
            rest = number[what] - len(shown[what])
            raise AAMError(
                f"The distance matrix has {counted(number[what], 'value')} that are {what} (sample "
                f"pairs {examples(shown[what])}{f' and {rest:,} more' if rest else ''}).\nUniFrac "
                "distances are symmetric numbers from 0 to 1. Compute the matrix again, for "
                "example with 'qiime diversity-lib unweighted-unifrac'."
            )


def _header(lines) -> list[str]:
    for line in lines:
        if line.strip() and not line.startswith("#"):
            ids = [name.strip() for name in line.rstrip("\r\n").split("\t")[1:]]
            if not ids or len(set(ids)) != len(ids):
                break
            return ids
    raise AAMError("The distance matrix has no header of distinct sample ids.")
