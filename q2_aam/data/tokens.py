"""DNA as small integers: one row of tokens for each distinct ASV."""

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
    """The distinct ASVs of all studies, sorted by sequence."""

    tokens: np.ndarray  # uint8 (asvs, 1 + longest): START, the nucleotides, padding
    lengths: np.ndarray  # int64 (asvs,): nucleotides
    unknown: int  # letters other than A, C, G and T
    shortened: int  # ASVs that were longer than the model reads and were cut at their end
    joined: int = 0  # ASVs that became equal to another one by this

    def __len__(self) -> int:
        return len(self.lengths)


def tokenize(sequences: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Turn upper-case DNA into tokens (sequences, 1 + longest), START first, and lengths."""
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
    """Tokenize upper-case DNA, each distinct sequence once; those above `limit` lose their end.

    Returns the ASVs, sorted by sequence whatever the input's order, and the ASV of each sequence.
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
