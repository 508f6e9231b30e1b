"""One or several studies over one set of distinct ASVs: what training and prediction read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from . import matching
from .distances import Distances
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
    # probability that a sample holds an ASV, of the entries of `abundances`; None if all are sure
    presence: scipy.sparse.csr_matrix | None = None

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
        return 1 - self.shares[:, matching.EMBEDDING_ONLY]


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
    # without a vocabulary, bool (features,): read as their reverse complement; of no kind that the
    # reference holds (see `orient`)
    turned: np.ndarray | None = None
    far: np.ndarray | None = None


def build_studies(
    tables: Sequence[SampleTable], sequences: Mapping[str, str] | None, max_sequence_length: int,
    max_asvs: int, distances: Sequence[Distances | None] | None = None,
    vocabulary: matching.Vocabulary | None = None,
) -> Studies:  # fmt: skip
    """Put tables over one set of distinct ASVs; `sequences` are DNA by feature id.

    Without a vocabulary, as in training, sequences that overlap are merged. With one, sequences are
    looked up in it; that of a model that reads clades only is empty. Of a sample the `max_asvs`
    most abundant ASVs are read, ties by sequence.
    """
    dna = [sequences_of(table.feature_ids, sequences) for table in tables]
    reads = np.concatenate([np.asarray(table.counts.sum(axis=0)).ravel() for table in tables])
    distinct, index = _distinct([one for study in dna for one in study])
    known = turned = far = recognition = None
    merged = 0
    if not vocabulary:
        oriented, turned, far = (np.asarray(one)[index] for one in matching.orient(distinct))
        distinct, index = _distinct(oriented)
    if vocabulary is None:
        shares = matching.merge_overlapping(distinct, np.bincount(index, reads, len(distinct)))
        kept = np.flatnonzero(shares.diagonal())
        merged = len(distinct) - len(kept)
        read_as, shares = [distinct[row] for row in kept], shares[:, kept]
    elif not len(vocabulary):  # none are merged: a sample's reads must not depend on the others
        read_as, shares, used = distinct, scipy.sparse.identity(len(distinct)), []
    else:
        match = matching.match_sequences(distinct, vocabulary)
        kind, used = match.kind[index], np.unique(match.assignment.indices)
        read_as, shares = _look_up(distinct, match, vocabulary, used)
        of_kind = tables[0].counts @ np.eye(len(matching.KINDS))[kind]
        of_kind /= of_kind.sum(axis=1, keepdims=True)
        recognition = Recognition(kind, match.reversed[index], of_kind)
    asvs, place = tokenize_asvs(read_as, max_sequence_length)
    if vocabulary is not None:
        known = np.full(len(asvs), len(vocabulary), dtype=np.int64)
        known[place[: len(used)]] = used
    shape = (len(place), len(asvs))
    columns = scipy.sparse.csr_matrix((np.ones(len(place)), (np.arange(len(place)), place)), shape)
    assignment = scipy.sparse.csr_matrix(shares @ columns)[index]  # (features, asvs)
    studies, cut_samples, cut_share, first = [], 0, 0.0, 0
    for position, table in enumerate(tables):
        last = first + len(table.feature_ids)
        abundances = (table.counts @ assignment[first:last]).tocsr()
        totals = np.asarray(abundances.sum(axis=1)).ravel()
        abundances.data /= np.repeat(totals, np.diff(abundances.indptr))
        kept = keep_most_abundant(abundances, max_asvs)
        presence = _presence(table.counts, assignment[first:last], kept)
        first = last
        lost = 1 - np.asarray(kept.sum(axis=1)).ravel()
        cut = np.diff(kept.indptr) < np.diff(abundances.indptr)
        cut_samples += int(cut.sum())
        cut_share = max(cut_share, float(lost[cut].max(initial=0)))
        of_study = distances[position] if distances else None
        kept = kept.astype(np.float32)
        kept.sort_indices()  # as those of `presence`
        studies.append(Study(table.sample_ids, kept, of_study, presence=presence))
    return Studies(
        asvs, tuple(studies), known, recognition, assignment, merged, cut_samples, cut_share,
        turned, far,
    )  # fmt: skip


def _presence(counts, assignment, kept) -> scipy.sparse.csr_matrix | None:
    """Return how sure a sample is to hold each of its kept ASVs; None if all are sure."""
    if assignment.data.min() > 1 - 1e-9:
        return None
    is_other = assignment.copy()  # a feature is each ASV with the probability of its share
    is_other.data = np.log1p(-np.minimum(assignment.data, 1 - 1e-12))
    found = ((counts > 0) @ is_other).multiply(kept != 0).tocsr()
    found.data = -np.expm1(found.data).astype(np.float32)
    found.sort_indices()
    return found


def _distinct(sequences) -> tuple[list[str], np.ndarray]:
    distinct, index = np.unique(sequences, return_inverse=True)
    return distinct.tolist(), index.ravel()


def _look_up(
    distinct: list[str], match: matching.Match, vocabulary: matching.Vocabulary, used: np.ndarray
):
    """Return what a table is read as, used ASVs and what fits none, and shares of its reads."""
    rest = np.flatnonzero(match.kind == matching.EMBEDDING_ONLY)
    others = [distinct[row] for row in rest]
    for place in np.flatnonzero(match.reversed[rest]):
        others[place] = matching.reverse_complement(others[place])
    alone = scipy.sparse.identity(len(distinct), format="csr")[:, rest]
    shares = scipy.sparse.hstack([match.assignment[:, used], alone])
    return [vocabulary.sequences[row] for row in used] + others, shares


def held_asvs(studies: Studies, *parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sorted positions of the ASVs that samples hold; parts name some of each study."""
    held = [
        study.abundances[samples].indices
        for part in parts
        for study, samples in zip(studies.studies, part, strict=True)
    ]
    return np.unique(np.concatenate(held)).astype(np.int64)


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


@dataclass(frozen=True)
class Batch:
    """Some samples of one study; each distinct ASV stands in it once."""

    samples: np.ndarray  # int64 (batch,): positions in the study
    asvs: np.ndarray  # int64 (distinct,): positions among all ASVs
    index: np.ndarray  # int64 (batch, slots): positions in `asvs`, 0 in empty slots
    abundances: np.ndarray  # float32 (batch, slots): relative, 0 in empty slots
    distances: np.ndarray | None  # float32 (batch, batch)
    known: np.ndarray | None  # int64 (distinct,): rows in the model's vocabulary
    covariates: np.ndarray | None  # float32 (batch, inputs)
    presence: np.ndarray | None = None  # float32 (batch, slots): see `Study`


def epoch_order(
    samples_of_study: list[np.ndarray], batch_size: int, seed: int, epoch: int
) -> list[tuple[int, np.ndarray]]:
    """Shuffle the samples of every study into batches, and the batches among the studies.

    Returns pairs of a study and positions of its samples: a pure function of seed and epoch. A
    batch holds one study only, as distances are compared within a study; batches of a study differ
    by at most one sample, so that none is a mere remainder.
    """
    random = np.random.default_rng([seed, epoch, 0x0DE5])
    batches = []
    for study, samples in enumerate(samples_of_study):
        if len(samples):
            number = -(-len(samples) // batch_size)
            parts = np.array_split(random.permutation(samples), number)
            batches.extend((study, part) for part in parts)
    return [batches[position] for position in random.permutation(len(batches))]


def build_batch(studies: Studies, study: int, samples: np.ndarray) -> Batch:
    """Collect what a batch holds of some samples, in their order."""
    one = studies.studies[study]
    rows = one.abundances[samples]
    asvs, position = np.unique(rows.indices, return_inverse=True)
    sizes = np.diff(rows.indptr)
    filled = np.arange(sizes.max()) < sizes[:, None]

    def spread(values: np.ndarray) -> np.ndarray:
        found = np.zeros(filled.shape, values.dtype)
        found[filled] = values
        return found

    index, abundances = spread(position.astype(np.int64)), spread(rows.data)
    presence = None if one.presence is None else spread(one.presence[samples].data)
    return Batch(
        samples=samples, asvs=asvs.astype(np.int64), index=index, abundances=abundances,
        distances=None if one.distances is None else one.distances.block(samples),
        known=None if studies.known is None else studies.known[asvs],
        covariates=None if one.covariates is None else one.covariates[samples],
        presence=presence,
    )  # fmt: skip


def asv_tokens(asvs: Asvs, chosen: np.ndarray) -> np.ndarray:
    """Return the tokens of some ASVs, cut after the longest of them."""
    return asvs.tokens[chosen, : 1 + asvs.lengths[chosen].max()]
