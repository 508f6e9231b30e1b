"""What the encoder in the box knows of four studies that it has not seen.

    python benchmarks/boxed_encoder.py DATA_FOLDER [--reference gg_13_8_otus [--nearest]]

UniFrac of 200 samples of each study, whole reads and cut ones; beside it what the nearest
reference window and its tree give; how far an embedding moves when the read is cut; left-out
communities read by V4 and by V3-V4; seconds for 1,000 samples. DATA_FOLDER may also be a pack of
the studies (see `tree_studies.py`), which needs neither QIIME 2 nor biom.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from tree_studies import TreeStudy, agreement, pack_studies, read_pack

sys.path.insert(0, str(Path(__file__).parents[1] / "recipe" / "encoder"))

from reference import PRIMERS, Reference, leave_out, read_reference

from q2_aam.data.phylogeny import Phylogeny
from q2_aam.data.study import build_studies
from q2_aam.data.table import SampleTable
from q2_aam.data.tokens import START, detokenize, tokenize, tokenize_asvs
from q2_aam.inference import all_states, embed_asvs, load_network, predict_distances
from q2_aam.model.network import Network
from q2_aam.storage.boxed import BOX, read_boxed

RESULTS = Path(__file__).parent / "results" / "boxed-encoder.json"
# what is cut off the start, and how long reads are then at most
CUTS = {"whole": (0, 1000), "first 100": (0, 100), "20 off": (20, 1000), "50 off": (50, 1000)}
WINDOWS_AT_ONCE = 4000


def cut(study: TreeStudy, name: str) -> TreeStudy:
    """Cut all reads."""
    begin, length = CUTS[name]
    return study._replace(sequences=[dna[begin:][:length] for dna in study.sequences])


def predicted_distances(network: Network, sequences: list[str], held) -> np.ndarray:
    """Predict the distances between samples, as predict-distances does."""
    # features keep their place: equal cut reads are one ASV
    named = {f"f{number}": dna for number, dna in enumerate(sequences)}
    samples = tuple(f"s{row:06}" for row in range(held.shape[0]))
    table = SampleTable(samples, tuple(named), held.astype(np.float64).tocsr())
    config = network.config
    studies = build_studies([table], named, config.max_sequence_length, config.max_asvs)
    everything = np.arange(len(samples))
    parts = network.parts_for(distances=True, target=False)
    state = all_states(network, studies, 0, everything, parts=parts)
    return predict_distances(network, state, studies.studies[0].abundances)


def nearest_windows(reference: Reference, sequences: list[str]) -> np.ndarray:
    """Return the reference organism whose V4 window has the fewest mismatches to each read."""
    length = min(map(len, sequences))
    begin = reference.primers[:, list(PRIMERS).index("515F"), 1]
    rows = np.flatnonzero((begin >= 0) & (begin + length <= reference.lengths))
    windows = reference.tokens[rows[:, None], begin[rows, None] + np.arange(length)]
    windows, first = np.unique(windows, axis=0, return_index=True)
    reads = one_hot(tokenize([dna[:length] for dna in sequences])[0][:, 1:])
    best, nearest = np.full(len(reads), -1.0), np.zeros(len(reads), np.int64)
    for start in range(0, len(windows), WINDOWS_AT_ONCE):
        equal = reads @ one_hot(windows[start : start + WINDOWS_AT_ONCE]).T
        place, most = equal.argmax(axis=1), equal.max(axis=1)
        nearest = np.where(most > best, first[start + place], nearest)
        best = np.maximum(best, most)
    return rows[nearest]


def one_hot(tokens: np.ndarray) -> np.ndarray:
    """Turn nucleotides into 0 and 1: (N, L) → (N, 4 L)."""
    return (tokens[:, :, None] == np.arange(1, 5)).reshape(len(tokens), -1).astype(np.float32)


def unifrac(phylogeny: Phylogeny, tips: np.ndarray, held) -> np.ndarray:
    """Return exact unweighted UniFrac of samples, whose features are tips of a tree."""
    rows, columns, node = [], [], tips.copy()
    features = np.arange(len(tips))
    while (node > 0).any():
        rows.append(features[node > 0])
        columns.append(node[node > 0])
        node = np.where(node > 0, phylogeny.parent[node], 0)
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    nodes, columns = np.unique(columns, return_inverse=True)
    above = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)))
    present = ((held > 0).astype(np.float32) @ above).toarray() > 0
    length = np.nan_to_num(phylogeny.length[nodes]).astype(np.float32)
    shared, own = (present * length) @ present.T.astype(np.float32), present @ length
    return 1 - shared / (own[:, None] + own[None] - shared)


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


def judge_nearest(reference: Reference, studies: dict[str, TreeStudy]) -> dict:
    """Compare UniFrac by the nearest reference window."""
    scores = {}
    for name, study in studies.items():
        scores[name] = {}
        for how in ("whole", "first 100"):
            nearest = nearest_windows(reference, cut(study, how).sequences)
            found = unifrac(reference.phylogeny, reference.nodes[nearest], study.held)
            scores[name][how] = agreement(found, study.truth)
    return scores


def window_dna(reference: Reference, rows: np.ndarray, begin: np.ndarray, length: int) -> list[str]:
    """Return a part of some organisms' DNA."""
    windows = reference.tokens[rows[:, None], begin[:, None] + np.arange(length)]
    return detokenize(np.pad(windows, ((0, 0), (1, 0)), constant_values=START))


def judge_primers(network: Network, reference: Reference, samples: int = 100) -> dict:
    """Read communities of left-out organisms by V4, by V3-V4 and half by each.

    The communities of a sample are drawn from a few branches of the tree, so that some are alike.
    """
    _, tips, families = leave_out(reference, 0.02, 0)
    begin = reference.primers[:, [list(PRIMERS).index(name) for name in ("515F", "341F")], 1]
    usable = (tips | families) & (begin >= 0).all(axis=1)
    usable &= begin.max(axis=1) + 400 <= reference.lengths
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(reference.nodes[rows])]  # neighbors in the tree
    random, counts = np.random.default_rng(0), np.zeros((samples, len(rows)), np.float32)
    for sample in counts:
        for _ in range(4):
            start = random.integers(0, len(rows) - 200)
            sample[start + random.choice(200, 20, replace=False)] = 1
    held = scipy.sparse.csr_matrix(counts)
    truth = unifrac(reference.phylogeny, reference.nodes[rows], held)
    reads = [
        window_dna(reference, rows, begin[rows, site], length)
        for site, length in ((0, 250), (1, 400))
    ]
    scores = {
        name: agreement(predicted_distances(network, dna, held), truth)
        for name, dna in zip(("V4", "V3-V4"), reads, strict=True)
    }
    # every second sample read by the other primer: its ASVs are other ones
    half = np.arange(samples) % 2
    both = scipy.sparse.hstack(
        [scipy.sparse.csr_matrix(counts * (half == site)[:, None]) for site in (0, 1)]
    ).tocsr()
    mixed = predicted_distances(network, reads[0] + reads[1], both)
    scores["mixed"] = agreement(mixed, truth)
    across = half[:, None] != half[None]
    same = predicted_distances(network, reads[0], held)
    scores["V4 against V3-V4"] = {
        "r": float(np.corrcoef(mixed[across], same[across])[0, 1]),
        "moved": float(np.abs(mixed[across] - same[across]).mean()),
    }
    return scores


def seconds_for(network: Network, study: TreeStudy, samples: int = 1000) -> float:
    """Measure predicting the distances of so many samples (a study's, again and again)."""
    rows = np.arange(samples) % study.held.shape[0]
    started = time.perf_counter()
    predicted_distances(network, study.sequences, study.held[rows])
    return time.perf_counter() - started


def print_table(found: dict) -> None:
    """Print r and R² of all studies."""
    for name, scores in found["studies"].items():
        nearest = found.get("nearest", {}).get(name, {})
        for how in CUTS:
            line = f"{name:18} {how:10} r {scores[how]['r']:.4f}  R² {scores[how]['R2']:6.3f}"
            if how in nearest:
                line += f"   nearest window {nearest[how]['r']:.4f} {nearest[how]['R2']:6.3f}"
            if how in scores["moved"]:
                line += f"   embeddings moved by {scores['moved'][how]:.2f}"
            print(line)
    for name, scores in found.get("primers", {}).items():
        print(name, "  ".join(f"{key} {value:.3f}" for key, value in scores.items()))
    print(f"{found['seconds for 1,000 samples']:.1f} s for 1,000 samples")


def main() -> None:
    """Judge an encoder; print a table and write it as JSON."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("data", type=Path)
    options.add_argument("--reference", type=Path, help="the folder gg_13_8_otus")
    options.add_argument("--nearest", action="store_true", help="the nearest windows as well")
    options.add_argument("--encoder", type=Path, default=BOX)
    options.add_argument("--to", type=Path, default=RESULTS)
    chosen = options.parse_args()
    if chosen.data.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            pack = Path(folder) / "studies.npz"
            pack_studies(chosen.data, pack)
            studies = read_pack(pack)
    else:
        studies = read_pack(chosen.data)
    config, arrays = read_boxed(chosen.encoder)
    network = load_network(config, arrays)
    found: dict = {"studies": judge_studies(network, studies)}
    found["seconds for 1,000 samples"] = seconds_for(network, studies["ecam"])
    if chosen.reference:
        reference = read_reference(chosen.reference)
        found["primers"] = judge_primers(network, reference)
        if chosen.nearest:
            found["nearest"] = judge_nearest(reference, studies)
    print_table(found)
    chosen.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
