"""Two distance matrices on the samples that both have, with a count of those that only one has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.distances import parse_distances
from ..errors import AAMError, counted, examples, no_shared_ids
from .sample_counts import SampleCount, count_ids

FEWEST_SAMPLES = 3
_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class ComparedDistances:
    """Predicted and actual distances among the same samples.

    Attributes
    ----------
    ids : list of str
        Samples that both matrices have, in the order of the predicted one.
    predicted, actual : np.ndarray of float32
        As they were read; never copied whole.
    predicted_rows, actual_rows : np.ndarray of int, shape (samples,)
        Where a sample stands in either.
    counts : list of SampleCount
    """

    ids: list[str]
    predicted: np.ndarray
    actual: np.ndarray
    predicted_rows: np.ndarray
    actual_rows: np.ndarray
    counts: list[SampleCount]

    @property
    def n_pairs(self) -> int:
        """How many pairs of different samples there are."""
        return len(self.ids) * (len(self.ids) - 1) // 2

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Go through the samples a few at a time.

        Yields
        ------
        slice
            Which samples.
        predicted, actual : np.ndarray of float64, shape (some samples, all samples)
            Their distances; those of a sample to itself are 0.
        """
        size = max(1, _PAIRS_AT_ONCE // len(self.ids))
        for start in range(0, len(self.ids), size):
            some = slice(start, min(start + size, len(self.ids)))
            yield some, self._rows("predicted", some), self._rows("actual", some)

    def block(self, which: str, samples: np.ndarray) -> np.ndarray:
        """Return the distances among some samples, made symmetric to the last digit.

        Parameters
        ----------
        which : {'predicted', 'actual'}
        samples : np.ndarray of int

        Returns
        -------
        np.ndarray of float64, shape (samples, samples)
        """
        rows = getattr(self, f"{which}_rows")[samples]
        found = getattr(self, which)[np.ix_(rows, rows)].astype(np.float64)
        np.fill_diagonal(found, 0)
        return (found + found.T) / 2

    def _rows(self, which: str, some: slice) -> np.ndarray:
        rows = getattr(self, f"{which}_rows")
        found = getattr(self, which)[np.ix_(rows[some], rows)].astype(np.float64)
        # A file may hold anything on its diagonal; 0 is what a distance to itself is.
        found[np.arange(len(found)), np.arange(some.start, some.stop)] = 0
        return found


def read_distances(path: str | Path, name: str) -> tuple[list[str], np.ndarray]:
    """Read a distance matrix, naming it in what is said against it.

    Parameters
    ----------
    path : str or Path
    name : str
        Such as ``the predicted distances``.

    Returns
    -------
    ids : list of str
    matrix : np.ndarray of float32

    Raises
    ------
    AAMError
        See `parse_distances`.
    """
    with Path(path).open(encoding="utf-8-sig") as lines:
        try:
            return parse_distances(lines)
        except AAMError as error:
            raise AAMError(f"Reading {name}: {error}") from error


def compare_distances(
    predicted: tuple[list[str], np.ndarray], actual: tuple[list[str], np.ndarray]
) -> ComparedDistances:
    """Find the samples that two matrices share.

    Parameters
    ----------
    predicted, actual : tuple
        From `read_distances`.

    Returns
    -------
    ComparedDistances

    Raises
    ------
    AAMError
        If they share fewer than three samples.
    """
    row_of = {name: row for row, name in enumerate(actual[0])}
    shared = [name for name in predicted[0] if name in row_of]
    if not shared:
        raise no_shared_ids(
            "the predicted distances", predicted[0], "the actual distances", actual[0]
        )
    if len(shared) < FEWEST_SAMPLES:
        raise AAMError(
            f"The two distance matrices share only {counted(len(shared), 'sample')}: "
            f"{examples(shared)}. At least {FEWEST_SAMPLES} are needed to compare them."
        )
    known = set(shared)
    counts = [
        count_ids("samples compared: in both matrices", shared),
        count_ids(
            "samples left out: predicted, but without actual distances",
            [name for name in predicted[0] if name not in known],
        ),
        count_ids(
            "samples left out: with actual distances, but not predicted",
            [name for name in actual[0] if name not in known],
        ),
    ]
    return ComparedDistances(
        shared,
        predicted[1],
        actual[1],
        np.array([row for row, name in enumerate(predicted[0]) if name in known]),
        np.array([row_of[name] for name in shared]),
        counts,
    )
