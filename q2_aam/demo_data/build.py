"""Build the demo data from what the package registries hold.

Run it from a clone of the project, with the set-up's Python::

    python -m q2_aam.demo_data.build

The feature table and its metadata are test data of q2-sample-classifier. They name each ASV by
the md5 of its sequence and hold no sequences, so these are looked up among the reference
sequences of the PyPI package ``qiime-default-reference``, which also holds their tree.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

import biom
import pandas as pd
from qiime2 import Artifact

from q2_aam.demo_data.reference import find_sequences, read_tree
from q2_aam.demo_data.tree import choose_tips, subtree_newick

FOLDER = Path(__file__).parent
REFERENCE = "qiime-default-reference==0.1.3"
COLUMNS_THAT_REPEAT_OTHERS = ["sample_summary", "Description"]


def main() -> None:
    """Write the demo data beside this file, and say what was kept and dropped."""
    source = source_folder()
    table = Artifact.load(str(source / "ecam-table-maturity.qza")).view(biom.Table)
    with tempfile.TemporaryDirectory() as folder:
        reference = download_reference(Path(folder))
        sequences, references = find_sequences(reference, table.ids("observation"))
        root = read_tree(reference)
    newick = subtree_newick(root, choose_tips(root, references))
    kept = keep_features(table, sequences)

    save("table.qza", "FeatureTable[Frequency]", kept, biom.Table)
    save("rep-seqs.qza", "FeatureData[Sequence]", as_series(kept, sequences), pd.Series)
    save_tree(newick)
    write_metadata(source / "ecam_map_maturity.txt", set(kept.ids()))
    report(table, kept)


def source_folder() -> Path:
    """Return the folder of q2-sample-classifier's test data.

    Raises
    ------
    SystemExit
        If q2-sample-classifier, or its test data, is not installed.
    """
    spec = find_spec("q2_sample_classifier")
    folder = Path(spec.origin).parent / "tests" / "data" if spec else Path("missing")
    if not folder.is_dir():
        sys.exit("q2-sample-classifier and its test data are needed; please install them.")
    return folder


def download_reference(folder: Path) -> Path:
    """Download and unpack the reference; return the folder that holds its sequences and trees."""
    command = ["pip", "download", "--no-deps", "--no-binary=:all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", *command, REFERENCE], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        wanted = [m for m in members if m.name.endswith(("97_otus.fasta.gz", "97_otus.tree.gz"))]
        for member in wanted:
            member.name = Path(member.name).name
            members.extract(member, folder)
    return folder


def keep_features(table: biom.Table, sequences: dict[str, str]) -> biom.Table:
    """Keep the features whose sequence is known, both axes sorted by id."""
    kept = table.filter(sequences, axis="observation", inplace=False).remove_empty()
    kept = kept.sort(axis="observation").sort(axis="sample")
    kept.table_id = None
    return kept


def as_series(table: biom.Table, sequences: dict[str, str]) -> pd.Series:
    """Return the table's sequences in the form in which QIIME 2 takes them."""
    from skbio import DNA

    ids = table.ids("observation")
    dna = [DNA(sequences[feature], metadata={"id": feature}) for feature in ids]
    return pd.Series(dna, index=ids)


def save(name: str, semantic_type: str, data: object, view: type) -> None:
    """Write an artifact, unless one with the same contents lies there already.

    Every new artifact gets a new identifier, so that without this check each build would differ.
    """
    path = FOLDER / name
    if path.exists():
        present = Artifact.load(str(path)).view(view)
        same = present == data if view is biom.Table else as_text(present) == as_text(data)
        if same:
            print(f"{name}: unchanged")
            return
    Artifact.import_data(semantic_type, data, view).save(str(path))
    print(f"{name}: written, {path.stat().st_size / 1000:.0f} kB")


def as_text(sequences: pd.Series) -> dict[str, str]:
    """Return sequences as plain strings by feature id."""
    return {feature: str(sequence) for feature, sequence in sequences.items()}


def save_tree(newick: str) -> None:
    """Write the rooted tree, unless the same text lies there already."""
    from q2_types.tree import NewickDirectoryFormat, NewickFormat

    path = FOLDER / "rooted-tree.qza"
    if path.exists():
        present = Artifact.load(str(path)).view(NewickDirectoryFormat)
        if (Path(str(present)) / "tree.nwk").read_text() == newick:
            print("rooted-tree.qza: unchanged")
            return
    tree = NewickFormat()
    Path(str(tree)).write_text(newick)
    Artifact.import_data("Phylogeny[Rooted]", str(tree), NewickFormat).save(str(path))
    print(f"rooted-tree.qza: written, {path.stat().st_size / 1000:.0f} kB")


def write_metadata(source: Path, sample_ids: set[str]) -> None:
    """Copy the metadata of the samples in the table, without columns that only join others."""
    metadata = pd.read_csv(source, sep="\t", dtype=str, keep_default_na=False, index_col=0)
    metadata.index.name = "sample-id"
    metadata = metadata.drop(columns=COLUMNS_THAT_REPEAT_OTHERS).sort_index()
    metadata = metadata[metadata.index.isin(sample_ids)]
    metadata.to_csv(FOLDER / "metadata.tsv", sep="\t", lineterminator="\n")
    children = metadata["studyid"].nunique()
    print(f"metadata.tsv: {len(metadata)} samples of {children} children")


def report(table: biom.Table, kept: biom.Table) -> None:
    """Say how much of the source is kept."""
    before = pd.Series(table.sum("sample"), index=table.ids())
    after = pd.Series(kept.sum("sample"), index=kept.ids())
    share = after / before[after.index]
    print(
        f"kept {kept.shape[0]:,} of {table.shape[0]:,} ASVs, {kept.shape[1]:,} of "
        f"{table.shape[1]:,} samples and {after.sum() / before.sum():.1%} of "
        f"{before.sum():,.0f} reads"
    )
    print(
        f"reads a sample: {after.min():,.0f} to {after.max():,.0f}; share of them kept: "
        f"{share.min():.0%} at least, {share.median():.1%} in the median sample"
    )


if __name__ == "__main__":
    main()
