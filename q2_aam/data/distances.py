"""A precomputed distance matrix, parsed and checked once, then mapped from disk."""

import contextlib
import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import EXAMPLES, AAMError, counted, examples

TOLERANCE = 1e-5  # text files round; a larger difference is a real asymmetry
LARGEST_UNCONVERTED = 2**20  # bytes of text, of about 350 samples
KEPT_DAYS = 30
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Distances:
    """A square matrix and, for each sample of a study, its row there."""

    matrix: np.ndarray  # float32 (ids, ids), as stored; never reordered or copied whole
    rows: np.ndarray  # int64 (samples,)

    @property
    def digest(self) -> str:
        """Name of the content of a matrix on disk (see `read_distances`); nothing otherwise."""
        on_disk = isinstance(self.matrix, np.memmap) and self.matrix.filename
        return Path(self.matrix.filename).stem if on_disk else ""

    def block(self, samples: np.ndarray) -> np.ndarray:
        """Return the distances among some samples, (len(samples), len(samples)), in their order."""
        rows = self.rows[samples]
        return self.matrix[np.ix_(rows, rows)]


def runs_root() -> Path:
    """Return the folder of all runs: ``$Q2_AAM_RUN_DIR``, else one in the user's cache."""
    chosen = os.environ.get("Q2_AAM_RUN_DIR")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "q2-aam" / "runs"


def read_distances(path: Path) -> tuple[list[str], np.ndarray]:
    """Read the matrix in a file (see `parse_distances`); a large one is converted once.

    Later runs find it on disk by the digest of the file's content, and only what is read of it
    takes memory. Where it cannot be written, it is read into memory.
    """
    kept = runs_root() / "matrices"
    if path.stat().st_size > LARGEST_UNCONVERTED:
        with contextlib.suppress(OSError):
            kept.mkdir(parents=True, exist_ok=True, mode=0o700)
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(2**22):
                    digest.update(block)
            values, names = (kept / f"{digest.hexdigest()}.{end}" for end in ("f32", "json"))
            if not values.is_file():
                _convert(path, values, names)
            ids = json.loads(names.read_text(encoding="utf-8"))
            if values.stat().st_size == 4 * len(ids) ** 2:
                for one in (values, names):
                    os.utime(one)
                return ids, np.memmap(values, np.float32, "r", shape=(len(ids), len(ids)))
    with path.open(encoding="utf-8-sig") as lines:
        return parse_distances(lines)


def _convert(path: Path, to_values: Path, to_names: Path) -> None:
    """Write a matrix as float32 whole or not at all, and drop those not used for 30 days."""
    kept = to_values.parent
    for old in kept.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > KEPT_DAYS * 24 * 3600:
                old.unlink()
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        values, names = Path(scratch) / "values", Path(scratch) / "names"

        with path.open(encoding="utf-8-sig") as lines:
            ids, matrix = parse_distances(
                lines, lambda ids: np.memmap(values, np.float32, "w+", shape=(ids, ids))
            )
        matrix.flush()
        names.write_text(json.dumps(ids), encoding="utf-8")
        names.replace(to_names)
        values.replace(to_values)


def parse_distances(
    lines: Iterable[str], allocate: Callable[[int], np.ndarray] | None = None
) -> tuple[list[str], np.ndarray]:
    """Read a labeled square matrix from tab-separated text, a row at a time, as float32.

    Before the header of ids, blank lines and lines that begin with # are skipped. `allocate`
    returns the array to write to. AAMError if the text is no symmetric matrix of numbers in [0, 1].
    """
    lines = iter(lines)
    ids = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            ids = [name.strip() for name in line.rstrip("\r\n").split("\t")[1:]]
            break
    if not ids or len(set(ids)) != len(ids):
        raise AAMError("The distance matrix has no header of distinct sample ids.")
    number, rows = len(ids), []
    matrix = allocate(number) if allocate else np.empty((number, number), dtype=np.float32)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # of numpy, for what is no number
            for line in lines:
                if line.strip():
                    name, _, values = line.rstrip("\r\n").partition("\t")
                    if len(rows) < number:
                        matrix[len(rows)] = _numbers(name, values, number)
                    rows.append(name.strip())
        if not rows:
            raise ValueError("it has no rows")
    except ValueError as error:
        raise AAMError(f"The distance matrix is not a table of numbers: {error}") from error
    if rows != ids:
        raise AAMError(
            f"The distance matrix has {counted(number, 'column id')} and "
            f"{counted(len(rows), 'row id')}; both must be the same ids in the same order."
        )
    check_distances(ids, matrix)
    matrix.setflags(write=False)
    return ids, matrix


def _numbers(name: str, text: str, columns: int) -> np.ndarray:
    """Read the numbers of a row; blank cells, and those that are missing at its end, are NaN."""
    try:
        numbers = np.fromstring(text, sep="\t")
        if len(numbers) == columns:
            return numbers
    except (ValueError, DeprecationWarning):
        pass
    cells = text.split("\t")
    if len(cells) > columns:
        raise ValueError(f"the row of {name} has {len(cells):,} numbers, not {columns:,}")
    cells += [""] * (columns - len(cells))
    wrong = [cell for cell in cells if "_" in cell]  # which Python would read as a number
    if wrong:
        raise ValueError(f"could not convert string to float: {wrong[0]!r}")
    return np.array([float(cell.strip() or "nan") for cell in cells])


def check_distances(ids: Sequence[str], matrix: np.ndarray) -> None:
    """Refuse a matrix with NaN, values outside [0, 1] or asymmetric ones off its diagonal."""
    number = dict.fromkeys(("NaN", "outside [0, 1]", "asymmetric"), 0)
    shown = {what: [] for what in number}
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
