"""Where the time of training goes, stage by stage, and what waits for what.

    python benchmarks/stages.py --threads 1

Needs the training core only. Timers stand around the functions that training itself calls, on a
generated study and with default sizes. Times are processor seconds of the main thread, so that
others on the machine change them little; waiting for batches is in wall seconds.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from simulated_table import simulate_study
from torch.utils._python_dispatch import TorchDispatchMode

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.splits import train_test_split
from q2_aam.data.target_scaling import describe_target
from q2_aam.model.network import Network
from q2_aam.model.sample_encoder import SampleEncoder
from q2_aam.training import fit, loop, prefetch, pretraining, start, steps
from q2_aam.training.hardware import build_accelerator
from q2_aam.training.journal import Journal

RESULTS = Path(__file__).parent / "results"
PRETRAIN, FIT, FROZEN = TASKS = ("pretrain", "fit", "fit, frozen encoder")
ENCODING, ENCODING_BACK = "ASV encoding, forward", "ASV encoding, backward"
LOGGING = "checks and logging"
LOOP, END, AROUND = "the rest of the loop", "after an epoch: ", "before and after all epochs"
TIMED = (
    (steps, "embed_distinct", ENCODING),
    (SampleEncoder, "forward", "sample transformer, forward"),
    (Network, "read_branches", "branches, forward"),
    (Network, "read_known", "known ASVs"),
    (loop, "batch_losses", "losses, heads and tensors, forward"),
    (Accelerator, "backward", "losses, heads and samples, backward"),
    (Accelerator, "clip_grad_norm_", "optimiser"),
    (AcceleratedOptimizer, "step", "optimiser"),
    (AcceleratedOptimizer, "zero_grad", "optimiser"),
    (loop, "seed_step", LOGGING),
    (loop.Trainer, "_check_finite", LOGGING),
    (loop.Trainer, "_step", "the rest of a step"),
    (loop.Trainer, "_train", LOOP),
    (loop.Trainer, "_embed", END + "embedding ASVs"),
    (loop.Trainer, "_finish_epoch", END + "validation"),
    (loop, "save_checkpoint", END + "saving the state"),
    (loop, "write_live_events", END + "events"),
)
WAITING = "aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.masked_select"


class Clock:
    """Charges the processor seconds of one thread to the innermost stage that runs.

    Attributes
    ----------
    seconds : dict of str to float
    waits : dict of str to int
        Operations for which the host would have to wait for a device, by stage.
    """

    def __init__(self):
        self.seconds: dict[str, float] = collections.defaultdict(float)
        self.waits: dict[str, int] = collections.defaultdict(int)
        self.stages = [AROUND]
        self._last = time.thread_time()

    @contextlib.contextmanager
    def stage(self, name: str):
        """Charge to a stage until it is left; stages of a step are none outside of the loop."""
        self._charge()
        apart = LOOP in self.stages or name == LOOP or name.startswith(END)
        self.stages.append(name if apart else self.stages[-1])
        try:
            yield
        finally:
            self._charge()
            self.stages.pop()

    def change(self, name: str) -> None:
        """Go on in another stage."""
        self._charge()
        self.stages[-1] = name

    def _charge(self) -> None:
        now = time.thread_time()
        self.seconds[self.stages[-1]] += now - self._last
        self._last = now


class Waits(TorchDispatchMode):
    """Counts operations whose result the host must wait for."""

    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Count an operation and run it."""
        if str(operation).startswith(WAITING):
            self.clock.waits[self.clock.stages[-1]] += 1
        return operation(*args, **kwargs or {})


class Batches:
    """How long batches take to build, and how long training waits for them, in wall seconds."""

    def __init__(self):
        self.building = self.waiting = 0.0
        self.number = 0

    def built(self, build, *arguments, **settings):
        """Build a batch, in whichever thread."""
        started = time.perf_counter()
        batch = build(*arguments, **settings)
        self.building += time.perf_counter() - started
        return batch

    def awaited(self, prepare, *arguments):
        """Yield batches as they come."""
        batches = prepare(*arguments)
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self.waiting += time.perf_counter() - started
            self.number += 1
            yield batch


@contextlib.contextmanager
def watched(clock: Clock, batches: Batches):
    """Put timers around the functions of training."""
    originals = [(place, name, getattr(place, name)) for place, name, _ in TIMED]

    def timed(function, stage):
        @functools.wraps(function)
        def run(*arguments, **settings):
            with clock.stage(stage):
                found = function(*arguments, **settings)
            if stage == ENCODING and found.requires_grad:
                found.register_hook(lambda gradient: clock.change(ENCODING_BACK))
            return found

        return run

    for (place, name, function), (_, _, stage) in zip(originals, TIMED, strict=True):
        setattr(place, name, timed(function, stage))
    build, prepare = prefetch.build_batch, loop.prepared_batches
    prefetch.build_batch = functools.partial(batches.built, build)
    loop.prepared_batches = functools.partial(batches.awaited, prepare)
    try:
        yield
    finally:
        prefetch.build_batch, loop.prepared_batches = build, prepare
        for place, name, function in originals:
            setattr(place, name, function)


def train(task: str, epochs: int, threads: int) -> None:
    """Train as the actions do, with default sizes."""
    study = simulate_study()
    accelerator = build_accelerator("cpu", "fp32", threads)
    journal = Journal(task, epochs)
    config = TrainingConfig(epochs=epochs, learning_rate=3e-3, freeze_encoder=task == FROZEN)
    device = torch.device("cpu")
    if task == PRETRAIN:  # which knows no ASV by identity
        studies = dataclasses.replace(study.studies, known=None)
        network = start.new_network(ModelConfig(), studies, 0, device)
        pretraining.pretrain(network, studies, config, accelerator, journal)
        return
    (one,) = study.studies.studies
    kept, held = train_test_split(one.sample_ids, 0.2, 0)
    position = {name: place for place, name in enumerate(one.sample_ids)}
    split = [np.array([position[name] for name in part]) for part in (kept, held)]
    values = study.targets.astype(float)
    target = describe_target("target", values, "z-score", len(study.known))
    target = fit.with_heads(target, 150, len(values), attends=True)
    without_distances = (dataclasses.replace(one, distances=None),)
    studies = dataclasses.replace(study.studies, studies=without_distances)
    network = start.new_network(ModelConfig(target=target), studies, 0, device)
    fit.remember_asvs(network, study.known)
    labels = fit.Labels(values, np.arange(len(values)), *split)
    fit.fit(network, studies, labels, config, accelerator, journal)


def measure(task: str, epochs: int, threads: int) -> dict:
    """Return seconds of each stage for each step, or for each epoch where it ends one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.environ["Q2_AAM_RUN_DIR"] = folder
        train(task, 1, threads)  # the first steps of a process are slower
        clock, batches = Clock(), Batches()
        os.environ["Q2_AAM_RUN_DIR"] = f"{folder}/timed"
        with watched(clock, batches):
            train(task, epochs, threads)
        counting = Clock()
        os.environ["Q2_AAM_RUN_DIR"] = f"{folder}/counted"
        with watched(counting, Batches()), Waits(counting):
            train(task, 1, threads)
    # the optimiser reads its own counters, which lie on the host; the loop sums up each epoch
    apart = {LOGGING, LOOP, "optimiser"}
    in_steps = {name for _, _, name in TIMED if not name.startswith(END)} - apart
    waits = sum(number for name, number in counting.waits.items() if name in in_steps)
    return {
        "task": task,
        "steps": batches.number,
        "epochs": epochs,
        "seconds": dict(clock.seconds),
        "building_seconds": batches.building,
        "waiting_seconds": batches.waiting,
        "waits_in_steps": waits,
        "waits_by_stage": dict(counting.waits),
    }


def table_of(found: list[dict]) -> str:
    """Write stages as a table in Markdown: milliseconds a step, or an epoch, and shares."""
    names = [*dict.fromkeys(name for _, _, name in TIMED)]
    names.insert(names.index("optimiser"), ENCODING_BACK)
    lines = [["stage", *(one["task"] for one in found)], ["---"] * (1 + len(found))]
    for name in [*names, AROUND]:
        cells = []
        for one in found:
            seconds, ends = one["seconds"].get(name, 0.0), name.startswith((END, AROUND))
            total = sum(
                one["seconds"].get(stage, 0.0) for stage in names if not stage.startswith(END)
            )
            times = 1 if name == AROUND else one["epochs"] if ends else one["steps"]
            each = 1000 * seconds / times
            cells.append(f"{each:.1f} ms" + ("" if ends else f" ({seconds / total:.0%})"))
        lines.append([name, *cells])
    for name, key in (
        ("building a batch, in its thread", "building_seconds"),
        ("waiting for a batch", "waiting_seconds"),
    ):
        lines.append([name, *(f"{1000 * one[key] / one['steps']:.1f} ms" for one in found)])
    lines.append(
        ["host waits in a step", *(f"{one['waits_in_steps'] * one['epochs'] / one['steps']:g}"
                                   for one in found)]
    )  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure all tasks, print the table and store every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--output", type=Path, default=RESULTS / "stages.json")
    options = parser.parse_args()
    found = [measure(task, options.epochs, options.threads) for task in options.tasks]
    print(table_of(found))
    content = {"threads": torch.get_num_threads(), "date": time.strftime("%Y-%m-%d")}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(content | {"results": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
