"""DNA as small integers: one row of tokens for each distinct ASV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PADDING, ADENINE, CYTOSINE, GUANINE, THYMINE, START, MASK, UNKNOWN = range(8)

_TOKEN_OF_LETTER = np.full(256, UNKNOWN, dtype=np.uint8)
for _letter, _token in zip(b"ACGT", (ADENINE, CYTOSINE, GUANINE, THYMINE), strict=True):
    _TOKEN_OF_LETTER[_letter] = _token


@dataclass(frozen=True)
class Asvs:
    """The distinct ASVs of all studies, sorted by sequence.

    Attributes
    ----------
    tokens : ndarray of uint8, (asvs, 1 + longest)
        START, then the nucleotides, then padding.
    lengths : ndarray of int64, (asvs,)
        Nucleotides of each ASV.
    unknown : int
        Letters other than A, C, G and T (read as an explicit unknown).
    shortened : int
        ASVs that were longer than the model reads and were cut at their end.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    unknown: int
    shortened: int

    def __len__(self) -> int:
        return len(self.lengths)


def tokenise(sequences: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Turn DNA into tokens.

    Parameters
    ----------
    sequences : list of str
        Upper-case DNA, at least one.

    Returns
    -------
    tokens : ndarray of uint8, (len(sequences), 1 + longest)
        START first, padding last.
    lengths : ndarray of int64, (len(sequences),)
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    letters = np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8)
    tokens = np.zeros((len(sequences), 1 + lengths.max()), dtype=np.uint8)
    tokens[:, 0] = START
    tokens[:, 1:][np.arange(lengths.max()) < lengths[:, None]] = _TOKEN_OF_LETTER[letters]
    return tokens, lengths


def distinct_asvs(sequences: list[str], limit: int) -> tuple[Asvs, np.ndarray]:
    """Merge equal sequences, so that each is tokenised, and later encoded, once.

    Parameters
    ----------
    sequences : list of str
        DNA of every feature of every study.
    limit : int
        Nucleotides that the model reads; longer sequences lose their end.

    Returns
    -------
    asvs : Asvs
    index : ndarray of int64, (len(sequences),)
        The ASV of each sequence. Sorting by sequence makes it independent of the input's order.
    """
    # bytes, as a letter of text takes four
    cut = np.array([sequence[:limit].encode("ascii") for sequence in sequences])
    distinct, index = np.unique(cut, return_inverse=True)
    tokens, lengths = tokenise([sequence.decode("ascii") for sequence in distinct.tolist()])
    unknown = int((tokens == UNKNOWN).sum())
    shortened = sum(len(sequence) > limit for sequence in sequences)
    for array in (tokens, lengths, index):
        array.setflags(write=False)
    return Asvs(tokens, lengths, unknown, shortened), index
