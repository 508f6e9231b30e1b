"""The reference: DNA, taxonomy and tree of Greengenes 13_8, as PyPI's package holds them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from q2_aam.data.phylogeny import Phylogeny, parse_newick
from q2_aam.data.tokens import tokenize

# Forward primers of 16S. The start of a sequence stands for 27F, which most of them lack.
PRIMERS = {
    "27F": "AGAGTTTGATCMTGGCTCAG",
    "341F": "CCTACGGGNGGCWGCAG",
    "515F": "GTGYCAGCMGCCGCGGTAA",
    "799F": "AACMGGATTAGATACCCKG",
    "967F": "CNACGCGAAGAACCTTANC",
}
_LETTERS = {"M": "[AC]", "N": ".", "W": "[AT]", "Y": "[CT]", "K": "[GT]"}


class Reference(NamedTuple):
    """Reference organisms, sorted by their name."""

    names: list[str]
    tokens: np.ndarray  # (organisms, longest) uint8: nucleotides without START
    lengths: np.ndarray
    primers: np.ndarray  # (organisms, 5, 2): where each begins and ends; -1 where it is not found
    families: list[str]  # empty where unnamed
    phylogeny: Phylogeny
    nodes: np.ndarray  # the tip of each organism


def read_reference(folder: Path) -> Reference:
    """Read the folder ``gg_13_8_otus``; sequences that the tree lacks are left out."""
    with gzip.open(folder / "trees" / "97_otus.tree.gz", "rt") as file:
        phylogeny = parse_newick(file.read())
    tips = phylogeny.tips()
    with gzip.open(folder / "rep_set" / "97_otus.fasta.gz", "rt") as file:
        lines = file.read().split("\n")
    names = [line[1:].split()[0] for line in lines[0:-1:2]]
    known = {name: dna for name, dna in zip(names, lines[1::2], strict=False) if name in tips}
    names = sorted(known)
    sequences = [known[name] for name in names]
    tokens, lengths = tokenize(sequences)
    taxonomy = {}
    with gzip.open(folder / "taxonomy" / "97_otu_taxonomy.txt.gz", "rt") as file:
        for line in file:
            name, lineage = line.rstrip("\n").split("\t")
            taxonomy[name] = lineage.split("; g__")[0]
    families = ["" if taxonomy[name].endswith("f__") else taxonomy[name] for name in names]
    nodes = np.array([tips[name] for name in names])
    primers = np.stack([find_primer(sequences, primer) for primer in PRIMERS.values()], axis=1)
    return Reference(
        names, np.ascontiguousarray(tokens[:, 1:]), lengths, primers, families, phylogeny, nodes
    )


def find_primer(sequences: list[str], primer: str) -> np.ndarray:
    """Return where a primer begins and ends in each sequence, -1 where it is not found."""
    pattern = re.compile("".join(_LETTERS.get(letter, letter) for letter in primer))
    found = (pattern.search(dna) for dna in sequences)
    return np.array([match.span() if match else (-1, -1) for match in found])


def read_starts(reference: Reference) -> np.ndarray:
    """Return where reads begin: behind each primer, at each primer, and at the sequence's start."""
    behind, at = reference.primers[:, :, 1], reference.primers[:, :, 0]
    # twice as often without the primer as with it
    return np.concatenate([behind, behind, at, np.zeros((len(behind), 1), np.int64)], axis=1)


def leave_out(
    reference: Reference, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave out whole families, and as many of the other organisms.

    Returns who is learned, left out alone, and left out with the family: three arrays of bool.
    """
    random = np.random.default_rng(seed)
    named = sorted(set(reference.families) - {""})
    chosen = set(random.choice(named, round(share * len(named)), replace=False).tolist())
    families = np.array([family in chosen for family in reference.families])
    tips = (random.random(len(families)) < share) & ~families
    return ~(families | tips), tips, families
