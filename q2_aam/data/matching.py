"""What sequences are: ASVs of a vocabulary, and like the reference of the bundled encoder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse

from .tokens import ADENINE, THYMINE, tokenize

# Kinds of recognition, in the order in which they are tried.
KINDS = ("same", "overlapping", "embedding_only")
SAME, OVERLAPPING, EMBEDDING_ONLY = range(len(KINDS))
CLADES_ONLY = "clades_only"  # what all reads are to a model without a vocabulary

FEWEST_NUCLEOTIDES = 60  # of an overlap: shorter ones lie in conserved stretches that many share
KMERS = Path(__file__).parents[1] / "encoders" / "kmers.npy"
WORD = 12  # nucleotides: the reference holds a third of all words of this length
RESEMBLES = 0.6  # of its words: left-out families have at least 0.65, random DNA at most 0.51
_READS_AT_ONCE = 2048
_ROWS_AT_ONCE = 1024
_BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial hash; odd, modulo 2^64
_COMPLEMENT_OF_LETTER = str.maketrans("ACGTRYKMBVDH", "TGCAYRMKVBHD")


@dataclass(frozen=True)
class Vocabulary:
    """The ASVs that a model was fitted on."""

    sequences: list[str]  # distinct
    abundance: np.ndarray  # mean in training: sequences that fit several ASVs are shared by it

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True)
class Match:
    """What sequences are."""

    # (sequences, vocabulary) shares of each one's reads; rows sum to 1, or 0 where nothing fits
    assignment: scipy.sparse.csr_matrix
    kind: np.ndarray  # int8 (sequences,): index into `KINDS`
    reversed: np.ndarray  # bool (sequences,): whether the reverse complement is to be read


def reverse_complement(sequence: str) -> str:
    """Return upper-case DNA as the other strand reads it."""
    return sequence.translate(_COMPLEMENT_OF_LETTER)[::-1]


def match_sequences(sequences: list[str], vocabulary: Vocabulary) -> Match:
    """Find distinct upper-case sequences in a vocabulary, in either orientation.

    A sequence is the same as an ASV; or equal to ASVs over the whole of an overlap of at least
    `FEWEST_NUCLEOTIDES` (prefix, suffix, contained either way, dovetailed), shared among them by
    abundance; or none, as nearly equal ASVs are: taken for each other they raised errors
    (`benchmarks/README.md`). What fits in neither way is tried as its reverse complement; where
    most of what was found is reversed, all the rest is too. Letters but A, C, G and T equal
    themselves only.
    """
    number = len(sequences)
    kind = np.full(number, EMBEDDING_ONLY, dtype=np.int8)
    turned = np.zeros(number, dtype=bool)
    pairs: list[np.ndarray] = []
    known = {sequence: row for row, sequence in enumerate(vocabulary.sequences)}
    texts = _Texts(vocabulary.sequences)

    def search(rows: np.ndarray, read: Callable[[str], str], backwards: bool) -> None:
        strand = [read(sequences[row]) for row in rows]
        equal = np.array([known.get(one, -1) for one in strand], dtype=np.int64)
        is_known = equal >= 0
        record(rows[is_known], equal[is_known], SAME, backwards)
        rest = np.flatnonzero(~is_known)
        if len(rest):
            left, right = _overlaps(_Texts([strand[one] for one in rest]), texts).T
            record(rows[rest[left]], right, OVERLAPPING, backwards)

    def record(rows: np.ndarray, asvs: np.ndarray, what: int, backwards: bool) -> None:
        kind[rows], turned[rows] = what, backwards
        pairs.append(np.stack([rows, asvs], axis=1))

    search(np.arange(number), str, False)
    missing = np.flatnonzero(kind == EMBEDDING_ONLY)
    search(missing, reverse_complement, True)
    turned[kind == EMBEDDING_ONLY] = turned.sum() > number - len(missing)
    assignment = _share(np.concatenate(pairs), vocabulary.abundance, number)
    return Match(assignment, kind, turned)


def merge_overlapping(sequences: list[str], reads: np.ndarray) -> scipy.sparse.csr_matrix:
    """Give each of distinct sequences that overlaps longer or more abundant ones to them.

    A table merged from runs of different read lengths holds one organism under several sequences.
    Taken by length, then by reads, one that equals kept ones over the whole of an overlap is shared
    among them by their reads, else kept. Returns (sequences, sequences) shares: rows sum to 1; kept
    sequences have a 1 on the diagonal.
    """
    texts = _Texts(sequences)
    partners: dict[int, set[int]] = {}
    for pairs in _starts_within(texts, texts):
        for left, right in np.stack(pairs, axis=1).tolist():
            if left != right:
                partners.setdefault(left, set()).add(right)
                partners.setdefault(right, set()).add(left)
    order = sorted(partners, key=lambda row: (-len(sequences[row]), -reads[row], sequences[row]))
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

    See Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
    """

    def __init__(self, sequences: list[str]):
        tokens, self.lengths = tokenize(sequences)
        self.longest = tokens.shape[1] - 1
        powers = np.full(tokens.shape[1], _BASE, dtype=np.uint64)
        powers[0] = 1
        self._powers = np.multiply.accumulate(powers)
        self.prefix = np.zeros(tokens.shape, dtype=np.uint64)
        for place in range(1, tokens.shape[1]):
            self.prefix[:, place] = self.prefix[:, place - 1] * _BASE + tokens[:, place]

    def hashes(self, rows: np.ndarray, start, size) -> np.ndarray:
        """Hash the stretch of each row that begins at `start` and has `size` letters."""
        return self.prefix[rows, start + size] - self.prefix[rows, start] * self._powers[size]

    def windows(self, rows: slice, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hash all stretches of some rows: row, place and hash of each."""
        prefix = self.prefix[rows]
        hashed = prefix[:, size:] - prefix[:, :-size] * self._powers[size]
        ends = np.arange(size, prefix.shape[1])
        row, place = np.nonzero(ends[None, :] <= self.lengths[rows, None])
        return row + rows.start, place, hashed[row, place]


def _starts_within(texts: _Texts, others: _Texts) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of texts within which others begin and agree as far as both reach, and theirs."""
    size = FEWEST_NUCLEOTIDES
    if min(texts.longest, others.longest) < size:
        return
    long = np.flatnonzero(others.lengths >= size)
    first = others.hashes(long, 0, size)
    order = np.argsort(first, kind="stable")
    long, first = long[order], first[order]
    for start in range(0, len(texts.prefix), _ROWS_AT_ONCE):
        text, place, hashed = texts.windows(slice(start, start + _ROWS_AT_ONCE), size)
        low, high = np.searchsorted(first, hashed, "left"), np.searchsorted(first, hashed, "right")
        which = np.repeat(np.arange(len(hashed)), high - low)  # all places of all that are found
        within = np.arange(len(which)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        text, place, other = text[which], place[which], long[low[which] + within]
        overlap = np.minimum(others.lengths[other], texts.lengths[text] - place)
        equal = others.hashes(other, 0, overlap) == texts.hashes(text, place, overlap)
        yield text[equal], other[equal]


def _overlaps(texts: _Texts, others: _Texts) -> np.ndarray:
    """Pair texts with others that they overlap, whichever begins first: (pairs, 2)."""
    found = [np.stack(pair, axis=1) for pair in _starts_within(texts, others)]
    found += [np.stack(pair[::-1], axis=1) for pair in _starts_within(others, texts)]
    return np.unique(np.concatenate([np.zeros((0, 2), dtype=np.int64), *found]), axis=0)


def words_of(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the words of reads, (reads, words), and tell which are nothing but A, C, G and T."""
    places = letters.shape[1] - WORD + 1
    words = np.zeros((len(letters), places), dtype=np.int64)
    valid = np.ones((len(letters), places), dtype=bool)
    known = (letters >= ADENINE) & (letters <= THYMINE)
    for shift in range(WORD):
        within = slice(shift, shift + places)
        words = 4 * words + np.where(known[:, within], letters[:, within] - ADENINE, 0)
        valid &= known[:, within]
    return words, valid


def resemblance(sequences: list[str]) -> np.ndarray:
    """Return the share of each read's words that the reference holds; 0 of a read without words."""
    found = np.zeros(len(sequences))
    bits = np.load(KMERS)  # one a word
    for start in range(0, len(sequences), _READS_AT_ONCE):
        letters = tokenize(sequences[start : start + _READS_AT_ONCE])[0][:, 1:]
        if letters.shape[1] >= WORD:
            words, valid = words_of(letters)
            held = valid & (bits[words >> 3] >> (7 - (words & 7)).astype(np.uint8))
            number = np.maximum(valid.sum(axis=1), 1)
            found[start : start + len(letters)] = held.sum(axis=1) / number
    return found


def orient(sequences: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Turn reads that resemble the reference only as their reverse complement.

    Returns the reads, which of them were turned, and which resemble the reference on neither
    strand: it says nothing of them.
    """
    far = resemblance(sequences) < RESEMBLES
    rows = np.flatnonzero(far)
    others = [reverse_complement(sequences[row]) for row in rows]
    turned = np.zeros(len(sequences), dtype=bool)
    if len(rows):
        turned[rows] = resemblance(others) >= RESEMBLES
    oriented = list(sequences)
    for row, other in zip(rows, others, strict=True):
        oriented[row] = other if turned[row] else sequences[row]
    return oriented, turned, far & ~turned
