"""What the encoder in the box knows of four studies that it has not seen.

    python benchmarks/boxed_encoder.py [--pretrain] [--reference gg_13_8_otus]

UniFrac of 200 samples of each study, whole reads and cut ones; how far an embedding moves when the
read is cut. With --pretrain, UniFrac of unseen samples after some epochs on the study's own matrix.
With the reference, communities of left-out organisms read by V4 and by V3-V4.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse
import skbio
import torch
from measuring import parser_of, store
from studies import DEPTHS, Study, load_study

sys.path.insert(0, str(Path(__file__).parents[1] / "recipe" / "encoder"))

from judge import agreement, judge_communities, predicted_distances
from reference import read_reference

from q2_aam.data.tokens import tokenize_asvs
from q2_aam.inference import embed_asvs, load_network
from q2_aam.model.network import Network
from q2_aam.storage.model import BOX, read_boxed

# what is cut off the start, and how long reads are then at most
CUTS = {"whole": (0, 1000), "first 100": (0, 100), "20 off": (20, 1000), "50 off": (50, 1000)}
SAMPLES = 200
GROUPS = {"ecam": "host_subject_id", "sleep-apnea-mouse": "host_subject_id", "soils88-ph": None}
UNSEEN = 0.25
PRETRAINED = ((1, 1e-6), (3, 1e-4), (3, 3e-4), (3, 1e-3))  # epochs and learning rate


class TreeStudy(NamedTuple):
    """Rarefied samples: reads by sequence (sparse) and unweighted UniFrac on the study's tree."""

    sequences: list[str]
    held: scipy.sparse.csr_matrix
    truth: np.ndarray


def draw_samples(name: str) -> TreeStudy:
    """Draw samples of a study."""
    study, random = load_study(name), np.random.default_rng(0)
    ids, known = list(study.rarefied.ids()), study.sequences.view(pd.Series).map(str)
    few = sorted(random.choice(len(ids), min(SAMPLES, len(ids)), replace=False))
    table = study.rarefied.filter([ids[row] for row in few], inplace=False)
    table = table.remove_empty(inplace=False)
    held = table.matrix_data.T.tocsr().astype(np.float32)
    truth = study.distances.filter(list(table.ids())).data.astype(np.float32)
    return TreeStudy([known.get(one, one) for one in table.ids("observation")], held, truth)


def cut(study: TreeStudy, name: str) -> TreeStudy:
    """Cut all reads."""
    begin, length = CUTS[name]
    return study._replace(sequences=[dna[begin:][:length] for dna in study.sequences])


def judge_studies(network: Network, studies: dict[str, TreeStudy]) -> dict:
    """Compare UniFrac of real studies, by study and cut, and see how far embeddings move."""
    scores = {}
    for name, study in studies.items():
        scores[name] = {
            how: agreement(
                predicted_distances(network, cut(study, how).sequences, study.held), study.truth
            )
            for how in CUTS
        }
        scores[name]["moved"] = {
            how: moved(network, study.sequences, cut(study, how).sequences)
            for how in list(CUTS)[1:]
        }
    return scores


def moved(network: Network, whole: list[str], cut_reads: list[str]) -> float:
    """Return how far embeddings move, as a share of the distance between two different ASVs."""
    one, other = (embeddings(network, sequences) for sequences in (whole, cut_reads))
    apart = (one - one.roll(1, dims=0)).norm(dim=1).mean()
    return float((one - other).norm(dim=1).mean() / apart)


def embeddings(network: Network, sequences: list[str]) -> torch.Tensor:
    """Embed reads: (N, D)."""
    asvs, index = tokenize_asvs(sequences, network.config.max_sequence_length)
    return embed_asvs(network, asvs, np.arange(len(asvs)))[torch.from_numpy(index.copy())]


def measure_pretraining(name: str) -> dict:
    """Score unseen groups of a study by the encoder as it is, and after a short pretraining.

    A quarter of the children, mice or soils is never shown. At a learning rate of 1e-6 only the
    lengths of branches have moved, which are fitted before the first epoch.
    """
    from qiime2.plugins import aam

    study = load_study(name)
    training, unseen = divide(study, GROUPS[name])
    tables = [study.table_of(ids, rarefied=True) for ids in (training, unseen)]
    known = set(study.sequences.view(pd.Series).index)  # one study's features are named by DNA
    held = study.rarefied.ids("observation")
    sequences = study.sequences if known.issuperset(held) else None

    def score(encoder=None) -> dict[str, float]:
        found = aam.actions.predict_distances(tables[1], model=encoder, sequences=sequences)
        predicted = found.distance_matrix.view(skbio.DistanceMatrix)
        return agreement(predicted.data, study.distances.filter(predicted.ids).data)

    found = {"as it is": score()}
    for epochs, rate in PRETRAINED:
        encoder = aam.actions.pretrain(
            [tables[0]], [study.distances_of(training)], sequences=sequences and [sequences],
            epochs=epochs, learning_rate=rate, min_epochs=0, threads=1, device="cpu",
        ).encoder  # fmt: skip
        found[f"{epochs} epochs at {rate:g}"] = score(encoder)
    return found


def divide(study: Study, groups_column: str | None) -> tuple[list[str], list[str]]:
    """Draw whole groups that are never shown; return the ids to train on, and these."""
    ids = sorted(set(study.rarefied.ids()) & set(study.distances.ids))
    groups = pd.Series(ids, ids)
    if groups_column:
        groups = study.metadata[groups_column].reindex(ids).fillna(groups)
    names = sorted(set(groups))
    chosen = np.random.default_rng(0).choice(names, round(UNSEEN * len(names)), replace=False)
    unseen = groups.isin(chosen)
    return list(groups.index[~unseen]), list(groups.index[unseen])


def main() -> None:
    """Judge an encoder; print a table and store it."""
    parser = parser_of(__doc__)
    parser.add_argument("--reference", type=Path, help="the folder gg_13_8_otus")
    parser.add_argument("--pretrain", action="store_true", help="also after a short pretraining")
    parser.add_argument("--encoder", type=Path, default=BOX)
    options = parser.parse_args()
    studies = {name: draw_samples(name) for name in DEPTHS}
    network = load_network(*read_boxed(options.encoder))
    found: dict = {"studies": judge_studies(network, studies)}
    if options.reference:
        found["communities"] = judge_communities(network, read_reference(options.reference))
    if options.pretrain:
        with tempfile.TemporaryDirectory() as runs:
            os.environ["Q2_AAM_RUN_DIR"] = runs  # no result of an earlier run
            found["pretrained"] = {name: measure_pretraining(name) for name in GROUPS}
    for name, scores in found["studies"].items():
        for how in CUTS:
            r, explained, bias = scores[how].values()
            line = f"{name:18} {how:10} r {r:.4f}  R² {explained:6.3f}  mean off by {bias:+.3f}"
            if how in scores["moved"]:
                line += f"   embeddings moved by {scores['moved'][how]:.2f}"
            print(line)
    shown = {name: scores for name, scores in found.items() if name != "studies"}
    print(json.dumps(shown, indent=1))
    if options.encoder == BOX:
        store("boxed-encoder", found)


if __name__ == "__main__":
    main()
