"""Build the demo data from what the package registries hold: ``python recipe/demo/build.py``.

The feature table and its metadata are test data of q2-sample-classifier. They name each ASV by
the md5 of its sequence and hold no sequences, so these are looked up among the reference
sequences of the PyPI package ``qiime-default-reference``, which also holds their tree.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import biom
import pandas as pd
import skbio
from qiime2 import Artifact

FOLDER = Path(__file__).parents[2] / "q2_aam" / "demo_data"
REFERENCE = "qiime-default-reference==0.1.3"
COLUMNS_THAT_REPEAT_OTHERS = ["sample_summary", "Description"]
PRIMER_515F = re.compile("GTG[CT]CAGC[AC]GCCGCGGTAA")
ASV_LENGTH = 150


def main() -> None:
    """Write the demo data into the package, and say what was kept and dropped."""
    spec = find_spec("q2_sample_classifier")
    source = Path(spec.origin).parent / "tests" / "data" if spec else Path("missing")
    if not source.is_dir():
        sys.exit("q2-sample-classifier and its test data are needed; please install them.")
    table = Artifact.load(str(source / "ecam-table-maturity.qza")).view(biom.Table)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder)
        download_reference(folder)
        sequences, references = find_sequences(folder, set(table.ids("observation")))
        with gzip.open(folder / "97_otus.tree.gz", "rt") as newick:
            root = skbio.TreeNode.read(newick, format="newick", convert_underscores=False)
    kept = table.filter(sequences, axis="observation", inplace=False).remove_empty()
    kept = kept.sort(axis="observation").sort(axis="sample")
    kept.table_id = None
    dna = [skbio.DNA(sequences[one], {"id": one}) for one in kept.ids("observation")]
    dna = pd.Series(dna, kept.ids("observation"))
    save("table.qza", "FeatureTable[Frequency]", kept)
    save("rep-seqs.qza", "FeatureData[Sequence]", dna, lambda found: found.astype(str).to_dict())
    save("rooted-tree.qza", "Phylogeny[Rooted]", subtree(root, references), branches)
    write_metadata(source / "ecam_map_maturity.txt", set(kept.ids()))
    report(table, kept)


def download_reference(folder: Path) -> None:
    """Download the reference and unpack its sequences and tree, unless they lie there."""
    command = ["pip", "download", "--no-deps", "--no-binary=:all:", "--dest", str(folder)]
    if not list(folder.glob("*.tar.gz")):
        subprocess.run([sys.executable, "-m", *command, REFERENCE], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        for member in members:
            if member.name.endswith(("97_otus.fasta.gz", "97_otus.tree.gz")):
                member.name = Path(member.name).name
                members.extract(member, folder)


def find_sequences(folder: Path, wanted: set[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Find the sequences whose md5 is a feature id, and all references that hold each of them.

    A candidate is what a sequencer reads from a reference: 150 nucleotides after the 515F primer.
    """
    sequences, references = {}, {}
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


def subtree(root: skbio.TreeNode, references: dict[str, list[str]]) -> skbio.TreeNode:
    """Return the tree of one tip for each ASV, named by feature id.

    Where several references hold the same ASV, it is the one closest to all others along the
    tree (ties go to the lowest number), so that a single misplaced reference does no harm.
    """
    tips = {tip.name: tip for tip in root.tips()}
    for feature, names in references.items():
        most_central([tips[name] for name in sorted(names, key=int)]).name = feature
    tree = root.shear(list(references))
    for node in tree.traverse():
        node.length = node.length and float(f"{node.length:.6g}")
        node.name = node.name if node.is_tip() else None
    tree.length = None
    return tree


def branches(tree: skbio.TreeNode) -> dict[frozenset[str], float]:
    """Return the length of each branch by the tips below it."""
    nodes = tree.traverse(include_self=False)
    return {
        frozenset(tip.name for tip in node.tips(include_self=True)): node.length for node in nodes
    }


def most_central(tips: list[skbio.TreeNode]) -> skbio.TreeNode:
    """Return the tip with the smallest summed distance to all others, the first among equals."""
    paths = []  # the distance to each ancestor, by its identity, from the tip upwards
    for node in tips:
        distances, distance = {}, 0.0
        while node is not None:
            distances[id(node)] = distance
            distance, node = distance + (node.length or 0.0), node.parent
        paths.append(distances)
    totals = [0.0] * len(tips)
    for i, j in combinations(range(len(tips)), 2):
        meeting = next(node for node in paths[i] if node in paths[j])
        distance = paths[i][meeting] + paths[j][meeting]
        totals[i] += distance
        totals[j] += distance
    # Rounded, as sums in another order may differ in their last digits.
    return min(zip([round(total, 9) for total in totals], range(len(tips)), tips, strict=True))[2]


def save(name: str, semantic_type: str, data, content=lambda data: data) -> None:
    """Write an artifact, unless one with the same content lies there already.

    Every new artifact gets a new identifier, so that without this check each build would differ.
    """
    path = FOLDER / name
    if path.exists() and content(Artifact.load(str(path)).view(type(data))) == content(data):
        print(f"{name}: unchanged")
        return
    Artifact.import_data(semantic_type, data).save(str(path))
    print(f"{name}: written, {path.stat().st_size / 1000:.0f} kB")


def write_metadata(source: Path, sample_ids: set[str]) -> None:
    """Copy the metadata of the samples in the table, without columns that only join others."""
    metadata = pd.read_csv(source, sep="\t", dtype=str, keep_default_na=False, index_col=0)
    metadata.index.name = "sample-id"
    metadata = metadata.drop(columns=COLUMNS_THAT_REPEAT_OTHERS).sort_index()
    metadata = metadata[metadata.index.isin(sample_ids)]
    metadata.to_csv(FOLDER / "metadata.tsv", sep="\t", lineterminator="\n")
    print(f"metadata.tsv: {len(metadata)} samples of {metadata['studyid'].nunique()} children")


def report(table: biom.Table, kept: biom.Table) -> None:
    """Say how much of the source is kept."""
    before = pd.Series(table.sum("sample"), index=table.ids())
    after = pd.Series(kept.sum("sample"), index=kept.ids())
    share = after / before[after.index]
    print(
        f"kept {kept.shape[0]:,} of {table.shape[0]:,} ASVs, {kept.shape[1]:,} of "
        f"{table.shape[1]:,} samples and {after.sum() / before.sum():.1%} of "
        f"{before.sum():,.0f} reads\n"
        f"reads a sample: {after.min():,.0f} to {after.max():,.0f}; share of them kept: "
        f"{share.min():.0%} at least, {share.median():.1%} in the median sample"
    )


if __name__ == "__main__":
    main()
