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
from .sequences import sequences_of
from .table import SampleTable
from .tokens import Asvs, tokenize_asvs


@dataclass(frozen=True)
class Study:
    """The samples of one table as relative abundances of ASVs."""

    sample_ids: tuple[str, ...]
    # float32 (samples, asvs); rows sum to 1 before samples with too many ASVs are cut
    abundances: scipy.sparse.csr_matrix
    distances: Distances | None = None  # of exactly these samples
    covariates: np.ndarray | None = None  # float32 (samples, inputs): see `data.covariates`

    def __len__(self) -> int:
        return len(self.sample_ids)


@dataclass(frozen=True)
class Recognition:
    """How the features of a table were read by a model that knows some ASVs."""

    kind: np.ndarray  # int8 (features,): index into `q2_aam.data.matching.KINDS`
    reversed: np.ndarray  # bool (features,): whether the reverse complement was read
    shares: np.ndarray  # float64 (samples, kinds): of each sample's reads; rows sum to 1

    @property
    def recognized(self) -> np.ndarray:
        """Share of each sample's reads that is in the vocabulary: (samples,)."""
        return 1 - self.shares[:, EMBEDDING_ONLY]


@dataclass(frozen=True)
class Studies:
    """Several studies and the distinct ASVs that they share."""

    asvs: Asvs
    studies: tuple[Study, ...]
    known: np.ndarray | None = None  # int64 (asvs,): rows in a vocabulary; its size for others
    recognition: Recognition | None = None  # where a vocabulary was given
    # (features, asvs): shares of the reads of each feature, of all tables one after the other
    assignment: scipy.sparse.csr_matrix | None = None
    merged: int = 0  # sequences that were given to others which they overlap
    cut_samples: int = 0  # samples that had more than the allowed number of ASVs
    cut_share: float = 0.0  # largest share of one sample's reads that this lost


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
    `sequences` are DNA by feature id (see `sequences_of`). Of a sample the `max_asvs` most abundant
    ASVs are read, ties by sequence.
    """
    dna = [sequences_of(table.feature_ids, sequences) for table in tables]
    reads = np.concatenate([np.asarray(table.counts.sum(axis=0)).ravel() for table in tables])
    distinct, index = np.unique([one for study in dna for one in study], return_inverse=True)
    distinct, index = distinct.tolist(), index.ravel()
    match, known, merged = None, None, 0
    if vocabulary is None:
        shares = merge_overlapping(distinct, np.bincount(index, reads, len(distinct)))
        asvs, assignment, merged = _kept_asvs(distinct, shares, max_sequence_length)
    else:
        match = match_sequences(distinct, vocabulary)
        asvs, assignment, known = _looked_up_asvs(distinct, match, vocabulary, max_sequence_length)
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
    recognition = None
    if match is not None:
        kind = match.kind[index]
        of_kind = tables[0].counts @ np.eye(len(KINDS))[kind]
        shares = of_kind / of_kind.sum(axis=1, keepdims=True)
        recognition = Recognition(kind, match.reversed[index], shares)
    return Studies(
        asvs, tuple(studies), known, recognition, assignment, merged, cut_samples, cut_share
    )


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


def held_asvs(studies: Studies, *parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sorted positions of the ASVs that samples hold; parts name some of each study."""
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
