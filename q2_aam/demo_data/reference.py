"""Read the reference sequences and their tree, for the builder of the demo data."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from skbio import TreeNode

PRIMER_515F = re.compile("GTG[CT]CAGC[AC]GCCGCGGTAA")
ASV_LENGTH = 150


def find_sequences(
    folder: Path, feature_ids: Iterable[str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Find the sequences whose md5 is a feature id.

    A candidate is what a sequencer reads from a reference: 150 nucleotides after the 515F primer.

    Parameters
    ----------
    folder : Path
        Where ``97_otus.fasta.gz`` lies.
    feature_ids : iterable of str
        md5 sums of the sequences sought.

    Returns
    -------
    sequences : dict
        Sequence by feature id.
    references : dict
        The ids of all reference sequences that hold it, by feature id. Distinct references often
        share these 150 nucleotides.
    """
    wanted, sequences, references = set(feature_ids), {}, {}
    with gzip.open(folder / "97_otus.fasta.gz", "rt") as lines:
        for header in lines:
            reference = next(lines).strip()
            primer = PRIMER_515F.search(reference)
            if primer is None:
                continue
            candidate = reference[primer.end() : primer.end() + ASV_LENGTH]
            feature = hashlib.md5(candidate.encode()).hexdigest()
            if feature in wanted:
                sequences[feature] = candidate
                references.setdefault(feature, []).append(header[1:].split()[0])
    return sequences, references


def read_tree(folder: Path) -> TreeNode:
    """Read the tree of all reference sequences from ``97_otus.tree.gz`` in a folder."""
    with gzip.open(folder / "97_otus.tree.gz", "rt") as newick:
        return TreeNode.read(newick, format="newick", convert_underscores=False)
