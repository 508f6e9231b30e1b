"""The demo's files, cut down so that its steps take seconds."""

from pathlib import Path
from shutil import copy

import biom
import numpy as np
import qiime2
from simulated_study import table_artifact

import q2_aam

DEMO = Path(q2_aam.__file__).parent / "demo_data"
DEPTH = 1400  # of the demo's rarefaction


def write_small_demo(folder: Path, samples: int, asvs: int) -> None:
    """Write the demo's inputs with few samples, all labeled, and their most common ASVs."""
    for name in ("rep-seqs.qza", "rooted-tree.qza", "metadata.tsv"):
        copy(DEMO / name, folder)
    table = qiime2.Artifact.load(str(DEMO / "table.qza")).view(biom.Table)
    labeled = set(qiime2.Metadata.load(str(DEMO / "metadata.tsv")).ids)
    table = table.filter(labeled & set(table.ids()), inplace=False)
    common = table.ids(axis="observation")[table.matrix_data.getnnz(axis=1).argsort()[-asvs:]]
    table = table.filter(set(common), axis="observation", inplace=False)
    deep = table.ids()[np.asarray(table.sum(axis="sample")) >= DEPTH]
    table = table.filter(set(deep[:samples]), inplace=False)
    table_artifact(table).save(str(folder / "table.qza"))
