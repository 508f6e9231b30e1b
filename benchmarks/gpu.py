"""The parts of `gpu.sh`: each writes what it measures, line by line.

    PYTHONPATH=. python benchmarks/gpu.py speed-768 results.jsonl

Without a GPU sizes are so small that the figures say nothing.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from contenders import DEFAULTS, FIT, OURS, PREDICT, PRETRAIN, REFERENCE, Job, Ours
from simulated_table import SimulatedStudy, simulate_study
from speed import Stopwatch, machine, measure, step_of
from torch.profiler import ProfilerActivity, profile

from q2_aam import inference
from q2_aam.data.batches import epoch_order
from q2_aam.inference import all_states, embed_asvs, predict_distances
from q2_aam.training.device import build_accelerator

GPU = torch.cuda.is_available()
DEVICE = "gpu" if GPU else "cpu"
BATCH, REFERENCE_BATCH, STEPS = (32, 8, 6) if GPU else (4, 2, 1)
REFERENCE_AT_ONCE = {128: 8, 768: 4}  # samples of a batch that fit into memory in fp32
SAMPLES, ASVS, RICHNESS = (200, 1500, (100, 300)) if GPU else (12, 80, (6, 12))
LENGTH = 150
MIXTURES = {"one length": None, "140 to 150 nt": 140, "90 to 150 nt": 90}
LEAST_ALIKE = (1, 64, 10**9) if GPU else (1, 10**9)
AT_ONCE = (256, 512, 1024, 2048, 4096) if GPU else (16, 32)
EMBEDDED = 8192 if GPU else 80
KERNELS_SHOWN = 12
DISTRIBUTED_SECONDS = 20 if GPU else 100
SHARED_NUMBERS = 2**24 if GPU else 2**10  # gradients that two processes add up

Write = Callable[..., None]


def study_of(shortest: int | None = None, asvs: int = ASVS) -> SimulatedStudy:
    """Simulate the study of the speed benchmark, or one of reads of several lengths."""
    return simulate_study(SAMPLES, asvs, LENGTH, RICHNESS, shortest=shortest)


def job_of(size: int, precision: str, task: str = PRETRAIN, **changes) -> Job:
    """Describe a job of ours; on a CPU a narrow one, whatever the size."""
    size = size if GPU else size // 8
    job = Job(OURS, task, BATCH, BATCH, STEPS, DEVICE, precision, 0, size)
    return dataclasses.replace(job, **changes)


def reference_job(size: int, precision: str, task: str) -> Job:
    """Describe a job of the plain reference."""
    computed = min(REFERENCE_AT_ONCE[size], REFERENCE_BATCH)
    return job_of(
        size, precision, task, contender=REFERENCE, batch_size=REFERENCE_BATCH, computed=computed
    )


def speed(size: int, write: Write) -> None:
    """Ours and the reference in turns; then compiled, checkpointed, and with default sizes."""
    study = study_of()
    jobs = [
        (job_of(size, precision, task), reference_job(size, precision, task))
        for precision in ("bf16", "fp32")
        for task in (PRETRAIN, FIT, PREDICT)
    ]
    apart = [
        job_of(size, "bf16", compile=GPU),
        job_of(size, "bf16", checkpointing=True),
        job_of(size, "bf16", contender=DEFAULTS),
        job_of(size, "bf16", FIT, contender=DEFAULTS),
        job_of(size, "bf16", FIT, compile=GPU),
    ]
    order = [*jobs[0], apart[0], apart[1]]
    order += [job for pair in jobs[1:3] for job in pair]
    order += apart[2:4] if size == min(REFERENCE_AT_ONCE) else []
    order += [job for pair in jobs[3:] for job in pair]
    order += [dataclasses.replace(jobs[at][0], precision="tf32") for at in (3, 5)]
    order.append(apart[4])
    for job in order:
        with tried(write, kind="speed", **dataclasses.asdict(job) | {"size": size}) as found:
            with matrices_in("tf32" if job.precision == "tf32" else "fp32"):
                plain = job.precision.replace("tf32", "fp32")
                took = measure(dataclasses.replace(job, precision=plain), study)
            found |= took | {"precision": job.precision, "size": size}


def agreement(write: Write) -> None:
    """Differences of lower precisions from fp32: embeddings, distances, the loss, its gradient."""
    study = study_of()
    for size in sorted(REFERENCE_AT_ONCE):
        for contender in (OURS, DEFAULTS):
            if contender == DEFAULTS and size != min(REFERENCE_AT_ONCE):
                continue
            wanted = None
            for precision in ("fp32", "tf32", "bf16", "fp16")[: 4 if GPU else 3]:
                job = job_of(size, precision, contender=contender)
                with tried(
                    write, kind="agreement", size=size, contender=contender, precision=precision
                ) as found:
                    said = _said_in(job, study)
                    wanted = wanted or said
                    found |= _differences(said, wanted)


def _said_in(job: Job, study: SimulatedStudy) -> dict[str, np.ndarray]:
    """Return what a network says in a precision; the network is the same in all."""
    plain = job.precision.replace("tf32", "fp32")
    accelerator = build_accelerator(job.device, plain, 0)
    torch.manual_seed(0)
    ours = Ours(job, study, accelerator.device)
    samples = np.arange(min(64, SAMPLES))
    with matrices_in(job.precision):
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


def _differences(said: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> dict[str, float]:
    found = {}
    for name, values in said.items():
        apart = np.abs(values.astype(np.float64) - wanted[name])
        norm = np.linalg.norm(apart) / np.linalg.norm(wanted[name].astype(np.float64))
        found |= {f"{name}_max": apart.max(), f"{name}_mean": apart.mean(), f"{name}_norm": norm}
    return {name: float(value) for name, value in found.items()}


def lengths(write: Write) -> None:
    """Which attention kernel reads of one and of several lengths get, and what waits for what."""
    accelerator = build_accelerator(DEVICE, "bf16", 0)
    for mixture, shortest in MIXTURES.items():
        study = study_of(shortest)
        for size in sorted(REFERENCE_AT_ONCE):
            names = {"mixture": mixture, "size": size}
            with tried(write, kind="profile", **names) as found:
                step, batches = _warm(job_of(size, "bf16"), study, accelerator)
                found |= profiled(lambda step=step, batches=batches: step(batches[0]))
                found["host_waits"] = host_waits(lambda s=step, b=batches: s(b[0]))
            for least in LEAST_ALIKE if shortest else ():
                with tried(write, kind="grouping", **names, least_alike=least) as found:
                    inference.LEAST_ALIKE, before = least, inference.LEAST_ALIKE
                    step, batches = _warm(job_of(size, "bf16"), study, accelerator)
                    found |= _rate(accelerator, study, step, batches)
                    inference.LEAST_ALIKE = before
        for task in (PRETRAIN, FIT):
            with tried(write, kind="profile", mixture=mixture, task=task, size=DEFAULTS) as found:
                job = job_of(128, "bf16", task, contender=DEFAULTS)
                step, batches = _warm(job, study, accelerator)
                found |= profiled(lambda step=step, batches=batches: step(batches[0]))
                found["host_waits"] = host_waits(lambda s=step, b=batches: s(b[0]))
    with tried(write, kind="compiled lengths", mixture=mixture, size=128) as found:
        started = time.perf_counter()
        step, batches = _warm(job_of(128, "bf16", compile=GPU), study, accelerator)
        found["compile_seconds"] = time.perf_counter() - started
        found |= _rate(accelerator, study, step, batches)
        found["graphs"] = torch._dynamo.utils.counters["stats"]["unique_graphs"]


def _warm(job: Job, study: SimulatedStudy, accelerator):
    torch.manual_seed(0)
    step = step_of(Ours(job, study, accelerator.device), accelerator)
    order = epoch_order([np.arange(SAMPLES)], BATCH, 0, 0)
    batches = [samples for _, samples in order]
    for samples in batches[:2]:
        step(samples)
    return step, batches[2 : 2 + STEPS]


def _rate(accelerator, study: SimulatedStudy, step, batches) -> dict[str, float]:
    slots = np.diff(study.studies.studies[0].abundances.indptr)
    watch = Stopwatch(accelerator.device)
    took = watch.seconds(lambda: [step(samples) for samples in batches])
    held = sum(int(slots[samples].sum()) for samples in batches)
    return {"step_seconds": took / len(batches), "asvs_per_second": held / took}


def profiled(work: Callable[[], None]) -> dict:
    """Return the attention operations of some work, its longest kernels, and how busy a GPU was."""
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
    total = sum(_microseconds(event) for event in on_gpu)
    longest = sorted(on_gpu, key=_microseconds, reverse=True)[:KERNELS_SHOWN]
    return {
        "attention": attention,
        "seconds": took,
        "busy": total / 1e6 / took,
        "kernels": sum(event.count for event in on_gpu),
        "longest": [
            [event.key[:120], event.count, round(_microseconds(event) / max(1, total), 4)]
            for event in longest
        ],
    }


def _microseconds(event) -> float:
    name = "self_device_time_total"
    return getattr(event, name if hasattr(event, name) else "self_cuda_time_total")


def host_waits(work: Callable[[], None]) -> dict[str, int]:
    """Count the lines of Python that make the host wait for a GPU."""
    if not GPU:
        return {}
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = [f"{Path(one.filename).name}:{one.lineno}" for one in seen if "synchron" in str(one)]
    return dict(collections.Counter(places))


def at_once(write: Write) -> None:
    """How many ASVs to compute at once: forward alone, and in a step of pretraining."""
    kind = "cuda" if GPU else "cpu"
    before = inference.ASVS_AT_ONCE[kind]
    many, study = study_of(asvs=EMBEDDED), study_of()
    for size in sorted(REFERENCE_AT_ONCE):
        accelerator = build_accelerator(DEVICE, "bf16", 0)
        watch = Stopwatch(accelerator.device)
        network = Ours(job_of(size, "bf16"), study, accelerator.device).network
        for number in AT_ONCE:
            inference.ASVS_AT_ONCE[kind] = number
            with tried(write, kind="at once", size=size, asvs_at_once=number) as found:
                watch.forget_peak()
                chosen = np.arange(EMBEDDED)
                with accelerator.autocast():
                    embed_asvs(network, many.studies.asvs, chosen)
                    took = watch.seconds(embed_asvs, network, many.studies.asvs, chosen)
                found["forward_asvs_per_second"] = EMBEDDED / took
                found["forward_peak_gib"] = watch.peak_memory()
                step, batches = _warm(job_of(size, "bf16"), study, accelerator)
                found |= _rate(accelerator, study, step, batches)
        inference.ASVS_AT_ONCE[kind] = before


def two_processes(write: Write) -> None:
    """Whether two processes can share a GPU, by each of PyTorch's ways to talk."""
    for backend in ("gloo", "nccl") if GPU else ("gloo",):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", "2", __file__, "rank", backend]
        with tried(write, kind="two processes", backend=backend) as found:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True,
                timeout=DISTRIBUTED_SECONDS,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            said = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode or not said:
                lines = done.stderr.splitlines()
                errors = [line for line in lines if "rror" in line and "Traceback" not in line]
                raise RuntimeError(" / ".join(errors[:4]) or done.stderr[-500:])
            found |= json.loads(said[-1])


def be_rank(backend: str) -> None:
    """Add numbers up with the other process, as gradients are; rank 0 says how long it took."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    accelerator = Accelerator(cpu=not GPU, kwargs_handlers=[InitProcessGroupKwargs(backend)])
    watch = Stopwatch(accelerator.device)
    own = torch.full((SHARED_NUMBERS,), accelerator.process_index + 1.0, device=accelerator.device)
    accelerator.reduce(own)
    took = min(watch.seconds(accelerator.reduce, own) for _ in range(3))
    gathered = accelerator.gather(own[:1])
    if accelerator.is_main_process:
        found = {"device": str(accelerator.device), "sum": accelerator.reduce(own[:1]).tolist()}
        gigabytes = 4 * SHARED_NUMBERS / took / 1e9
        print(json.dumps(found | {"gigabytes_per_second": gigabytes, "of": gathered.tolist()}))
    else:
        accelerator.reduce(own[:1])
    accelerator.end_training()


@contextlib.contextmanager
def matrices_in(precision: str) -> Iterator[None]:
    """Let fp32 matrix products round their factors, for ``tf32``."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


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
        return
    parts = {
        "agreement": agreement, "lengths": lengths, "at-once": at_once,
        "two-processes": two_processes,
    }  # fmt: skip
    parts[part](write)


if __name__ == "__main__":
    if sys.argv[1] == "rank":
        be_rank(sys.argv[2])
    else:
        main(sys.argv[1], Path(sys.argv[2]))
