"""Two distance matrices on the samples that both have, with a count of those of only one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.distances import parse_distances
from ...errors import AAMError, counted, examples, no_shared_ids
from ..samples import SampleCount, count_ids

FEWEST_SAMPLES = 3


@dataclass(frozen=True)
class ComparedDistances:
    """Predicted and actual distances among the same samples.

    Attributes
    ----------
    ids : list of str
        Samples that both matrices have, in the order of the predicted one.
    predicted, actual : np.ndarray of float32, shape (samples, samples)
        Of a diagonal of 0, whatever the files hold there.
    """

    ids: list[str]
    predicted: np.ndarray
    actual: np.ndarray
    counts: list[SampleCount]

    @property
    def n_pairs(self) -> int:
        """How many pairs of different samples there are."""
        return len(self.ids) * (len(self.ids) - 1) // 2


def read_distances(path: str | Path, name: str) -> tuple[list[str], np.ndarray]:
    """Read a distance matrix; an `AAMError` names it as ``the predicted distances``."""
    with Path(path).open(encoding="utf-8-sig") as lines:
        try:
            return parse_distances(lines)
        except AAMError as error:
            raise AAMError(f"Reading {name}: {error}") from error


def compare_distances(
    predicted: tuple[list[str], np.ndarray], actual: tuple[list[str], np.ndarray]
) -> ComparedDistances:
    """Find the samples that two matrices share, at least three or there is an `AAMError`."""
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
    known, what = set(shared), "samples left out: "
    only = [[name for name in ids if name not in known] for ids in (predicted[0], actual[0])]
    counts = [
        count_ids("samples compared: in both matrices", shared),
        count_ids(f"{what}predicted, but without actual distances", only[0]),
        count_ids(f"{what}with actual distances, but not predicted", only[1]),
    ]
    rows = [row for row, name in enumerate(predicted[0]) if name in known]
    columns = [row_of[name] for name in shared]
    matrices = [predicted[1][np.ix_(rows, rows)], actual[1][np.ix_(columns, columns)]]
    for matrix in matrices:
        np.fill_diagonal(matrix, 0)
    return ComparedDistances(shared, *matrices, counts)
