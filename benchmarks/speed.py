"""Speed and memory of training and prediction, beside a plain AAM on the same samples.

    python benchmarks/speed.py
    PYTHONPATH=. python benchmarks/speed.py --device gpu --precision bf16

Needs the training core only, no QIIME 2. Ours and the reference take turns, each job in a process
of its own. On a CPU a sample takes the reference many seconds: there its batches are cut to
`--reference-samples`, its rates are per sample, and its memory is scaled to a whole batch. The
first step of each job warms up and counts floating-point operations; it is not timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from contenders import DEFAULTS, FIT, FROZEN, OURS, PREDICT, REFERENCE, TASKS, Job, Ours, Reference
from simulated_table import simulate_study
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from q2_aam.data.batches import epoch_order
from q2_aam.training.hardware import build_accelerator
from q2_aam.training.optimiser import build_optimiser
from q2_aam.config import TrainingConfig

RESULTS = Path(__file__).parent / "results"
REFERENCE_BATCH = 8
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


def measure(job: Job) -> dict:
    """Run one job in this process.

    Returns
    -------
    dict
        The job and what it took; memory in GiB, times in seconds.
    """
    accelerator = build_accelerator(job.device, job.precision, job.threads)
    watch = Stopwatch(accelerator.device)
    study = simulate_study()
    torch.manual_seed(0)
    kind = Reference if job.contender == REFERENCE else Ours
    contender = kind(job, study, accelerator.device)
    total, distinct = len(study.targets), len(study.studies.asvs)
    order = epoch_order([np.arange(total)], job.batch_size, 0, 0)
    batches = [samples[: job.computed] for _, samples in order[: job.steps + 1]]
    before = watch.peak_memory()
    run = measure_prediction if job.task == PREDICT else measure_training
    found = run(job, contender, batches, accelerator, watch)
    peak = watch.peak_memory()
    found["samples_per_second"] = 1 / (found["seconds_per_sample"] + found["epoch_end"] / total)
    found["asvs_per_second"] = found["samples_per_second"] * float(contender.slots.mean())
    found["encodings_per_asv"] = found.pop("encoded_per_epoch")(total) / distinct
    found["peak_gib"] = before + (peak - before) * job.batch_size / job.computed
    return dataclasses.asdict(job) | found


def measure_training(job: Job, contender, batches, accelerator, watch: Stopwatch) -> dict:
    """Time steps, and what comes once and after each epoch."""
    once = watch.seconds(contender.freeze) if job.task == FROZEN else 0.0
    optimiser = accelerator.prepare(build_optimiser(contender.network.train(), TrainingConfig()))

    def step(samples: np.ndarray) -> None:
        with accelerator.autocast():
            loss = contender.loss(samples)
        accelerator.backward(loss)
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        accelerator.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()

    with FlopCounterMode(display=False, custom_mapping=COUNTED_TOO) as counter:
        step(batches[0])
    encoded = contender.encoded
    seconds = [watch.seconds(step, samples) for samples in batches[1:]]
    return seconds
