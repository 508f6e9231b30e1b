"""One or several studies over one set of distinct ASVs: what training and prediction read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .distances import Distances
from .matching import (
    EMBEDDING_ONLY,
    KINDS,
    Vocabulary,
    match_sequences,
    merge_overlapping,
    reverse_complement,
)
from .reference import orient
from .sequences import sequences_of
from .table import SampleTable
from .tokens import Asvs, tokenize_asvs


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
class Recognition:
    """How the features of a table were read by a model that knows some ASVs.

    Attributes
    ----------
    kind : ndarray of int8, (features,)
        Index into `q2_aam.data.matching.KINDS`.
    reversed : ndarray of bool, (features,)
        Whether the reverse complement was read.
    shares : ndarray of float64, (samples, kinds)
        Shares of each sample's reads; rows sum to 1.
    """

    kind: np.ndarray
    reversed: np.ndarray
    shares: np.ndarray

    @property
    def recognized(self) -> np.ndarray:
        """Share of each sample's reads that is in the vocabulary: (samples,)."""
        return 1 - self.shares[:, EMBEDDING_ONLY]


@dataclass(frozen=True)
class Studies:
    """Several studies and the distinct ASVs that they share.

    Attributes
    ----------
    asvs : Asvs
    studies : tuple of Study
    known : ndarray of int64, (asvs,), optional
        Row of each ASV in a model's vocabulary, or the vocabulary's size for others.
    recognition : Recognition, optional
        How the features were read, where a vocabulary was given.
    assignment : csr_matrix of float64, (features, asvs), optional
        Shares of the reads of each feature, of all tables one after the other.
    turned, far : ndarray of bool, (features,), optional
        Without a vocabulary: features that were read as their reverse complement, and those that
        do not resemble 16S on either strand (see `q2_aam.data.reference`).
    cut_samples : int
        Samples that had more than the allowed number of ASVs.
    cut_share : float
        Largest share of one sample's reads that this lost.
    """

    asvs: Asvs
    studies: tuple[Study, ...]
    known: np.ndarray | None = None
    recognition: Recognition | None = None
    assignment: scipy.sparse.csr_matrix | None = None
    merged: int = 0
    cut_samples: int = 0
    cut_share: float = 0.0
    turned: np.ndarray | None = None
    far: np.ndarray | None = None


def build_studies(
    tables: Sequence[SampleTable],
    sequences: Mapping[str, str] | None,
    max_sequence_length: int,
    max_asvs: int,
    distances: Sequence[Distances | None] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Studies:
    """Put tables over one set of distinct ASVs.

    Without a vocabulary, as in training, sequences that overlap are merged: runs of different read
    lengths hold one organism under several sequences. With one, sequences are looked up in it.

    Parameters
    ----------
    tables : sequence of SampleTable
    sequences : mapping of str to str, optional
        DNA by feature id (see `sequences_of`).
    max_sequence_length : int
        Nucleotides that the model reads of an ASV; longer ones lose their end.
    max_asvs : int
        ASVs that the model reads of a sample: the most abundant, ties by sequence.
    distances : sequence of Distances or None, optional
        One for each table.
    vocabulary : Vocabulary, optional
        Of a fitted model.

    Raises
    ------
    AAMError
        If a feature's DNA is not known.
    """
    dna = [sequences_of(table.feature_ids, sequences) for table in tables]
    reads = np.concatenate([np.asarray(table.counts.sum(axis=0)).ravel() for table in tables])
    distinct, index = np.unique([one for study in dna for one in study], return_inverse=True)
    distinct, index = distinct.tolist(), index.ravel()
    match = turned = far = None
    if vocabulary is None:
        distinct, turned, far = (np.asarray(one)[index] for one in orient(distinct))
        distinct, index = np.unique(distinct, return_inverse=True)
        distinct, index = distinct.tolist(), index.ravel()
        shares = merge_overlapping(distinct, np.bincount(index, reads, len(distinct)))
        asvs, assignment, merged = _kept_asvs(distinct, shares, max_sequence_length)
        known = None
    else:
        match = match_sequences(distinct, vocabulary)
        asvs, assignment, known = _looked_up_asvs(distinct, match, vocabulary, max_sequence_length)
        merged = 0
    assignment = assignment[index]  # (features, asvs)
    studies, cut_samples, cut_share, first = [], 0, 0.0, 0
    for position, table in enumerate(tables):
        last = first + len(table.feature_ids)
        abundances = relative((table.counts @ assignment[first:last]).tocsr())
        first = last
        kept = keep_most_abundant(abundances, max_asvs)
        lost = 1 - np.asarray(kept.sum(axis=1)).ravel()
        cut = np.diff(kept.indptr) < np.diff(abundances.indptr)
        cut_samples += int(cut.sum())
        cut_share = max(cut_share, float(lost[cut].max(initial=0)))
        of_study = distances[position] if distances else None
        studies.append(Study(table.sample_ids, kept.astype(np.float32), of_study))
    recognition = match and _recognition(tables[0], match.kind[index], match.reversed[index])
    return Studies(
        asvs, tuple(studies), known, recognition, assignment, merged, cut_samples, cut_share,
        turned, far,
    )  # fmt: skip


def _kept_asvs(distinct: list[str], shares: scipy.sparse.csr_matrix, limit: int):
    """Return the ASVs that are kept, and the shares of each sequence's reads that they get."""
    kept = np.flatnonzero(shares.diagonal())
    asvs, place = tokenize_asvs([distinct[row] for row in kept], limit)
    columns = np.full(len(distinct), -1)
    columns[kept] = place
    shares = shares.tocoo()
    assignment = scipy.sparse.csr_matrix(
        (shares.data, (shares.row, columns[shares.col])), shape=(len(distinct), len(asvs))
    )
    return asvs, assignment, len(distinct) - len(kept)


def _looked_up_asvs(distinct: list[str], match, vocabulary: Vocabulary, limit: int):
    """Return the ASVs that a table is read as: those of the vocabulary, and those not in it."""
    shares = match.assignment.tocoo()
    used = np.unique(shares.col)
    rest = np.flatnonzero(match.kind == EMBEDDING_ONLY)
    others = [
        reverse_complement(distinct[row]) if match.reversed[row] else distinct[row] for row in rest
    ]
    asvs, place = tokenize_asvs([vocabulary.sequences[row] for row in used] + others, limit)
    columns = np.full(len(vocabulary), -1)
    columns[used] = place[: len(used)]
    rows = np.concatenate([shares.row, rest])
    cells = np.concatenate([columns[shares.col], place[len(used) :]])
    values = np.concatenate([shares.data, np.ones(len(rest))])
    known = np.full(len(asvs), len(vocabulary), dtype=np.int64)
    known[place[: len(used)]] = used
    assignment = scipy.sparse.csr_matrix((values, (rows, cells)), shape=(len(distinct), len(asvs)))
    return asvs, assignment, known


def _recognition(table: SampleTable, kind: np.ndarray, turned: np.ndarray) -> Recognition:
    """Count how the reads of each sample were recognized."""
    of_kind = np.zeros((len(kind), len(KINDS)))
    of_kind[np.arange(len(kind)), kind] = 1
    reads = table.counts @ of_kind
    return Recognition(kind, turned, reads / reads.sum(axis=1, keepdims=True))


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
