"""A made-up table of tens of thousands of samples; nothing here has samples × ASVs cells.

As in real tables, most ASVs are rare: a larger study adds ASVs, but fewer than samples, and those
that it adds are held by few of its samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse
from simulated_table import evolve_sequences

ASVS_OF_1000, GROWTH = 4000, 0.6  # ASVs of 1,000 samples, and the power that they grow by
LENGTH, RICHNESS = 150, (100, 300)
COMMON = 20  # so many ASVs are about equally common; the others follow Zipf's law
CLADES, CLADE_SPREAD = 20, 1.0
_SAMPLES_AT_ONCE = 2000
_DRAWS = 3  # for each ASV wanted, as common ones are drawn again and again


@dataclass(frozen=True)
class LargeTable:
    """What `q2_aam.data.table.read_table` reads of a BIOM table.

    Attributes
    ----------
    matrix_data : csr_matrix of float64, (features, samples)
    dna : list of str
        The features, whose ids are their DNA.
    """

    matrix_data: scipy.sparse.csr_matrix
    dna: list[str]

    def ids(self, axis: str) -> list[str]:
        """Return the ids of an axis, as BIOM tables do."""
        if axis == "observation":
            return self.dna
        return [f"sample{number:06d}" for number in range(self.matrix_data.shape[1])]

    def store(self, path: Path) -> None:
        """Write the table for other processes."""
        counts = self.matrix_data
        letters = np.frombuffer("".join(self.dna).encode("ascii"), dtype=np.uint8)
        np.savez(path, *(counts.data, counts.indices, counts.indptr, letters))

    @classmethod
    def read(cls, path: Path) -> LargeTable:
        """Read a stored table."""
        with np.load(path) as stored:
            data, indices, indptr, letters = (stored[f"arr_{place}"] for place in range(4))
        text = letters.tobytes().decode("ascii")
        dna = [text[start : start + LENGTH] for start in range(0, len(text), LENGTH)]
        samples = int(indices.max()) + 1
        return cls(scipy.sparse.csr_matrix((data, indices, indptr), (len(dna), samples)), dna)


def asvs_of(samples: int) -> int:
    """Return how many ASVs a study of some samples has."""
    return round(ASVS_OF_1000 * (samples / 1000) ** GROWTH)


def draw_table(samples: int, seed: int = 0) -> LargeTable:
    """Evolve ASVs and draw a table: each sample favours some clades, each ASV is held."""
    random = np.random.default_rng([seed, samples])
    number = asvs_of(samples)
    dna = evolve_sequences(number, LENGTH, random)
    weights = 1 / (random.permutation(number) + COMMON)
    parts = [
        _draw_part(start, min(start + _SAMPLES_AT_ONCE, samples), weights, random)
        for start in range(0, samples, _SAMPLES_AT_ONCE)
    ]
    rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    unheld = np.flatnonzero(np.bincount(columns, minlength=number) == 0)
    rows = np.concatenate([rows, random.integers(samples, size=len(unheld))])
    columns = np.concatenate([columns, unheld])
    counts = 1.0 + np.floor(random.lognormal(2.0, 1.5, len(rows)))
    return LargeTable(scipy.sparse.csr_matrix((counts, (columns, rows)), (number, samples)), dna)


def _draw_part(start: int, stop: int, weights: np.ndarray, random) -> tuple[np.ndarray, np.ndarray]:
    """Draw which ASVs some samples hold: sample and ASV of each pair."""
    wanted = random.integers(RICHNESS[0], RICHNESS[1] + 1, stop - start)
    until = np.concatenate([[0], np.cumsum(weights)])
    bounds = np.linspace(0, len(weights), CLADES + 1).astype(int)
    of_clade = np.diff(until[bounds])
    preference = of_clade * random.lognormal(0, CLADE_SPREAD, (stop - start, CLADES))
    preference = np.cumsum(preference, axis=1) / preference.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(stop - start), _DRAWS * wanted)
    place = random.random(len(rows)) + rows  # each sample has a unit of a line to itself
    line = (preference + np.arange(stop - start)[:, None]).ravel()
    clade = np.minimum(np.searchsorted(line, place) - CLADES * rows, CLADES - 1)
    drawn = until[bounds[clade]] + random.random(len(rows)) * of_clade[clade]
    columns = np.clip(np.searchsorted(until, drawn, side="right") - 1, 0, len(weights) - 1)
    _, first = np.unique(rows * len(weights) + columns, return_index=True)
    first.sort()  # in the order drawn, so that a cut leaves the common ones in
    rows, columns = rows[first], columns[first]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < wanted[rows]
    return rows[kept] + start, columns[kept]
