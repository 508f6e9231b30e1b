"""A killed run, started again, ends as if it had never been killed, whenever that happens."""

import hashlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from trials import FULL, count

KILLS = count(5, 100)
EPOCHS = 12
WAIT = 240  # seconds for a line, on a busy machine

# Imports once and forks for every attempt: a kill hits the attempt only. An optimizer imports
# torch._dynamo, which takes three times as long as the attempt. Each has QIIME 2's cache to itself:
# whoever is killed while holding the lock of the shared one stops all others for ten minutes.
PROGRAM = """
import json, os, sys, time
import qiime2
import torch._dynamo
from qiime2.plugins import aam
from q2_aam import examples
from q2_aam.training import init, logger, pretrain

inputs = [examples._table()], [examples._unifrac()], [examples._sequences()]
for line in sys.stdin:
    runs, folder, settings = json.loads(line)
    child = os.fork()
    if not child:
        os.environ["Q2_AAM_RUN_DIR"] = runs
        with qiime2.Cache(f"{folder}-cache-{os.getpid()}"):
            encoder, _ = aam.actions.pretrain(
                *inputs, pretrained="none", batch_size=4, dropout=0.1, hidden_size=16, heads=2,
                branches=16, patience=99, nucleotide_weight=0.1, abundance_weight=0.1, **settings,
            )
            print("finished training", flush=True)
            while not os.path.exists(folder + ".save"):
                time.sleep(0.01)
            encoder.export_data(folder)
        os._exit(0)
    print("child", child, flush=True)
    os.waitpid(child, 0)
    print("\\nended", flush=True)  # whoever is killed may leave half a line
"""


class Runner:
    """Starts attempts at a run in processes of their own, and reads what they print."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-W", "ignore", "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            # two threads that wait for each other by turning would take minutes on a busy machine
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        )  # fmt: skip
        self.lines, lines = queue.Queue(), (line.rstrip() for line in self.process.stdout)
        threading.Thread(target=lambda: [*map(self.lines.put, lines)], daemon=True).start()

    def start(self, runs, folder, **settings):
        settings = {"epochs": EPOCHS, "threads": 1} | settings
        self.process.stdin.write(json.dumps([str(runs), str(folder), settings]) + "\n")
        self.process.stdin.flush()
        return int(self.read_until("child ")[-1].split()[1])

    def read_until(self, *beginnings):
        """Return the lines up to one that begins with any of these."""
        found = []
        while not found or not found[-1].startswith(beginnings):
            found.append(self.lines.get(timeout=WAIT))
            if found[-1] == "ended" and "ended" not in beginnings:
                raise AssertionError(f"The attempt ended by itself: {found}")
        return found

    def kill(self, child):
        os.kill(child, signal.SIGKILL)
        return self.read_until("ended")

    def save(self, folder):
        """Let a finished attempt save; return what its weights are."""
        Path(f"{folder}.save").touch()
        self.read_until("ended")
        return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()

    def run(self, runs, folder, **settings):
        """Run from start to end; return what was printed and what the weights are."""
        self.start(runs, folder, **settings)
        return self.read_until("finished training"), self.save(folder)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(WAIT)


@pytest.fixture(scope="module")
def runner():
    one = Runner()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def unbroken(runner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return runner.run(folder / "runs", folder / "model")[1]


@pytest.mark.parametrize("killed_at", ["epoch 1/", "epoch 4/", "finished training"])
def test_killed_run_equals_unbroken_run(runner, killed_at, unbroken, tmp_path):
    child = runner.start(tmp_path / "runs", tmp_path / "model")
    runner.read_until(killed_at)
    runner.kill(child)
    assert not (tmp_path / "model").exists()
    lines, weights = runner.run(tmp_path / "runs", tmp_path / "model")
    finished = killed_at == "finished training"
    first = (
        "This command had finished" if finished else "Resuming an interrupted run of this command"
    )
    assert lines[0].startswith(first)
    assert not any(line.startswith("epoch " if finished else "epoch 1/") for line in lines)
    assert weights == unbroken


def test_training_goes_on_where_no_state_can_be_written(runner, unbroken, tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    lines, weights = runner.run(tmp_path / "runs", tmp_path / "model")
    assert sum("cannot be saved" in line for line in lines) == 1
    assert not any("tensorboard" in line for line in lines)
    assert weights == unbroken


def interrupt(runner, child, moment, epoch_seconds):
    """Kill an attempt after a few epochs and a part of one; return its lines, and if it was."""
    lines = []
    for _ in range(moment.randrange(4)):
        lines += runner.read_until("epoch ", "finished training")
        if lines[-1] == "finished training":
            return lines, False
    time.sleep(moment.random() * 2 * epoch_seconds)
    return lines + runner.kill(child), True


@pytest.mark.timeout(3600)  # far more than a machine takes that has nothing else to do
@pytest.mark.parametrize("threads", [1, 2])
def test_killed_runs_equal_an_unbroken_run_however_often_they_are_killed(runner, threads, tmp_path):
    runner.start(tmp_path / "unbroken-runs", tmp_path / "unbroken", threads=threads)
    runner.read_until("epoch 1/")
    started = time.monotonic()
    runner.read_until("finished training")
    epoch_seconds = (time.monotonic() - started) / (EPOCHS - 1)
    unbroken = runner.save(tmp_path / "unbroken")

    moment = random.Random(threads)
    kills = between = runs = 0
    while kills < KILLS:
        runs += 1
        folder, reached, done, killed = tmp_path / f"run-{runs}", 0, False, True
        while killed:
            child = runner.start(tmp_path / f"runs-{runs}", folder, threads=threads)
            if kills >= KILLS or done:
                lines, killed = runner.read_until("finished training"), False
            else:
                lines, killed = interrupt(runner, child, moment, epoch_seconds)
            for line in lines:  # an interrupted run lost at most the epoch that it was in
                if line.startswith("Resuming"):
                    assert int(line.rstrip(".").split()[-1]) >= reached
                elif line.startswith("epoch "):
                    reached = int(line.split()[1].split("/")[0])
            if done:
                assert lines[0].startswith("This command had finished its training before")
            if not killed and not done and kills < KILLS:
                killed = done = True  # once a run, between training and saving
                runner.kill(child)
                between += 1
            kills += killed
        assert runner.save(folder) == unbroken
    assert kills == KILLS
    assert (between > 0 and runs > 1) or not FULL  # a few kills may all fall into one run
