"""How many epochs on a study's own matrix the bundled encoder needs, on its unseen samples.

    python benchmarks/boxed_pretraining.py DATA_FOLDER

A quarter of the children, mice or soils is never shown; `pretrain` starts from the bundled encoder
on the others, and UniFrac among the unseen ones is predicted. At a learning rate of 1e-6 only the
lengths of branches have moved, which are fitted before the first epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from tree_studies import DEPTHS, agreement

RESULTS = Path(__file__).parent / "results" / "boxed-pretraining.json"
GROUPS = {"ecam": "host_subject_id", "sleep-apnea-mouse": "host_subject_id", "soils88-ph": None}
UNSEEN = 0.25
# epochs and learning rate
VARIANTS = ((1, 1e-6), (3, 1e-4), (3, 3e-4), (3, 1e-3))


def read_study(folder: Path, name: str):
    """Return the training and the unseen table, the sequences and the matrix of a study."""
    depth = DEPTHS[name]
    table = biom.load_table(str(folder / f"table.rare{depth}.biom"))
    sequences = qiime2.Artifact.load(str(folder / "rep-seqs.qza"))
    matrix = qiime2.Artifact.load(str(folder / f"unweighted-unifrac.rare{depth}.qza"))
    ids = sorted(set(table.ids()) & set(matrix.view(skbio.DistanceMatrix).ids))
    groups = pd.Series(ids, ids)
    if GROUPS[name]:
        metadata = pd.read_csv(folder / "metadata.tsv", sep="\t", dtype=str, index_col=0)
        groups = metadata[GROUPS[name]].reindex(ids).fillna(groups)
    names = sorted(set(groups))
    chosen = np.random.default_rng(0).choice(names, round(UNSEEN * len(names)), replace=False)
    unseen = groups.isin(chosen)
    parts = [
        table.filter(list(groups.index[rows]), inplace=False).remove_empty(inplace=False)
        for rows in (~unseen, unseen)
    ]
    tables = [qiime2.Artifact.import_data("FeatureTable[Frequency]", part) for part in parts]
    known = set(sequences.view(pd.Series).index)  # one study's features are named by their DNA
    sequences = sequences if known.issuperset(table.ids("observation")) else None
    return *tables, sequences, matrix


def score(table, sequences, matrix, encoder=None) -> dict[str, float]:
    """Predict UniFrac of samples and compare it with the matrix."""
    from qiime2.plugins import aam

    found = aam.actions.predict_distances(table, model=encoder, sequences=sequences)
    predicted = found.distance_matrix.view(skbio.DistanceMatrix)
    actual = matrix.view(skbio.DistanceMatrix).filter(predicted.ids)
    return agreement(predicted.data, actual.data)


def measure(folder: Path, name: str) -> dict:
    """Score the bundled encoder as it is, and after each variant of pretraining."""
    from qiime2.plugins import aam

    training, unseen, sequences, matrix = read_study(folder / name, name)
    own = matrix.view(skbio.DistanceMatrix).filter(list(training.view(biom.Table).ids()))
    own = qiime2.Artifact.import_data("DistanceMatrix", own)
    found = {"as it is": score(unseen, sequences, matrix)}
    print(name, "as it is", found["as it is"], flush=True)
    for epochs, rate in VARIANTS:
        with tempfile.TemporaryDirectory() as runs:
            os.environ["Q2_AAM_RUN_DIR"] = runs
            started = time.perf_counter()
            encoder = aam.actions.pretrain(
                [training], [own], sequences=sequences and [sequences],
                epochs=epochs, learning_rate=rate, min_epochs=0, threads=1, device="cpu",
            ).encoder  # fmt: skip
            seconds = time.perf_counter() - started
        variant = f"{epochs} epochs at {rate:g}"
        found[variant] = score(unseen, sequences, matrix, encoder) | {"seconds": round(seconds)}
        print(name, variant, found[variant], flush=True)
    return found


def main() -> None:
    """Measure all studies, and store every figure."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("data", type=Path)
    options.add_argument("--studies", nargs="+", default=list(GROUPS), choices=list(GROUPS))
    options.add_argument("--to", type=Path, default=RESULTS)
    chosen = options.parse_args()
    found = json.loads(chosen.to.read_text()) if chosen.to.exists() else {}
    for name in chosen.studies:
        found[name] = measure(chosen.data, name)
        chosen.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
