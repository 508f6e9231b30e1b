"""DNA as small integers: one row of tokens for each distinct ASV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Every letter other than A, C, G and T (IUPAC codes such as N) is one unknown letter.
PADDING, ADENINE, CYTOSINE, GUANINE, THYMINE, START, MASK, UNKNOWN = range(8)

_TOKEN_OF_LETTER = np.full(256, UNKNOWN, dtype=np.uint8)
for _letter, _token in zip(b"ACGT", (ADENINE, CYTOSINE, GUANINE, THYMINE), strict=True):
    _TOKEN_OF_LETTER[_letter] = _token
_LETTER_OF_TOKEN = np.frombuffer(b"\0ACGT??N", dtype=np.uint8)


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
    joined : int
        ASVs that became equal to another one by this.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    unknown: int
    shortened: int
    joined: int = 0

    def __len__(self) -> int:
        return len(self.lengths)


def tokenize(sequences: list[str]) -> tuple[np.ndarray, np.ndarray]:
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


def detokenize(tokens: np.ndarray) -> list[str]:
    """Turn rows of tokens, START first, back into DNA; unknown letters become N."""
    letters = _LETTER_OF_TOKEN[np.minimum(tokens[:, 1:], UNKNOWN)]
    letters = letters.view(f"S{letters.shape[1]}").ravel()
    return [row.decode("ascii") for row in letters.tolist()]


def tokenize_asvs(sequences: list[str], limit: int) -> tuple[Asvs, np.ndarray]:
    """Tokenize sequences, each distinct one once.

    Parameters
    ----------
    sequences : list of str
        Upper-case DNA, at least one.
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
    index = index.ravel()
    tokens, lengths = tokenize([sequence.decode("ascii") for sequence in distinct.tolist()])
    unknown = int((tokens == UNKNOWN).sum())
    shortened = sum(len(sequence) > limit for sequence in sequences)
    for array in (tokens, lengths, index):
        array.setflags(write=False)
    return Asvs(tokens, lengths, unknown, shortened, len(set(sequences)) - len(distinct)), index
