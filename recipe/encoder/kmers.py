"""Collect the words of the reference, by which reads that it does not resemble are noticed.

    python recipe/encoder/kmers.py gg_13_8_otus

writes `q2_aam/encoders/kmers.npy`, a bit for each word, and prints by how much reads of families
that were left out resemble the others, and random DNA does.
"""

import argparse
from pathlib import Path

import numpy as np
from reference import PRIMERS, Reference, leave_out, read_reference

from q2_aam.data import matching as words

READ = 150
_ORGANISMS_AT_ONCE = 2048


def collect(reference: Reference, organisms: np.ndarray) -> np.ndarray:
    """Mark the words of some organisms: (4 ** LENGTH / 8,) uint8."""
    held = np.zeros(4**words.WORD, dtype=bool)
    for start in range(0, len(organisms), _ORGANISMS_AT_ONCE):
        found, valid = words.words_of(reference.tokens[organisms[start:][:_ORGANISMS_AT_ONCE]])
        held[found[valid]] = True
    return np.packbits(held)


def shares(letters: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return the share of each read's words that are marked."""
    found, valid = words.words_of(letters)
    held = np.unpackbits(bits)[found].astype(bool)
    return (held & valid).sum(axis=1) / valid.sum(axis=1)


def judge(reference: Reference) -> None:
    """Print quantiles of the shares of reads that were left out, and of random DNA."""
    learned, _, families = leave_out(reference, 0.05, 0)
    bits, random = collect(reference, np.flatnonzero(learned)), np.random.default_rng(0)
    drawn = random.integers(1, 5, (5000, READ)).astype(np.uint8)
    print("random DNA, at most:", np.quantile(shares(drawn, bits), 0.99).round(3))
    for column, primer in enumerate(PRIMERS):
        starts = reference.primers[:, column, 1]
        rows = np.flatnonzero(families & (starts > 0) & (starts + READ < reference.lengths))
        if len(rows):
            reads = np.stack([reference.tokens[row, starts[row] :][:READ] for row in rows])
            least = np.quantile(shares(reads, bits), [0.001, 0.01]).round(3)
            print(f"left-out families behind {primer} ({len(rows):,} reads), at least:", *least)


def main() -> None:
    """Write the words of all organisms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    reference = read_reference(parser.parse_args().folder)
    judge(reference)
    np.save(words.KMERS, collect(reference, np.arange(len(reference.names))))


if __name__ == "__main__":
    main()
