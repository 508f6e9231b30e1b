"""Time and memory of loading, batching, fitting and prediction as studies grow.

    python scale.py                                        # 1,000 to 64,000 samples
    python scale.py --sizes 1000 4000 --stages load predict

Needs the training core only, no QIIME 2. Every stage of every size runs in a process of its own, by
the functions that the actions call and with default sizes. Processor seconds are of one thread.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.sparse
import torch
from made_up import LENGTH, TREES, draw_table, fill_trees
from measuring import markdown, memory, parser_of, run_job, store

from q2_aam.config.model import ModelConfig
from q2_aam.config.training import TrainingConfig
from q2_aam.data.study import Studies, build_batch, build_studies, epoch_order
from q2_aam.data.table import SampleTable, read_table
from q2_aam.data.target_scaling import describe_target
from q2_aam.data.vocabulary import know_prevalent_asvs
from q2_aam.inference import predict_samples
from q2_aam.model.network import Network
from q2_aam.training import fit, init
from q2_aam.training.device import build_accelerator
from q2_aam.training.logger import TrainingLogger
from q2_aam.training.losses import Task

TABLE, DNA = "table.npz", "dna.txt"
COLUMNS = ("stage", "samples", "ASVs", "non-zeros", "s", "ms a sample", "GiB at start", "at most")


class Meter:
    """Measures the processor seconds of a stage, and memory in GiB at its start and its peak."""

    def __enter__(self):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.start_gib, self._start = memory("VmRSS"), time.process_time()
        return self

    def __exit__(self, *error) -> None:
        self.processor_seconds = time.process_time() - self._start
        self.peak_gib = memory("VmHWM")


def write_study(folder: Path, samples: int) -> dict[str, int]:
    """Draw a table and write it; say how large it is."""
    counts, dna = draw_table(samples)
    scipy.sparse.save_npz(folder / TABLE, counts.T.tocsr())
    (folder / DNA).write_text("\n".join(dna))
    return {"samples": samples, "asvs": len(dna), "nonzeros": int(counts.nnz)}


def stored_table(folder: Path) -> SimpleNamespace:
    """Read what was written, as a BIOM table would show it."""
    counts, dna = scipy.sparse.load_npz(folder / TABLE), (folder / DNA).read_text().split("\n")
    samples = [f"sample{number:06d}" for number in range(counts.shape[1])]
    ids = {"observation": dna, "sample": samples}
    return SimpleNamespace(matrix_data=counts, ids=lambda axis="sample": ids[axis])


def read_study(table: SimpleNamespace) -> tuple[SampleTable, Studies, np.ndarray]:
    """Read a table as fitting does; return samples, one study, and the vocabulary."""
    samples = read_table(table)
    studies = build_studies([samples], None, LENGTH, ModelConfig().max_asvs)
    return samples, *know_prevalent_asvs(studies, np.arange(len(samples.sample_ids)), LENGTH)


def load(folder: Path, meter: Meter) -> None:
    """Read the table, as it comes from BIOM, into what training reads."""
    table = stored_table(folder)
    with meter:
        read_study(table)


def batching(folder: Path, meter: Meter) -> None:
    """Build every batch of an epoch, one after the other."""
    samples, studies, _ = read_study(stored_table(folder))
    with meter:
        for study, rows in epoch_order([np.arange(len(samples.sample_ids))], 32, 0, 0):
            build_batch(studies, study, rows)


def new_network(studies: Studies, known: np.ndarray) -> tuple[Network, np.ndarray]:
    """Make a network as if from an encoder, and a target that some known ASVs bear on."""
    random = np.random.default_rng(0)
    held = studies.studies[0].abundances
    effect = np.where(studies.known < len(known), random.standard_normal(held.shape[1]), 0)
    values = (held > 0).astype(np.float32) @ effect + 5 * random.standard_normal(held.shape[0])
    target = describe_target("target", values, "z-score", len(known))
    target = fit.with_heads(target, TREES, len(values), attends=False)
    network = init.new_network(ModelConfig(target=target), studies, 0, torch.device("cpu"))
    fit.remember_asvs(network, known)
    return network, (values - target.location) / target.scale


def closed_form(folder: Path, meter: Meter) -> None:
    """Fit all heads in closed form, on every sample, with an encoder kept as it is."""
    accelerator = build_accelerator("cpu", "fp32", 1)
    samples, studies, known = read_study(stored_table(folder))
    every = np.arange(len(samples.sample_ids))
    network, targets = new_network(studies, known)
    task = Task(
        studies, [every], [every[:0]], targets.astype(np.float32), {"target": 1.0}, "target_loss",
        every, np.ones(len(every), np.float32),
    )  # fmt: skip
    config, logger = TrainingConfig(freeze_encoder=True), TrainingLogger("fit-regressor", 1)
    with meter:
        fit.fit(network, task, config, accelerator, logger)


def predict(folder: Path, meter: Meter) -> None:
    """Predict the target of every sample."""
    build_accelerator("cpu", "fp32", 1)
    samples, studies, known = read_study(stored_table(folder))
    network, _ = new_network(studies, known)
    fill_trees(network.target_head)
    with meter:
        predict_samples(network, studies, 0, np.arange(len(samples.sample_ids)))


STAGES = {"load": load, "batching": batching, "closed form": closed_form, "predict": predict}


def main() -> None:
    """Run all sizes, print the table and store every figure."""
    parser = parser_of(__doc__)
    sizes = [1000, 4000, 16000, 64000]
    parser.add_argument("--sizes", nargs="+", type=int, default=sizes, help="samples")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        meter = Meter()
        STAGES[options.job["stage"]](Path(options.job["folder"]), meter)
        print(json.dumps({name: x for name, x in vars(meter).items() if name[0] != "_"}))
        return
    results, rows = [], []
    for samples in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            facts = write_study(Path(folder), samples)
            for stage in options.stages:
                job = {"stage": stage, "folder": folder}
                found = run_job(__file__, job, Q2_AAM_RUN_DIR=folder, OMP_NUM_THREADS="1")
                results.append({"stage": stage} | facts | found)
    for one in sorted(results, key=lambda one: list(STAGES).index(one["stage"])):
        sizes = [f"{one[name]:,}" for name in ("samples", "asvs", "nonzeros")]
        took, memories = one["processor_seconds"], (one["start_gib"], one["peak_gib"])
        times = [f"{took:.3g}", f"{1000 * took / one['samples']:.3g}"]
        rows.append([one["stage"], *sizes, *times, *(f"{gib:.2f}" for gib in memories)])
    print(markdown(COLUMNS, rows))
    store("scale", {"results": results})


if __name__ == "__main__":
    main()
