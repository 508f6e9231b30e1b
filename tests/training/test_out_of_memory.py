"""Running out of memory: a message for people, or smaller pieces of the same steps."""

import contextlib
import dataclasses
import gc
import io
import os
import re
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import qiime2
import torch
from simulated_study import TINY, SimulatedStudy, model_of, simulate_study

from q2_aam.training import loop, out_of_memory, step_memory
from q2_aam.training.steps import batch_losses

ERRORS = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."),
    MemoryError("Unable to allocate 3.2 GiB"),
    RuntimeError("could not create a primitive"),
]


@pytest.fixture(scope="module")
def study():
    return simulate_study(20, 30, 3)


def pretrain(aam, study, **options):
    """Return the weights, the history and what was printed."""
    printed = io.StringIO()
    steps = {"epochs": 3, "optimiser": "sgd", "learning_rate": 0.1, "abundance_weight": 0.1}
    with contextlib.redirect_stdout(printed):
        found = aam.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], **TINY | steps | options
        )
    history = found.training_log.view(qiime2.Metadata).to_dataframe()
    return model_of(found.encoder)[1], history, printed.getvalue()


def break_step(monkeypatch, error, breaks):
    """Raise the error in the steps for which `breaks` (number of the call, pieces) is true."""
    calls = []

    def take_step(network, task, study, samples, embedded=None, pieces=1, seen=None, batch=None):
        calls.append(pieces)
        if breaks(len(calls), pieces):
            raise error
        return batch_losses(network, task, study, samples, embedded, pieces, seen, batch)

    monkeypatch.setattr(loop, "batch_losses", take_step)
    return calls


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:15])
def test_row_14_the_message_says_what_a_step_takes_and_what_to_lower(
    aam, study, refused, monkeypatch, error
):
    break_step(monkeypatch, error, lambda call, pieces: call == 2)
    message = refused(
        lambda: pretrain(aam, study, batch_size=7),
        "a step of 7 samples takes about", "'batch_size' (now 7)", "'gradient_accumulation'",
        "'gradient_checkpointing'", "'max_asvs' (now 1,024)", "'hidden_size' (now 16)",
    )  # fmt: skip
    assert str(error) not in message


def test_another_error_is_not_taken_for_a_lack_of_memory(aam, study, monkeypatch):
    break_step(monkeypatch, RuntimeError("shapes do not match"), lambda *_: True)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        pretrain(aam, study, batch_size="auto")


def test_row_14_an_automatic_batch_is_halved_and_the_steps_stay_the_same(
    aam, study, monkeypatch, tmp_path
):
    unbroken, history, _ = pretrain(aam, study, batch_size="auto")
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / "others"))  # it is the same command
    calls = break_step(monkeypatch, ERRORS[0], lambda call, pieces: call == 6 and pieces < 4)
    weights, other, printed = pretrain(aam, study, batch_size="auto")
    # three steps an epoch; the third of the second epoch failed, and that epoch was begun again
    assert calls == [1] * 6 + [2] * 6
    assert "batch_size: 8 (" in printed
    assert printed.count("Memory ran out") == 1
    assert "a batch_size of 4 and a gradient_accumulation of 2" in printed
    assert printed.count("epoch 2/3") == 1
    for name, value in unbroken.items():
        assert np.allclose(weights[name], value, atol=1e-5), name
    losses = [name for name in history if name.endswith("loss")]
    assert np.allclose(history[losses], other[losses], rtol=1e-4)


def test_row_14_what_the_failed_step_held_is_freed_before_the_next(aam, study, monkeypatch):
    class Cycle:
        def __init__(self):
            self.itself = self

    held = []

    def breaks(call, pieces):
        if call == 2:
            held.append(weakref.ref(Cycle()))
            assert held[0]() is not None
        elif call == 3:
            held.append(held[0]())
        return call == 2

    break_step(monkeypatch, ERRORS[0], breaks)
    gc.disable()
    try:
        pretrain(aam, study, batch_size="auto", epochs=1)
    finally:
        gc.enable()
    assert held[1] is None


def test_row_14_an_automatic_batch_is_halved_until_it_fits(aam, study, monkeypatch):
    calls = break_step(monkeypatch, ERRORS[1], lambda call, pieces: pieces < 8)
    _, _, printed = pretrain(aam, study, batch_size="auto", epochs=1)
    assert calls == [1, 2, 4, 8, 8, 8]
    assert printed.count("Memory ran out") == 3


def test_row_14_where_one_sample_is_too_much_training_stops(aam, study, refused, monkeypatch):
    calls = break_step(monkeypatch, ERRORS[3], lambda *_: True)
    refused(lambda: pretrain(aam, study, batch_size="auto"), "Training ran out of memory")
    assert calls == [1, 2, 4, 8]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:15])
def test_row_14_memory_that_runs_out_while_it_is_measured(aam, study, monkeypatch, error):
    def take_step(network, task, study, samples, *rest, **more):
        if len(samples) > 2:
            raise error
        return batch_losses(network, task, study, samples, *rest, **more)

    monkeypatch.setattr(step_memory, "batch_losses", take_step)
    _, _, printed = pretrain(aam, study, batch_size="auto", epochs=1)
    assert "batch_size: 2 (a step of more does not fit into" in printed


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np, psutil
from qiime2.plugins import aam
import test_out_of_memory as test
from q2_aam.training import learning_rate_range, loop, pretraining, run_folder, step_memory

study, (size, megabytes) = test.study_without_shared_asvs(), sys.argv[1:]
np.linalg.inv(np.ones((2, 2)) + np.eye(2))  # OpenBLAS waits for ever if it cannot have its buffers
taken = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (taken + int(megabytes) * 10**6,) * 2)
_, history, printed = test.pretrain(
    aam.actions, study, batch_size=size if size == "auto" else int(size), hidden_size=256, heads=2,
    nucleotides_per_token=1, epochs=1, workers=0,
)
print(printed)
"""


def study_without_shared_asvs() -> SimulatedStudy:
    """Make a study of which half of the samples take half of the memory."""
    study = simulate_study(16, 640, 3)
    place = np.arange(640) // 40
    counts = study.counts * 0 + (place == np.arange(16)[:, None])
    return dataclasses.replace(study, counts=counts)


@pytest.mark.hard
def test_row_14_memory_that_really_runs_out(tmp_path):
    """The limit is that of a cluster's job: more is refused by the operating system."""

    def run(size: str, megabytes: int) -> subprocess.CompletedProcess:
        own = Path(__file__).parent
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(own), str(own.parent), *sys.path]),
            "Q2_AAM_RUN_DIR": str(tmp_path / size),
            # every thread would reserve addresses of its own, more or fewer by timing
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
        }
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SHORT_OF_MEMORY, size, str(megabytes)],
            check=False, capture_output=True, text=True, env=environment, cwd=tmp_path,
        )  # fmt: skip

    stopped = run("16", 500)
    assert stopped.returncode == 1
    assert "AAMError: Training ran out of memory: a step of 16 samples takes" in stopped.stderr
    halved = run("auto", 500)
    assert halved.returncode == 0, halved.stderr[-2000:]
    assert re.search(r"batch_size: [1-4] \(a step of more does not fit into 0\.", halved.stdout)


def test_the_estimate_is_about_what_a_step_takes(study):
    from q2_aam.config import ModelConfig, TrainingConfig
    from q2_aam.data.study import build_studies
    from q2_aam.data.table import read_table
    from q2_aam.model.network import Network
    from q2_aam.training.step_memory import richest_samples, step_bytes
    from q2_aam.training.steps import Task

    studies = build_studies([read_table(study.biom)], study.dna, 60, 64)
    task = Task(studies, [np.arange(20)], [np.arange(0)], None, {"abundance": 1.0}, "loss")
    network = Network(ModelConfig(hidden_size=16, heads=2, branches=8, max_sequence_length=60))
    config = TrainingConfig(batch_size=16)
    actual = step_bytes(network, task, config, *richest_samples(task, 16))
    estimate = out_of_memory.estimated_bytes(network, task, config, contextlib.nullcontext)
    assert actual / 2 < estimate < 2 * actual
