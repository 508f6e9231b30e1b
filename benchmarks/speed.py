"""Speed and memory of training and prediction, beside a plain AAM on the same samples.

    python benchmarks/speed.py
    PYTHONPATH=. python benchmarks/speed.py --device gpu --precision bf16

Needs the training core only, no QIIME 2. Ours and the reference take turns, each job in a process
of its own. On a CPU a sample takes the reference many seconds: there it computes two of each batch,
and its memory is scaled to a whole one. Rates are taken per ASV held and given for the mean sample;
fitting's hold what it does after each epoch but for validation. Each job warms up on two samples,
and counts floating-point operations in a last step, not timed.
"""

import argparse
import dataclasses
import gc
import json
import os
import resource
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
from contenders import DEFAULTS, FIT, FROZEN, OURS, PREDICT, REFERENCE, TASKS, Job, Ours, Reference
from made_up import SimulatedStudy, simulate_study
from measuring import markdown, parser_of, run_job, store
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from q2_aam.config.training import TrainingConfig
from q2_aam.data.study import epoch_order
from q2_aam.training.checkpoint import processor
from q2_aam.training.device import build_accelerator
from q2_aam.training.optim import build_optimizer

BATCH, LARGE_BATCH, WARMING, STEPS, SIZE = 8, 32, 2, 2, 128  # SIZE: width of the embeddings
COLUMNS = (
    "task", "contender", "batch", "samples/s", "ASVs/s", "× reference", "peak GiB",
    "of the reference's", "encodings per ASV and epoch", "of peak FLOP/s",
)  # fmt: skip
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
    timed = time_prediction if job.task == PREDICT else time_training
    course = timed(job, contender, batches, accelerator, watch)
    # per ASV held, not per sample, as a few samples may be richer or poorer than most
    all_slots, slots = int(contender.slots.sum()), course.slots
    stepping = course.seconds / sum(slots)
    rate = 1 / (stepping + course.epoch_end / all_slots)
    whole = 1.0
    if job.computed < job.batch_size:
        whole = job.batch_size * all_slots / total / max(slots)
    encoded = course.encoded / sum(slots) * all_slots + course.encoded_at_end
    return dataclasses.asdict(job) | {
        "samples_per_second": rate * total / all_slots,
        "asvs_per_second": rate,
        "peak_gib": before + (course.peak - before) * whole,
        "encodings_per_asv": encoded / distinct,
        "share_of_peak": course.operations / stepping / watch.peak_operations(job.precision),
        "operations_per_second": course.operations / stepping,
        "step_asvs_per_second": 1 / stepping,
        "epoch_end_seconds": course.epoch_end,
    }


def time_training(job: Job, contender, batches, accelerator, watch: Stopwatch) -> SimpleNamespace:
    """Time steps, and what comes after each epoch."""
    course = SimpleNamespace(epoch_end=0.0, encoded_at_end=0, operations=0.0)
    if job.task == FROZEN:
        contender.freeze()
    step = step_of(contender, accelerator)
    step(batches[0][:WARMING])
    if job.device == "gpu":  # which takes memory and chooses kernels by size
        step(batches[0])
    watch.forget_peak()
    started = contender.encoded
    course.seconds = watch.seconds(lambda: [step(samples) for samples in batches[1:]])
    course.encoded = contender.encoded - started
    course.slots = [int(contender.slots[samples].sum()) for samples in batches[1:]]
    if job.task == FIT:
        course.epoch_end = watch.seconds(contender.finish_epoch)
        course.encoded_at_end = contender.encoded - started - course.encoded
    course.peak = watch.peak_memory()
    if not job.compile:  # where operations cannot be counted
        # last, because under the counter checkpointing saves no memory
        contender.network.train()
        with FlopCounterMode(display=False, custom_mapping=COUNTED_TOO) as counter:
            step(batches[1])
        course.operations = counter.get_total_flops() / course.slots[0]
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


def time_prediction(job: Job, contender, batches, accelerator, watch: Stopwatch) -> SimpleNamespace:
    """Time the prediction of all samples at once; of batches, where nothing is shared."""
    contender.network.eval()
    contender.predict(batches[0][:1])
    started = contender.encoded
    if job.contender != REFERENCE:
        batches = [np.arange(len(contender.slots))] * 2
    with accelerator.autocast():
        if job.device == "gpu":
            contender.predict(batches[0])
            started = contender.encoded
        seconds = watch.seconds(lambda: [contender.predict(samples) for samples in batches[1:]])
    slots = [int(contender.slots[samples].sum()) for samples in batches[1:]]
    return SimpleNamespace(
        seconds=seconds, slots=slots, encoded=contender.encoded - started, epoch_end=0.0,
        encoded_at_end=0, peak=watch.peak_memory(), operations=0.0,
    )  # fmt: skip


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """List the jobs, ours and the reference's in turn."""
    common = (STEPS, options.device, options.precision, options.threads, SIZE)
    few = 2 if options.device == "cpu" else BATCH
    jobs = []
    for task in options.tasks:
        ours = [BATCH] if task == PREDICT else [BATCH, LARGE_BATCH]
        jobs.append(Job(REFERENCE, task, BATCH, few, *common))
        jobs += [Job(OURS, task, size, size, *common) for size in ours]
        jobs.append(Job(DEFAULTS, task, LARGE_BATCH, LARGE_BATCH, *common))
    return jobs


def table_of(results: list[dict]) -> str:
    """Write results as a table, each beside the reference's of its task."""
    references = {one["task"]: one for one in results if one["contender"] == REFERENCE}
    rows = []
    for one in results:
        task, other = one["task"], references[one["task"]]
        whole = task == PREDICT and one["contender"] != REFERENCE
        rows.append([
            task, one["contender"], "all" if whole else one["batch_size"],
            f"{one['samples_per_second']:.3g}", f"{one['asvs_per_second']:,.0f}",
            f"{one['samples_per_second'] / other['samples_per_second']:.1f}",
            f"{one['peak_gib']:.2f}",
            f"1/{other['peak_gib'] / one['peak_gib']:.1f}", f"{one['encodings_per_asv']:.1f}",
            "" if task == PREDICT else f"{one['share_of_peak']:.0%}",
        ])  # fmt: skip
    return markdown(COLUMNS, rows)


def machine() -> dict:
    """Describe what was measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    """Run all jobs, print the table and store every figure."""
    parser = parser_of(__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(Job(**options.job), simulate_study())))
        return
    threads = {"OMP_NUM_THREADS": str(options.threads)} if options.threads else {}
    jobs = map(dataclasses.asdict, jobs_of(options))
    results = [run_job(__file__, job, **threads) for job in jobs]
    print(table_of(results))
    store("speed", {"results": results} | machine())


if __name__ == "__main__":
    main()
