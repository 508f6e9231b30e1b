"""Pretraining on shards with a matrix each, and on a large tree: memory and rates.

    python large_pretraining.py                  # 4 and 64 shards of 1,000 samples; 200,000 ASVs
    python large_pretraining.py --shards 2 8 --samples 200 --asvs 0

Needs the training core only, no QIIME 2. A matrix is converted once and then mapped from disk, so
that memory should not grow with the shards, but for what tables and ASVs take. Of the tree's epoch
a part is trained. Processor seconds are of one thread.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from made_up import evolve_sequences
from measuring import markdown, memory, parser_of, run_job, store

from q2_aam.config.model import ModelConfig, expected_tensors
from q2_aam.config.training import TrainingConfig
from q2_aam.data.distances import Distances, read_distances
from q2_aam.data.phylogeny import choose_clades, find_tips, parse_newick
from q2_aam.data.study import Studies, Study
from q2_aam.data.tokens import tokenize_asvs
from q2_aam.inference import load_network
from q2_aam.storage.model import read_boxed
from q2_aam.training import init, phylogeny, pretrain
from q2_aam.training.device import build_accelerator
from q2_aam.training.logger import TrainingLogger
from q2_aam.training.references import References, start_from_tree
from q2_aam.training.trainer import Trainer

ASVS, HELD, LENGTH = 4000, 60, 100  # of the shards
TREE_LENGTH, LEARNED, HELD_OUT = 150, 32768, 2048  # of the tree; ASVs of the epoch's part


def write_shard(folder: Path, samples: int, seed: int) -> None:
    """Draw samples of shared ASVs; their distances are 1 - shared / held by either, as text."""
    random = np.random.default_rng([seed, 1])
    center = random.random((samples, 1)) * ASVS
    held = np.zeros((samples, ASVS), dtype=np.float32)
    places = (center + random.normal(0, ASVS / 8, (samples, HELD))).astype(int) % ASVS
    np.put_along_axis(held, places, 1.0, axis=1)
    np.save(folder / "table.npy", held.astype(bool))
    shared, sizes = held @ held.T, held.sum(axis=1)
    distances = 1 - shared / (sizes[:, None] + sizes - shared)
    texts = np.array([f"{step / 10000:.4f}" for step in range(10001)])
    ids = [f"shard-{seed}-{number}" for number in range(samples)]
    with (folder / "distance-matrix.tsv").open("w") as file:
        file.write("\t".join(["", *ids]) + "\n")
        for name, row in zip(ids, (1e4 * distances).round().astype(int), strict=True):
            file.write(name + "\t" + "\t".join(texts[row]) + "\n")


def train_shards(folder: str, shards: int, bundled: bool = False) -> dict[str, float]:
    """Read the shards as pretrain does, and train one epoch of a small or the bundled encoder."""
    letters = np.random.default_rng(0).choice(list("ACGT"), (ASVS, LENGTH))
    asvs, _ = tokenize_asvs(sorted("".join(one) for one in letters), LENGTH)
    studies, converted, started = [], 0.0, time.process_time()
    for number in range(shards):
        shard = Path(folder) / str(number)
        held = scipy.sparse.csr_matrix(np.load(shard / "table.npy"), dtype=np.float32)
        held = scipy.sparse.diags(1 / np.asarray(held.sum(axis=1)).ravel()) @ held
        before = time.process_time()
        read_distances(shard / "distance-matrix.tsv")
        converted += time.process_time() - before
        ids, matrix = read_distances(shard / "distance-matrix.tsv")  # mapped, as in later runs
        found = Distances(matrix, np.arange(len(ids)))
        studies.append(Study(tuple(ids), held.tocsr().astype(np.float32), found))
    read, several = time.process_time(), Studies(asvs, tuple(studies))
    config = TrainingConfig(epochs=1, learning_rate=3e-3, workers=0)
    size = ModelConfig(hidden_size=32, heads=2, branches=64, max_sequence_length=LENGTH)
    network = init.new_network(size, several, 0, torch.device("cpu"))
    if bundled:
        network = load_network(*read_boxed())
    accelerator = build_accelerator("cpu", "fp32", 1)
    task = pretrain.pretraining_task(several, config)
    pretrain.pretrain(network, task, config, accelerator, TrainingLogger("pretrain", 1))
    trained = time.process_time()
    return {
        "encoder": "bundled" if bundled else "small",
        "shards": shards,
        "samples": sum(len(one) for one in studies),
        "seconds_to_convert_a_shard": converted / shards,
        "seconds_to_read_a_shard": (read - started - converted) / shards,
        "samples_per_second": sum(len(one) for one in studies) / (trained - read),
        "peak_gib": memory("VmHWM"),
        "anonymous_gib": memory("RssAnon"),
    }


def balanced_tree(names: list[str]) -> str:
    """Join neighbors, then pairs of these, until one is left: Newick."""
    parts = names
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd = parts[len(parts) // 2 * 2 :]
        parts = [f"({left}:0.01,{right}:0.01)" for left, right in pairs] + odd
    return f"{parts[0]};"


def train_tree(number: int) -> dict[str, float]:
    """Read a tree of so many ASVs as pretrain-from-phylogeny does; train a part of an epoch."""
    names = [f"f{place}" for place in range(number)]
    dna = evolve_sequences(number, TREE_LENGTH, np.random.default_rng(0))
    newick = balanced_tree(names)
    started = time.process_time()
    tree = parse_newick(newick)
    config, arrays = read_boxed()
    asvs, place = tokenize_asvs(dna, config.max_sequence_length)
    _, first = np.unique(place, return_index=True)
    tips = find_tips(tree, names)[first]
    clades = choose_clades(tree, tips, np.ones(len(tips), bool), config.branches, 2)
    read = time.process_time()
    training = TrainingConfig(epochs=1, batch_size=256, learning_rate=3e-3)
    accelerator = build_accelerator("cpu", "fp32", 1)
    config = dataclasses.replace(config, branches=len(clades.nodes))
    shapes = expected_tensors(config)
    kept = {name: array for name, array in arrays.items() if array.shape == shapes[name]}
    network = init.continued_network(config, kept, 0, accelerator.device)
    tokens = np.ascontiguousarray(asvs.tokens[:, 1:])
    references = References.on_device(tokens, asvs.lengths, clades, accelerator.device)
    objective = phylogeny.PhylogenyObjective(network, references, names, training)
    objective.learned = np.random.default_rng(0).permutation(objective.learned)[:LEARNED]
    objective.held_out = objective.held_out[:HELD_OUT]
    start_from_tree(network, references, clades)
    trainer = Trainer(objective, training, accelerator, TrainingLogger("pretrain", 1))
    prepared = time.process_time()
    steps = objective.batches(0, training.batch_size)
    network.train()
    for step in steps:
        trainer.take_step(step, None, 1e-4)
    trained = time.process_time()
    network.eval()
    objective.validate()
    return {
        "asvs": number,
        "seconds_to_read": read - started,
        "seconds_to_prepare": prepared - read,
        "asvs_per_second": sum(map(objective.count, steps)) / (trained - prepared),
        "validated_per_second": len(objective.held_out) / (time.process_time() - trained),
        "peak_gib": memory("VmHWM"),
    }


def main() -> None:
    """Measure, print a table and store every figure."""
    parser = parser_of(__doc__)
    parser.add_argument("--shards", nargs="*", type=int, default=[4, 64])
    parser.add_argument("--samples", type=int, default=1000, help="of a shard")
    parser.add_argument("--asvs", type=int, default=200_000, help="of the tree; 0: no tree")
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if job := options.job:
        print(json.dumps(train_shards(**job) if "shards" in job else train_tree(**job)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(max(options.shards, default=0)):
            (Path(scratch) / str(number)).mkdir()
            write_shard(Path(scratch) / str(number), options.samples, number)
        jobs = [{"folder": scratch, "shards": shards} for shards in options.shards]
        jobs += [job | {"bundled": True} for job in jobs[:1]]
        jobs += [{"number": options.asvs}] if options.asvs else []
        results = []
        for place, job in enumerate(jobs):
            runs = f"{scratch}/runs-{place}"  # no result of an earlier job
            results.append(run_job(__file__, job, Q2_AAM_RUN_DIR=runs, OMP_NUM_THREADS="1"))
    for found in results:
        row = [f"{x:.4g}" if isinstance(x, float) else x for x in found.values()]
        print(markdown([*found], [row]), "\n")
    store("large-pretraining", {"results": results})


if __name__ == "__main__":
    main()
