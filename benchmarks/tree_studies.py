"""Four real studies with their UniFrac, and what knowing the reference gives, as plain arrays.

A pack of them is one small file that needs neither QIIME 2 nor biom to be read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse

DEPTHS = {"ecam": 1500, "sleep-apnea-mouse": 1700, "udca": 2000, "soils88-ph": 500}
SAMPLES = 200


class TreeStudy(NamedTuple):
    """Some samples of a study, rarefied, with the distances between them.

    Attributes
    ----------
    sequences : list of str
    held : csr_matrix of float32, (samples, sequences)
        Reads.
    truth : ndarray of float32, (samples, samples)
        Unweighted UniFrac on the study's own tree.
    """

    sequences: list[str]
    held: scipy.sparse.csr_matrix
    truth: np.ndarray


def pack_studies(data: Path, pack: Path) -> None:
    """Draw samples of each study from the folder of studies and write them as one file."""
    import biom
    import pandas as pd
    import qiime2
    import skbio

    arrays = {}
    for study, depth in DEPTHS.items():
        folder = data / study
        table = biom.load_table(str(folder / f"table.rare{depth}.biom"))
        known = qiime2.Artifact.load(str(folder / "rep-seqs.qza")).view(pd.Series).map(str)
        ids, random = list(table.ids()), np.random.default_rng(0)
        few = sorted(random.choice(len(ids), min(SAMPLES, len(ids)), replace=False))
        table = table.filter([ids[row] for row in few], inplace=False).remove_empty(inplace=False)
        matrix = qiime2.Artifact.load(str(folder / f"unweighted-unifrac.rare{depth}.qza"))
        truth = matrix.view(skbio.DistanceMatrix).filter(list(table.ids())).data
        held = table.matrix_data.T.tocsr()
        sequences = [known.get(name, name) for name in table.ids("observation")]
        arrays |= {
            f"{study}/sequences": np.frombuffer(json.dumps(sequences).encode(), np.uint8),
            f"{study}/data": held.data.astype(np.float32),
            f"{study}/indices": held.indices.astype(np.int32),
            f"{study}/indptr": held.indptr.astype(np.int32),
            f"{study}/truth": truth.astype(np.float32),
        }
    np.savez_compressed(pack, **arrays)


def read_pack(pack: Path) -> dict[str, TreeStudy]:
    """Read the studies of a pack."""
    studies = {}
    with np.load(pack) as arrays:
        for study in DEPTHS:
            part = {
                name: arrays[f"{study}/{name}"]
                for name in ("sequences", "data", "indices", "indptr", "truth")
            }
            sequences = json.loads(part["sequences"].tobytes().decode())
            shape = (len(part["truth"]), len(sequences))
            rows = (part["data"], part["indices"], part["indptr"])
            studies[study] = TreeStudy(
                sequences, scipy.sparse.csr_matrix(rows, shape=shape), part["truth"]
            )
    return studies


def agreement(distance: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Score predicted distances over all pairs: Pearson's r and R²."""
    pairs = np.triu_indices(len(truth), 1)
    said, true = distance[pairs].astype(float), truth[pairs].astype(float)
    error = np.square(said - true).sum() / np.square(true - true.mean()).sum()
    return {"r": float(np.corrcoef(said, true)[0, 1]), "R2": float(1 - error)}
