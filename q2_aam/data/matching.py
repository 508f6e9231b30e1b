"""Which ASVs of a vocabulary a sequence is: the same, overlapping, or none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .tokens import tokenize

# Kinds of recognition, in the order in which they are tried.
KINDS = ("same", "overlapping", "embedding_only")
SAME, OVERLAPPING, EMBEDDING_ONLY = range(len(KINDS))
CLADES_ONLY = "clades_only"  # what all reads are to a model without a vocabulary

FEWEST_NUCLEOTIDES = 60  # of an overlap: shorter ones lie in conserved stretches that many share
_ROWS_AT_ONCE = 1024
_BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial hash; odd, modulo 2^64
_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[1:5] = (4, 3, 2, 1)
_COMPLEMENT_OF_LETTER = str.maketrans("ACGTRYKMBVDH", "TGCAYRMKVBHD")


@dataclass(frozen=True)
class Vocabulary:
    """The ASVs that a model was fitted on.

    Attributes
    ----------
    sequences : list of str
        Distinct.
    abundance : ndarray of float64, (vocabulary,)
        Mean relative abundance in training: sequences that fit several are shared by it.
    """

    sequences: list[str]
    abundance: np.ndarray

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True)
class Match:
    """What sequences are.

    Attributes
    ----------
    assignment : csr_matrix of float64, (sequences, vocabulary)
        Shares of each sequence's reads; a row sums to 1, or to 0 where nothing fits.
    kind : ndarray of int8, (sequences,)
        Index into `KINDS`.
    reversed : ndarray of bool, (sequences,)
        Whether the reverse complement is to be read.
    """

    assignment: scipy.sparse.csr_matrix
    kind: np.ndarray
    reversed: np.ndarray


def reverse_complement(sequence: str) -> str:
    """Return upper-case DNA as the other strand reads it."""
    return sequence.translate(_COMPLEMENT_OF_LETTER)[::-1]


def match_sequences(sequences: list[str], vocabulary: Vocabulary) -> Match:
    """Find each sequence in a vocabulary, in either orientation.

    A sequence is, in this order: the same as an ASV; equal to ASVs over the whole of an overlap of
    at least `FEWEST_NUCLEOTIDES` (prefix, suffix, contained either way, dovetailed), shared among
    them by their abundance; or none. Nearly equal ASVs are none: taken for each other they raised
    errors (`benchmarks/README.md`). What fits in neither way forwards is tried as its reverse
    complement; where most of what was found is reversed, all that was not found is reversed too. A
    letter other than A, C, G and T equals itself only.

    Parameters
    ----------
    sequences : list of str
        Distinct upper-case DNA.
    vocabulary : Vocabulary
    """
    number = len(sequences)
    kind = np.full(number, EMBEDDING_ONLY, dtype=np.int8)
    turned = np.zeros(number, dtype=bool)
    if not len(vocabulary):
        return Match(scipy.sparse.csr_matrix((number, 0)), kind, turned)
    pairs: list[np.ndarray] = []
    known = {sequence: row for row, sequence in enumerate(vocabulary.sequences)}
    tokens, lengths = tokenize(vocabulary.sequences)
    texts = _Texts(tokens[:, 1:], lengths)

    def search(rows: np.ndarray, backwards: bool) -> None:
        strand = [sequences[row] for row in rows]
        if backwards:
            strand = [reverse_complement(one) for one in strand]
        equal = np.array([known.get(one, -1) for one in strand], dtype=np.int64)
        found = np.flatnonzero(equal >= 0)
        record(rows, np.stack([found, equal[found]], axis=1), SAME, backwards)
        rest = np.flatnonzero(equal < 0)
        if len(rest):
            record(
                rows[rest], _overlaps([strand[one] for one in rest], texts), OVERLAPPING, backwards
            )

    def record(rows: np.ndarray, found: np.ndarray, what: int, backwards: bool) -> None:
        matched = rows[found[:, 0]]
        kind[matched], turned[matched] = what, backwards
        pairs.append(np.stack([matched, found[:, 1]], axis=1))

    search(np.arange(number), False)
    missing = np.flatnonzero(kind == EMBEDDING_ONLY)
    search(missing, True)
    backwards = turned.sum() > number - len(missing)
    missing = np.flatnonzero(kind == EMBEDDING_ONLY)
    turned[missing] = backwards
    assignment = _share(np.concatenate(pairs), vocabulary.abundance, number)
    return Match(assignment, kind, turned)


def merge_overlapping(sequences: list[str], reads: np.ndarray) -> scipy.sparse.csr_matrix:
    """Give each sequence that overlaps longer or more abundant ones to them.

    A table merged from runs of different read lengths holds one organism under several sequences.
    Sequences are taken by length, then by reads; one that equals kept ones over the whole of an
    overlap is shared among them by their reads, else it is kept.

    Parameters
    ----------
    sequences : list of str
        Distinct upper-case DNA.
    reads : ndarray of float64, (sequences,)

    Returns
    -------
    csr_matrix of float64, (sequences, sequences)
        Rows sum to 1; kept sequences have a 1 on the diagonal.
    """
    tokens, lengths = tokenize(sequences)
    texts = _Texts(tokens[:, 1:], lengths)
    found = [np.stack([text, start], axis=1) for text, _, start in _starts_within(texts, texts)]
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *found])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    partners: dict[int, set[int]] = {}
    for left, right in pairs.tolist():
        partners.setdefault(left, set()).add(right)
        partners.setdefault(right, set()).add(left)
    order = sorted(partners, key=lambda row: (-lengths[row], -reads[row], sequences[row]))
    kept, shared = set(), []
    for row in order:
        holders = sorted(partners[row] & kept)
        shared.extend((row, holder) for holder in holders)
        if not holders:
            kept.add(row)
    moved = np.array(shared, dtype=np.int64).reshape(-1, 2)
    alone = np.setdiff1d(np.arange(len(sequences)), moved[:, 0])
    moved = np.concatenate([moved, np.stack([alone, alone], axis=1)])
    return _share(moved, reads, len(sequences))


def _share(pairs: np.ndarray, weights: np.ndarray, rows: int) -> scipy.sparse.csr_matrix:
    """Share each row among the columns that it is paired with, by the columns' weights."""
    pairs = np.unique(pairs, axis=0)
    weight = np.maximum(weights[pairs[:, 1]], 1e-12)
    total = np.bincount(pairs[:, 0], weight, rows)[pairs[:, 0]]
    return scipy.sparse.csr_matrix(
        (weight / total, (pairs[:, 0], pairs[:, 1])), shape=(rows, len(weights))
    )


class _Texts:
    """Sequences whose stretches can be compared by hashes, some rows at a time.

    Parameters
    ----------
    letters : ndarray of uint8, (rows, longest)
        Tokens without START, padded.
    lengths : ndarray of int64, (rows,)

    References
    ----------
    Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
    """

    def __init__(self, letters: np.ndarray, lengths: np.ndarray):
        self.letters, self.lengths = letters, lengths
        powers = np.full(letters.shape[1] + 1, _BASE, dtype=np.uint64)
        powers[0] = 1
        self._powers = np.multiply.accumulate(powers)
        self.prefix = np.zeros((len(letters), letters.shape[1] + 1), dtype=np.uint64)
        for place in range(letters.shape[1]):
            self.prefix[:, place + 1] = self.prefix[:, place] * _BASE + letters[:, place]

    def hashes(
        self, rows: np.ndarray, start: np.ndarray | int, size: np.ndarray | int
    ) -> np.ndarray:
        """Hash the stretch of each row that begins at `start` and has `size` letters."""
        return self.prefix[rows, start + size] - self.prefix[rows, start] * self._powers[size]

    def windows(self, rows: slice, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hash all stretches of some rows: row, place and hash of each."""
        prefix = self.prefix[rows]
        hashed = prefix[:, size:] - prefix[:, :-size] * self._powers[size]
        ends = np.arange(size, prefix.shape[1])
        row, place = np.nonzero(ends[None, :] <= self.lengths[rows, None])
        return row + rows.start, place, hashed[row, place]


def _starts_within(
    texts: _Texts, others: _Texts
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Find where sequences begin within texts and agree as far as both reach.

    Yields
    ------
    text, place, other : ndarray of int64
        Rows of `texts`, the place where the other begins, and rows of `others`.
    """
    size = FEWEST_NUCLEOTIDES
    if min(texts.letters.shape[1], others.letters.shape[1]) < size:
        return
    long = np.flatnonzero(others.lengths >= size)
    first = others.hashes(long, 0, size)
    order = np.argsort(first, kind="stable")
    long, first = long[order], first[order]
    for start in range(0, len(texts.letters), _ROWS_AT_ONCE):
        text, place, hashed = texts.windows(slice(start, start + _ROWS_AT_ONCE), size)
        which, match = _lookup(first, hashed)
        text, place, other = text[which], place[which], long[match]
        overlap = np.minimum(others.lengths[other], texts.lengths[text] - place)
        equal = others.hashes(other, 0, overlap) == texts.hashes(text, place, overlap)
        yield text[equal], place[equal], other[equal]


def _lookup(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find all places of wanted values among sorted keys: positions in `wanted`, in `keys`."""
    low, high = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    hits = high - low
    which = np.repeat(np.arange(len(wanted)), hits)
    within = np.arange(len(which)) - np.repeat(np.cumsum(hits) - hits, hits)
    return which, low[which] + within


def _overlaps(sequences: list[str], vocabulary: _Texts) -> np.ndarray:
    """Pair sequences with the ASVs that they overlap: (pairs, 2)."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    tokens, lengths = tokenize(sequences)
    texts = _Texts(tokens[:, 1:], lengths)
    for asv, _, sequence in _starts_within(vocabulary, texts):
        found.append(np.stack([sequence, asv], axis=1))
    for sequence, _, asv in _starts_within(texts, vocabulary):
        found.append(np.stack([sequence, asv], axis=1))
    return np.unique(np.concatenate(found), axis=0)
