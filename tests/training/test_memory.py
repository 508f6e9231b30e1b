"""How large a step is, and what happens when memory runs out in one."""

import contextlib
import gc
import io
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_actions import pretrain
from simulated_study import history_of, log_of, model_of, simulate_study

from q2_aam.config.training import TrainingConfig
from q2_aam.training.device import find_batch_size
from q2_aam.training.evaluation import SampleObjective
from q2_aam.training.logger import TrainingLogger

ERRORS = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."),
    MemoryError("Unable to allocate 3.2 GiB"),
    RuntimeError("could not create a primitive"),
]


@pytest.mark.parametrize(
    ("sizes", "chunks", "wanted"),
    [([1], 1, 1), ([5], 1, 5), ([8], 1, 8), ([159], 1, 8), ([160], 1, 16), ([700], 1, 64),
     ([10**6], 1, 256), ([700], 4, 16), ([20] * 35, 1, 20)],
)  # fmt: skip
def test_the_rule_leaves_about_ten_steps_within_bounds(sizes, chunks, wanted):
    config = TrainingConfig(batch_size="auto", gradient_accumulation=chunks)
    assert find_batch_size(sizes, config, TrainingLogger("test", 1)).batch_size == wanted


@pytest.fixture(scope="module")
def study():
    return simulate_study(20, 30, 3)


def learn(study, **options):
    """Return the weights, the history, what was printed and the setting of the batch size."""
    printed = io.StringIO()
    steps = {"epochs": 3, "optimizer": "sgd", "learning_rate": 0.1, "abundance_weight": 0.1}
    with contextlib.redirect_stdout(printed):
        found = pretrain(study, **steps | options)
    (setting,) = [one for one in log_of(found).settings if one.name == "batch_size"]
    return model_of(found.encoder)[1], history_of(found), printed.getvalue(), setting


def test_auto_equals_the_number_given_by_hand(study):
    weights, history, printed, setting = learn(study, batch_size="auto", dropout=0.1)
    assert (setting.value, setting.chosen_by) == (8, "automatic")
    assert f"batch_size: 8 ({setting.why})" in printed
    other, again, _, setting = learn(study, batch_size=8, dropout=0.1)
    assert (setting.value, setting.chosen_by) == (8, "user")
    assert all(np.array_equal(other[name], value) for name, value in weights.items())
    assert history["train_loss"].equals(again["train_loss"])


def break_step(monkeypatch, error, breaks):
    """Raise the error in the steps for which `breaks` (number of the call, chunks) is true."""
    calls, losses = [], SampleObjective.losses

    def take_step(objective, step, prepared, chunks):
        calls.append(chunks)
        if breaks(len(calls), chunks):
            raise error
        return losses(objective, step, prepared, chunks)

    monkeypatch.setattr(SampleObjective, "losses", take_step)
    return calls


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:15])
def test_row_14_the_message_says_what_to_lower(study, refused, monkeypatch, error):
    break_step(monkeypatch, error, lambda call, chunks: call == 2)
    message = refused(
        lambda: learn(study, batch_size=7),
        "a step of 7 samples", "'batch_size' (now 7)", "'gradient_accumulation'",
        "'gradient_checkpointing'", "'max_asvs'", "'hidden_size'",
    )  # fmt: skip
    assert str(error) not in message


def test_another_error_is_not_taken_for_a_lack_of_memory(study, monkeypatch):
    break_step(monkeypatch, RuntimeError("shapes do not match"), lambda *_: True)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        learn(study, batch_size="auto")


def test_row_14_an_automatic_batch_is_halved_and_the_steps_stay_the_same(study, monkeypatch):
    unbroken, history, *_ = learn(study, batch_size="auto")
    calls = break_step(monkeypatch, ERRORS[0], lambda call, chunks: call == 6 and chunks < 4)
    weights, other, printed, _ = learn(study, batch_size="auto")
    # three steps an epoch; the third of the second epoch failed, and that epoch was begun again
    assert calls == [1] * 6 + [2] * 6
    assert "batch_size: 8 (" in printed
    assert printed.count("Memory ran out") == 1
    assert "a batch_size of 4 and a gradient_accumulation of 2" in printed
    assert printed.count("epoch 2/3") == 1
    for name, value in unbroken.items():
        assert np.allclose(weights[name], value, atol=1e-5), name
    scores = [name for name in history if name.endswith(("loss", "unifrac_r"))]
    assert np.allclose(history[scores], other[scores], rtol=1e-4)


def test_row_14_what_the_failed_step_held_is_freed_before_the_next(study, monkeypatch):
    class Cycle:
        """Holds itself."""

    held = []

    def breaks(call, chunks):
        if call == 2:
            cycle = Cycle()
            cycle.itself = cycle
            held.append(weakref.ref(cycle))
        elif call == 3:
            held.append(held[0]())
        return call == 2

    break_step(monkeypatch, ERRORS[0], breaks)
    gc.disable()
    try:
        learn(study, batch_size="auto", epochs=1)
    finally:
        gc.enable()
    assert held[1] is None


def test_row_14_an_automatic_batch_is_halved_until_one_sample_is_too_much(
    study, refused, monkeypatch
):
    calls = break_step(monkeypatch, ERRORS[1], lambda call, chunks: chunks < 8)
    printed = learn(study, batch_size="auto", epochs=1)[2]
    assert calls == [1, 2, 4, 8, 8, 8]
    assert printed.count("Memory ran out") == 3
    calls = break_step(monkeypatch, ERRORS[3], lambda *_: True)
    refused(lambda: learn(study, batch_size="auto", epochs=2), "Training ran out of memory")
    assert calls == [1, 2, 4, 8]


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np, psutil
import test_memory as test
from q2_aam.training import pretrain

study, (size, megabytes) = test.simulate_study(16, 640, 3), sys.argv[1:]
own = np.arange(640) // 40 == np.arange(16)[:, None]  # half of the samples take half of the memory
study = study.replaced(counts=0 * study.counts + own)
np.linalg.inv(np.ones((2, 2)) + np.eye(2))  # OpenBLAS waits for ever if it cannot have its buffers
taken = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (taken + int(megabytes) * 10**6,) * 2)
print(test.learn(
    study, batch_size=size if size == "auto" else int(size), hidden_size=256, heads=2,
    nucleotides_per_token=1, epochs=1, workers=0,
)[2])
"""


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
    assert "AAMError: Training ran out of memory in a step of 16 samples" in stopped.stderr
    halved = run("auto", 500)
    assert halved.returncode == 0, halved.stderr[-2000:]
    assert "Memory ran out" in halved.stdout
