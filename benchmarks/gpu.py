"""The parts of `gpu.sh`: each writes what it measures, line by line.

    PYTHONPATH=. python benchmarks/gpu.py speed-768 results.jsonl

Without a GPU sizes are so small that the figures say nothing.
"""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from contenders import DEFAULTS, FIT, OURS, PREDICT, PRETRAIN, REFERENCE, Job, Ours
from made_up import LENGTH, SimulatedStudy, simulate_study
from speed import Stopwatch, machine, measure, step_of
from torch.profiler import ProfilerActivity, profile

from q2_aam import inference
from q2_aam.data.study import epoch_order
from q2_aam.inference import all_states, embed_asvs, predict_distances
from q2_aam.training.device import build_accelerator

GPU = torch.cuda.is_available()
DEVICE = "gpu" if GPU else "cpu"
BATCH, REFERENCE_BATCH, STEPS = (32, 8, 6) if GPU else (4, 2, 1)
REFERENCE_AT_ONCE = {128: 8, 768: 4}  # samples of a batch that fit into memory in fp32
NARROW, WIDE = REFERENCE_AT_ONCE
SAMPLES, ASVS, RICHNESS = (200, 1500, (100, 300)) if GPU else (12, 80, (6, 12))
MIXTURES = {"one length": None, "140 to 150 nt": 140, "90 to 150 nt": 90}
LEAST_ALIKE = (1, 64, 10**9) if GPU else (1, 10**9)

Write = Callable[..., None]


def study_of(shortest: int | None = None) -> SimulatedStudy:
    """Simulate the study of the speed benchmark, or one of reads of several lengths."""
    return simulate_study(SAMPLES, ASVS, LENGTH, RICHNESS, shortest=shortest)


def job_of(size: int, precision: str, task: str = PRETRAIN, **changes) -> Job:
    """Describe a job of ours; on a CPU a narrow one, whatever the size."""
    size = size if GPU else size // 8
    job = Job(OURS, task, BATCH, BATCH, STEPS, DEVICE, precision, 0, size)
    return dataclasses.replace(job, **changes)


def speed(size: int, write: Write) -> None:
    """Ours and the reference in turns; then compiled, checkpointed, and with default sizes."""
    study, computed = study_of(), min(REFERENCE_AT_ONCE[size], REFERENCE_BATCH)
    plain = {"contender": REFERENCE, "batch_size": REFERENCE_BATCH, "computed": computed}
    order = [
        job_of(size, "bf16"), job_of(size, "bf16", **plain), job_of(size, "bf16", compile=GPU),
        job_of(size, "bf16", checkpointing=True),
    ]  # fmt: skip
    for task in (FIT, PREDICT):
        order += [job_of(size, "bf16", task), job_of(size, "bf16", task, **plain)]
    if size == NARROW:
        order += [job_of(size, "bf16", task, contender=DEFAULTS) for task in (PRETRAIN, FIT)]
    for task in (PRETRAIN, FIT, PREDICT):
        order += [job_of(size, "fp32", task), job_of(size, "fp32", task, **plain)]
    order.append(job_of(size, "bf16", FIT, compile=GPU))
    for job in order:
        with tried(write, kind="speed", **dataclasses.asdict(job) | {"size": size}) as found:
            found |= measure(job, study) | {"size": size}


def agreement(write: Write) -> None:
    """Differences of lower precisions from fp32: embeddings, distances, the loss, its gradient."""
    study = study_of()
    for size, contender in ((NARROW, OURS), (NARROW, DEFAULTS), (WIDE, OURS)):
        wanted = None
        for precision in ("fp32", "bf16", "fp16")[: 3 if GPU else 2]:
            names = {"size": size, "contender": contender, "precision": precision}
            with tried(write, kind="agreement", **names) as found:
                said = _said_in(job_of(size, precision, contender=contender), study)
                wanted = wanted or said
                for name, values in said.items():
                    apart = np.abs(values.astype(np.float64) - wanted[name])
                    norm = np.linalg.norm(wanted[name].astype(np.float64))
                    found |= {
                        f"{name}_max": float(apart.max()),
                        f"{name}_mean": float(apart.mean()),
                        f"{name}_norm": float(np.linalg.norm(apart) / norm),
                    }


def _said_in(job: Job, study: SimulatedStudy) -> dict[str, np.ndarray]:
    """Return what a network says in a precision; the network is the same in all."""
    accelerator = build_accelerator(job.device, job.precision, 0)
    torch.manual_seed(0)
    ours = Ours(job, study, accelerator.device)
    samples = np.arange(min(64, SAMPLES))
    with accelerator.autocast():
        asvs = embed_asvs(ours.network, study.studies.asvs, np.arange(ASVS))
        parts = ours.network.parts_for(True, False)
        state = all_states(ours.network, study.studies, 0, samples, asvs, parts)
        distances = predict_distances(ours.network, state)
        ours.network.train()
        torch.manual_seed(0)
        loss = ours.loss(samples[:BATCH])
    loss.backward()
    gradients = [
        weight.grad.flatten() for weight in ours.network.parameters() if weight.grad is not None
    ]
    return {
        "embeddings": asvs.cpu().numpy(),
        "distances": distances,
        "loss": np.array([float(loss.detach())]),
        "gradient": torch.cat(gradients).cpu().numpy(),
    }


def lengths(write: Write) -> None:
    """Which attention kernel reads of one and of several lengths get."""
    accelerator = build_accelerator(DEVICE, "bf16", 0)

    def profile_step(job: Job, study: SimulatedStudy, **names) -> None:
        with tried(write, kind="profile", task=job.task, **names) as found:
            step, batches = _warm(job, study, accelerator)
            found |= profiled(lambda: step(batches[0]))

    for mixture, shortest in MIXTURES.items():
        study = study_of(shortest)
        for size in (NARROW, WIDE):
            names = {"mixture": mixture, "size": size}
            profile_step(job_of(size, "bf16"), study, **names)
            for least in LEAST_ALIKE if shortest else ():
                with tried(write, kind="grouping", **names, least_alike=least) as found:
                    inference.LEAST_ALIKE, before = least, inference.LEAST_ALIKE
                    step, batches = _warm(job_of(size, "bf16"), study, accelerator)
                    found |= _rate(accelerator, study, step, batches)
                    inference.LEAST_ALIKE = before
        for task in (PRETRAIN, FIT):
            job = job_of(NARROW, "bf16", task, contender=DEFAULTS)
            profile_step(job, study, mixture=mixture, size=DEFAULTS)


def _warm(job: Job, study: SimulatedStudy, accelerator):
    torch.manual_seed(0)
    step = step_of(Ours(job, study, accelerator.device), accelerator)
    batches = [samples for _, samples in epoch_order([np.arange(SAMPLES)], BATCH, 0, 0)]
    for samples in batches[:2]:
        step(samples)
    return step, batches[2 : 2 + STEPS]


def _rate(accelerator, study: SimulatedStudy, step, batches) -> dict[str, float]:
    slots = np.diff(study.studies.studies[0].abundances.indptr)
    took = Stopwatch(accelerator.device).seconds(lambda: [step(samples) for samples in batches])
    held = sum(int(slots[samples].sum()) for samples in batches)
    return {"step_seconds": took / len(batches), "asvs_per_second": held / took}


def profiled(work: Callable[[], None]) -> dict:
    """Return the attention operations of some work, and how busy a GPU was."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if GPU else [])]
    watch = Stopwatch(torch.device("cuda" if GPU else "cpu"))
    with profile(activities=activities) as recorded:
        took = watch.seconds(work)
    events = recorded.key_averages()
    attention = {event.key: event.count for event in events if "_scaled_dot_product" in event.key}
    on_gpu = [
        event
        for event in events
        if str(event.device_type).endswith("CUDA") and not getattr(event, "is_user_annotation", 0)
    ]
    total = sum(
        getattr(event, "self_device_time_total", getattr(event, "self_cuda_time_total", 0))
        for event in on_gpu
    )  # the second name until PyTorch 2.3
    return {
        "attention": attention,
        "seconds": took,
        "busy": total / 1e6 / took,
        "kernels": sum(event.count for event in on_gpu),
    }


@contextlib.contextmanager
def tried(write: Write, **names) -> Iterator[dict]:
    """Write what a measurement found, or why it failed; the next one goes on."""
    found: dict = {}
    started = time.perf_counter()
    try:
        yield found
    except Exception as error:  # out of memory, no compiler, a kernel that is missing
        found["error"] = f"{type(error).__name__}: {error}"[:1000]
    write(**names | found | {"took": round(time.perf_counter() - started, 2)})
    if GPU:
        torch.cuda.empty_cache()


def main(part: str, path: Path) -> None:
    """Run a part."""

    def write(**found) -> None:
        with path.open("a") as file:
            file.write(json.dumps({"part": part} | found) + "\n")

    write(kind="machine", **machine(), capability=torch.cuda.get_device_capability() if GPU else [])
    if part.startswith("speed-"):
        speed(int(part.removeprefix("speed-")), write)
    else:
        {"agreement": agreement, "lengths": lengths}[part](write)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
