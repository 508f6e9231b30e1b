"""Pretraining on one study cut into shards, each with its own matrix: memory and time by shards.

    python benchmarks/shards.py                        # 4 and 64 shards of 1,000 samples
    python benchmarks/shards.py --shards 2 8 --samples 200

Needs the training core only, no QIIME 2. Each number of shards runs in a process of its own, so
that its peak is its own. A matrix is converted once (the first pass) and then mapped from disk, so
that memory should not grow with the shards, but for what tables and ASVs take. The last lines say
what 10⁵ and 10⁶ samples would take at the rates measured: an extrapolation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "shards.json"
ASVS, HELD, LENGTH = 4000, 60, 100


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


def train(folder: Path, shards: int) -> dict[str, float]:
    """Read the shards as pretrain does, and train one epoch."""
    import scipy.sparse
    import torch

    from q2_aam.config import ModelConfig, TrainingConfig
    from q2_aam.data.distances import Distances, read_distances
    from q2_aam.data.study import Studies, Study
    from q2_aam.data.tokens import tokenize_asvs
    from q2_aam.training import init, pretrain
    from q2_aam.training.device import build_accelerator
    from q2_aam.training.logger import TrainingLogger

    started = time.perf_counter()
    letters = np.random.default_rng(0).choice(list("ACGT"), (ASVS, LENGTH))
    asvs, _ = tokenize_asvs(sorted("".join(one) for one in letters), LENGTH)
    studies = []
    for number in range(shards):
        shard = folder / str(number)
        held = scipy.sparse.csr_matrix(np.load(shard / "table.npy"), dtype=np.float32)
        held = scipy.sparse.diags(1 / np.asarray(held.sum(axis=1)).ravel()) @ held
        ids, matrix = read_distances(shard / "distance-matrix.tsv")
        found = Distances(matrix, np.arange(len(ids)))
        studies.append(Study(tuple(ids), held.tocsr().astype(np.float32), found))
    read = time.perf_counter() - started
    several = Studies(asvs, tuple(studies))
    accelerator = build_accelerator("cpu", "fp32", 1)
    config = TrainingConfig(epochs=1, learning_rate=3e-3, workers=0)
    size = ModelConfig(hidden_size=32, heads=2, branches=64, max_sequence_length=LENGTH)
    network = init.new_network(size, several, 0, torch.device("cpu"))
    before = peak_gib()
    progress, *_ = pretrain.pretrain(
        network, several, config, accelerator, TrainingLogger("pretrain", 1)
    )
    return {
        "shards": shards,
        "samples": sum(len(one) for one in studies),
        "seconds_to_read_a_shard": read / shards,
        "seconds_to_train_a_shard": progress.history[0]["seconds"] / shards,
        "samples_per_second": progress.history[0]["samples_per_second"],
        "peak_gib_before_training": before,
        "peak_gib": peak_gib(),
        "anonymous_gib": status("RssAnon"),
    }


def status(name: str) -> float:
    """Return a figure of this process in GiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def peak_gib() -> float:
    """Return the most memory so far, mapped files included, which the system takes back at will."""
    return status("VmHWM")


def main() -> None:
    """Measure, print a table and what many samples would take, and store every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", nargs="+", type=int, default=[4, 64])
    parser.add_argument("--samples", type=int, default=1000, help="of a shard")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(train(Path(options.job[0]), int(options.job[1]))))
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(max(options.shards)):
            (Path(scratch) / str(number)).mkdir()
            write_shard(Path(scratch) / str(number), options.samples, number)
        for shards in options.shards:
            for read_before in (False, True):
                environment = os.environ | {"Q2_AAM_RUN_DIR": f"{scratch}/runs-{shards}"}
                job = [sys.executable, __file__, "--job", scratch, str(shards)]
                done = subprocess.run(job, check=True, stdout=subprocess.PIPE, env=environment)
                line = done.stdout.decode().splitlines()[-1]
                results.append(json.loads(line) | {"converted_before": read_before})
                print(results[-1], flush=True)
                for state in Path(scratch).glob(f"runs-{shards}/*/state.safetensors"):
                    state.unlink()  # else the second pass would use the result of the first
    rate, disk = results[-1]["samples_per_second"], 4 * options.samples
    for samples in (10**5, 10**6):
        print(
            f"{samples:,} samples: {samples / rate / 3600:.1f} hours an epoch at this rate, "
            f"{samples * disk / 2**30:.0f} GiB of disk for matrices of {options.samples:,}"
        )
    options.output.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
