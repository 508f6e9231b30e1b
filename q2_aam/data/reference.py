"""Which reads resemble the reference that the bundled encoder learned from, and on which strand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .matching import reverse_complement
from .tokens import ADENINE, THYMINE, tokenize

KMERS = Path(__file__).parents[1] / "encoders" / "kmers.npy"
LENGTH = 12  # nucleotides: the reference holds a third of all words of this length
RESEMBLES = 0.6  # of its words: left-out families have at least 0.65, random DNA at most 0.51
_READS_AT_ONCE = 2048


@lru_cache(maxsize=1)
def _reference_words() -> np.ndarray:
    return np.load(KMERS)  # one bit a word


def words_of(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the words of reads, tokens without START (reads, longest), by their nucleotides.

    Returns int64 (reads, longest - LENGTH + 1), and where a word is nothing but A, C, G and T.
    """
    places = letters.shape[1] - LENGTH + 1
    words = np.zeros((len(letters), places), dtype=np.int64)
    valid = np.ones((len(letters), places), dtype=bool)
    known = (letters >= ADENINE) & (letters <= THYMINE)
    for shift in range(LENGTH):
        within = slice(shift, shift + places)
        words = 4 * words + np.where(known[:, within], letters[:, within] - ADENINE, 0)
        valid &= known[:, within]
    return words, valid


def resemblance(sequences: list[str]) -> np.ndarray:
    """Return the share of each read's words that the reference holds; 0 of a read without words."""
    found = np.zeros(len(sequences))
    bits = _reference_words()
    for start in range(0, len(sequences), _READS_AT_ONCE):
        letters = tokenize(sequences[start : start + _READS_AT_ONCE])[0][:, 1:]
        if letters.shape[1] >= LENGTH:
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
