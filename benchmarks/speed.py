"""Speed and memory of training and prediction, beside a plain AAM on the same samples.

    python benchmarks/speed.py
    PYTHONPATH=. python benchmarks/speed.py --device gpu --precision bf16

Needs the training core only, no QIIME 2. Ours and the reference take turns, each job in a process
of its own. On a CPU a sample takes the reference many seconds: there its batches are cut to
`--reference-samples`, and its memory is scaled to a whole batch. Rates are taken per ASV held and
given for the mean sample; fitting's hold what it does after each epoch but for validation. Each
job warms up on two samples, and counts floating-point operations in a last step, not timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from contenders import DEFAULTS, FIT, FROZEN, OURS, PREDICT, REFERENCE, TASKS, Job, Ours, Reference
from simulated_table import SimulatedStudy, simulate_study
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from q2_aam.config import TrainingConfig
from q2_aam.data.batches import epoch_order
from q2_aam.training.checkpoint import processor
from q2_aam.training.device import build_accelerator
from q2_aam.training.optim import build_optimizer

RESULTS = Path(__file__).parent / "results"
BATCH, LARGE_BATCH, WARMING = 8, 32, 2
COLUMNS = (
    "task", "contender", "batch", "samples/s", "ASVs/s", "times reference", "once, s", "peak GiB",
    "of the reference's", "encodings per ASV and epoch", "of peak FLOP/s",
)  # fmt: skip
MEDIANS = ("samples_per_second", "asvs_per_second", "peak_gib", "once_seconds")
MEDIANS += ("encodings_per_asv", "share_of_peak")
PRODUCT_SIZE = {"cpu": 2048, "cuda": 8192}
_ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"  # not counted by PyTorch itself
COUNTED_TOO = {
    getattr(torch.ops.aten, _ATTENTION): lambda q, k, v, *rest, **named: sdpa_flop_count(q, k, v),
    getattr(torch.ops.aten, f"{_ATTENTION}_backward"): (
        lambda gradient, q, k, v, *rest, **named: sdpa_backward_flop_count(gradient, q, k, v)
    ),
}


class Stopwatch:
    """Times work on a device and reads its memory."""

    def __init__(self, device: torch.device):
        self.device = device

    def seconds(self, work, *arguments) -> float:
        """Time a call, until the device has finished too."""
        self._wait()
        started = time.perf_counter()
        work(*arguments)
        self._wait()
        return time.perf_counter() - started

    def peak_memory(self) -> float:
        """Return the most memory taken so far in GiB: of the process, or of tensors on a GPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**30
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    def forget_peak(self) -> None:
        """Measure a GPU's memory from here on; the most that a process took stays its most."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def peak_operations(self, precision: str) -> float:
        """Return the floating-point operations per second of one large matrix product."""
        size = PRODUCT_SIZE[self.device.type]
        types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        matrix = torch.randn(size, size, device=self.device).to(types[precision])
        self.seconds(torch.matmul, matrix, matrix)
        took = min(self.seconds(torch.matmul, matrix, matrix) for _ in range(5))
        return 2 * size**3 / took

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


@dataclasses.dataclass
class Course:
    """What a job took.

    Attributes
    ----------
    seconds : float
        Of all timed batches.
    slots : list of int
        ASVs that the samples of each of them hold, summed.
    encoded : float
        ASVs encoded for each of these slots.
    once, epoch_end : float
        Seconds before the first and after the last step of an epoch.
    encoded_at_end : int
        ASVs encoded at an epoch's end.
    peak : float
        GiB.
    operations : float
        Floating-point operations for each slot; 0 if compiled, where they cannot be counted.
    """

    seconds: float
    slots: list[int]
    encoded: float
    once: float = 0.0
    epoch_end: float = 0.0
    encoded_at_end: int = 0
    peak: float = 0.0
    operations: float = 0.0


def measure(job: Job, study: SimulatedStudy) -> dict:
    """Run one job in this process; return it with what it took (GiB, seconds)."""
    accelerator = build_accelerator(job.device, job.precision, job.threads)
    watch = Stopwatch(accelerator.device)
    gc.collect()  # an earlier job's tensors
    watch.forget_peak()
    torch.manual_seed(0)
    kind = Reference if job.contender == REFERENCE else Ours
    contender = kind(job, study, accelerator.device)
    total, distinct = len(study.targets), len(study.studies.asvs)
    order = epoch_order([np.arange(total)], job.batch_size, 0, 0)
    batches = [samples[: job.computed] for _, samples in order[: job.steps + 1]]
    before = watch.peak_memory()
    if job.task == PREDICT:
        course = time_prediction(job, contender, batches, accelerator, watch)
    else:
        course = time_training(job, contender, batches, accelerator, watch)
    all_slots = int(contender.slots.sum())
    # per ASV held, not per sample, as a few samples may be richer or poorer than most
    stepping = course.seconds / sum(course.slots)
    rate = 1 / (stepping + course.epoch_end / all_slots)
    share = course.operations / stepping / watch.peak_operations(job.precision)
    whole = 1.0
    if job.computed < job.batch_size:
        whole = job.batch_size * all_slots / total / max(course.slots)
    return dataclasses.asdict(job) | {
        "samples_per_second": rate * total / all_slots,
        "asvs_per_second": rate,
        "peak_gib": before + (course.peak - before) * whole,
        "measured_peak_gib": course.peak,
        "start_gib": before,
        "encodings_per_asv": (course.encoded * all_slots + course.encoded_at_end) / distinct,
        "share_of_peak": share,
        "operations_per_second": course.operations / stepping,
        "step_asvs_per_second": 1 / stepping,
        "seconds": course.seconds,
        "once_seconds": course.once,
        "epoch_end_seconds": course.epoch_end,
    }


def time_training(job: Job, contender, batches, accelerator, watch: Stopwatch) -> Course:
    """Time steps, and what comes once and after each epoch."""
    once = watch.seconds(contender.freeze) if job.task == FROZEN else 0.0
    step = step_of(contender, accelerator)
    step(batches[0][:WARMING])
    if job.device == "gpu":  # which takes memory and chooses kernels by size
        step(batches[0])
    watch.forget_peak()
    started = contender.encoded
    seconds = watch.seconds(lambda: [step(samples) for samples in batches[1:]])
    encoded = contender.encoded - started
    slots = [int(contender.slots[samples].sum()) for samples in batches[1:]]
    course = Course(seconds, slots, encoded / sum(slots), once)
    if job.task == FIT:
        course.epoch_end = watch.seconds(contender.finish_epoch)
        course.encoded_at_end = contender.encoded - started - encoded
    course.peak = watch.peak_memory()
    if job.compile:
        return course
    # last, because under the counter checkpointing saves no memory
    contender.network.train()
    with FlopCounterMode(display=False, custom_mapping=COUNTED_TOO) as counter:
        step(batches[1])
    course.operations = counter.get_total_flops() / slots[0]
    return course


def step_of(contender, accelerator) -> Callable[[np.ndarray], None]:
    """Return what trains a contender on a batch of samples."""
    optimizer = accelerator.prepare(build_optimizer(contender.network.train(), TrainingConfig()))
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]

    def step(samples: np.ndarray) -> None:
        with accelerator.autocast():
            loss = contender.loss(samples)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def time_prediction(job: Job, contender, batches, accelerator, watch: Stopwatch) -> Course:
    """Time the prediction of all samples at once; of batches, where nothing is shared."""
    contender.network.eval()
    contender.predict(batches[0][:1])
    started = contender.encoded
    if job.contender != REFERENCE:
        batches = [np.arange(len(contender.slots))] * 2
    with accelerator.autocast():
        if job.device == "gpu":
            contender.predict(batches[0])
        seconds = watch.seconds(lambda: [contender.predict(samples) for samples in batches[1:]])
    slots = [int(contender.slots[samples].sum()) for samples in batches[1:]]
    encoded = (contender.encoded - started) / sum(slots)
    return Course(seconds, slots, encoded, peak=watch.peak_memory())


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """List the jobs of a round, ours and the reference's in turn."""
    common = (options.steps, options.device, options.precision, options.threads, options.size)
    jobs = []
    for task in options.tasks:
        ours = [BATCH] if task == PREDICT else [BATCH, LARGE_BATCH]
        jobs.append(Job(REFERENCE, task, BATCH, options.reference_samples, *common))
        jobs += [Job(OURS, task, size, size, *common) for size in ours]
        jobs.append(Job(DEFAULTS, task, LARGE_BATCH, LARGE_BATCH, *common))
    return jobs


def run_elsewhere(job: Job) -> dict:
    """Measure a job in a process of its own."""
    environment = os.environ | ({"OMP_NUM_THREADS": str(job.threads)} if job.threads else {})
    command = [sys.executable, __file__, "--job", json.dumps(dataclasses.asdict(job))]
    load = os.getloadavg()[0]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"load_before": round(load, 2)}


def table_of(results: list[dict]) -> str:
    """Write results as a table in Markdown: medians over rounds."""
    groups: dict[tuple, list[dict]] = {}
    for result in results:
        key = (result["task"], result["contender"], result["batch_size"])
        groups.setdefault(key, []).append(result)
    medians = {
        key: {name: statistics.median(one[name] for one in group) for name in MEDIANS}
        for key, group in groups.items()
    }
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    for (task, contender, batch), found in medians.items():
        other = medians[task, REFERENCE, BATCH]
        faster = found["samples_per_second"] / other["samples_per_second"]
        smaller = other["peak_gib"] / found["peak_gib"]
        used = f"{found['share_of_peak']:.0%}" if task != PREDICT else ""
        lines.append([
            task, contender, "all" if task == PREDICT and contender != REFERENCE else str(batch),
            f"{found['samples_per_second']:.3g}", f"{found['asvs_per_second']:,.0f}",
            f"{faster:.1f}", f"{found['once_seconds']:.1f}", f"{found['peak_gib']:.2f}",
            f"1/{smaller:.1f}", f"{found['encodings_per_asv']:.1f}", used,
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> dict:
    """Describe what was measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--size", type=int, default=128, help="width of the embeddings")
    parser.add_argument("--steps", type=int, default=2, help="timed steps of a job")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--reference-samples", type=int, help="2 on a CPU, all 8 on a GPU")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--output", type=Path, default=RESULTS / "speed.json")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference_samples is None:
        options.reference_samples = 2 if options.device == "cpu" else BATCH
    return options


def main() -> None:
    """Run all jobs, print the table and store every figure."""
    options = parse_options()
    if options.job:
        print(json.dumps(measure(Job(**json.loads(options.job)), simulate_study())))
        return
    results = []
    for number in range(options.rounds):
        for job in jobs_of(options):
            results.append(run_elsewhere(job) | {"round": number})
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(table_of(results))
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(machine() | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
