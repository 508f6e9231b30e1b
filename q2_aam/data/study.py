"""One or several studies over one set of distinct ASVs: what training and prediction read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .distances import Distances
from .sequences import sequences_of
from .table import SampleTable
from .tokens import Asvs, distinct_asvs


@dataclass(frozen=True)
class Study:
    """The samples of one table as relative abundances of ASVs.

    Attributes
    ----------
    sample_ids : tuple of str
    abundances : csr_matrix of float32, (samples, asvs)
        Relative abundances (each row sums to 1 before samples with too many ASVs are cut).
    distances : Distances, optional
        Of exactly these samples.
    covariates : ndarray of float32, (samples, inputs), optional
        As `q2_aam.data.covariates` writes them.
    """

    sample_ids: tuple[str, ...]
    abundances: scipy.sparse.csr_matrix
    distances: Distances | None = None
    covariates: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sample_ids)


@dataclass(frozen=True)
class Studies:
    """Several studies and the distinct ASVs that they share.

    Attributes
    ----------
    asvs : Asvs
    studies : tuple of Study
    known : ndarray of int64, (asvs,), optional
        Row of each ASV among those that a model knows by identity (see `match_asvs`).
    cut_samples : int
        Samples that had more than the allowed number of ASVs.
    cut_share : float
        Largest share of one sample's reads that this lost.
    """

    asvs: Asvs
    studies: tuple[Study, ...]
    known: np.ndarray | None = None
    cut_samples: int = 0
    cut_share: float = 0.0


def build_studies(
    tables: Sequence[SampleTable],
    sequences: Mapping[str, str] | None,
    max_sequence_length: int,
    max_asvs: int,
    distances: Sequence[Distances | None] | None = None,
) -> Studies:
    """Put tables over one set of distinct ASVs.

    Parameters
    ----------
    tables : sequence of SampleTable
    sequences : mapping of str to str, optional
        DNA by feature id (see `sequences_of`).
    max_sequence_length : int
        Nucleotides that the model reads of an ASV.
    max_asvs : int
        ASVs that the model reads of a sample: the most abundant, ties by sequence.
    distances : sequence of Distances or None, optional
        One for each table.

    Returns
    -------
    Studies

    Raises
    ------
    AAMError
        If a feature's DNA is not known.
    """
    dna = [sequences_of(table.feature_ids, sequences) for table in tables]
    asvs, index = distinct_asvs([one for study in dna for one in study], max_sequence_length)
    columns = np.split(index, np.cumsum([len(study) for study in dna])[:-1])
    studies, cut_samples, cut_share = [], 0, 0.0
    for position, (table, column) in enumerate(zip(tables, columns, strict=True)):
        counts = table.counts.tocoo()
        merged = scipy.sparse.csr_matrix(
            (counts.data, (counts.row, column[counts.col])),
            shape=(len(table.sample_ids), len(asvs)),
        )
        merged.sort_indices()
        abundances = relative(merged)
        kept = keep_most_abundant(abundances, max_asvs)
        lost = 1 - np.asarray(kept.sum(axis=1)).ravel()
        cut = np.diff(kept.indptr) < np.diff(abundances.indptr)
        cut_samples += int(cut.sum())
        cut_share = max(cut_share, float(lost[cut].max(initial=0)))
        of_study = distances[position] if distances else None
        studies.append(Study(table.sample_ids, kept.astype(np.float32), of_study))
    return Studies(asvs, tuple(studies), None, cut_samples, cut_share)


def held_asvs(studies: Studies, *parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sorted positions of the ASVs that some samples hold.

    Parameters
    ----------
    studies : Studies
    *parts : sequence of ndarray of int64
        Each gives positions of samples for every study.
    """
    held = [
        study.abundances[samples].indices
        for part in parts
        for study, samples in zip(studies.studies, part, strict=True)
    ]
    return np.unique(np.concatenate(held)).astype(np.int64)


def relative(counts: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """Divide each row by its sum."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    per_entry = np.repeat(totals, np.diff(counts.indptr))
    return scipy.sparse.csr_matrix(
        (counts.data / per_entry, counts.indices, counts.indptr), shape=counts.shape
    )


def keep_most_abundant(abundances: scipy.sparse.csr_matrix, limit: int) -> scipy.sparse.csr_matrix:
    """Keep the `limit` largest entries of each row; ties go to the smaller column."""
    sizes = np.diff(abundances.indptr)
    long = np.flatnonzero(sizes > limit)
    if not len(long):
        return abundances
    kept = np.ones(abundances.nnz, dtype=bool)
    for row in long:  # few of a table: sorting all rows would take several times its memory
        entries = slice(*abundances.indptr[row : row + 2])
        order = np.lexsort((abundances.indices[entries], -abundances.data[entries]))
        kept[entries.start + order[limit:]] = False
    offsets = np.concatenate([[0], np.cumsum(np.minimum(sizes, limit))])
    return scipy.sparse.csr_matrix(
        (abundances.data[kept], abundances.indices[kept], offsets), shape=abundances.shape
    )
