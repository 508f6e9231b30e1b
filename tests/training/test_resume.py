"""A killed run ends as if it had never been killed; another command is another run."""

import copy
import dataclasses
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

import numpy as np
import pytest
from simulated_study import describe_target
from tasks import make_network, make_task
from trials import count

from q2_aam.config.target import Covariate
from q2_aam.config.training import TrainingConfig
from q2_aam.training.checkpoint import digest_inputs, fingerprint
from q2_aam.training.evaluation import SampleObjective

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

    def start(self, runs, folder, threads):
        settings = {"epochs": EPOCHS, "threads": threads}
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

    def stop(self):
        self.process.stdin.close()
        self.process.wait(WAIT)


@pytest.fixture(scope="module")
def runner():
    one = Runner()
    yield one
    one.stop()


@pytest.fixture(scope="module", params=[1, 2])
def unbroken(request, runner, tmp_path_factory):
    """Run without a break; return the threads, the seconds of an epoch and the weights."""
    folder = tmp_path_factory.mktemp("unbroken")
    runner.start(folder / "runs", folder / "model", request.param)
    runner.read_until("epoch 1/")
    started = time.monotonic()
    runner.read_until("finished training")
    seconds = (time.monotonic() - started) / (EPOCHS - 1)
    return request.param, seconds, runner.save(folder / "model")


def test_training_goes_on_where_no_state_can_be_written(runner, unbroken, tmp_path):
    threads, _, weights = unbroken
    (tmp_path / "runs").write_text("a file where the folder should be")
    runner.start(tmp_path / "runs", tmp_path / "model", threads)
    lines = runner.read_until("finished training")
    assert sum("cannot be saved" in line for line in lines) == 1
    assert not any("tensorboard" in line for line in lines)
    assert runner.save(tmp_path / "model") == weights


@pytest.mark.parametrize("number", range(count(1, 20)))
def test_killed_run_equals_unbroken_run(runner, unbroken, number, tmp_path):
    """It is killed every few epochs, within one, and once between training and saving."""
    (threads, seconds, weights), folder = unbroken, tmp_path / "model"
    moment, reached, finished = random.Random(100 * threads + number), 0, False
    while not finished:
        child, epochs = runner.start(tmp_path / "runs", folder, threads), moment.randrange(4)
        awaited = f"epoch {reached + epochs}/", "finished training"
        lines = runner.read_until(*awaited) if epochs else []
        time.sleep(moment.random() * 2 * seconds)
        lines += runner.kill(child)
        for line in lines:
            if line.startswith("epoch "):  # what was finished is not learned again
                assert int(line.split()[1].split("/")[0]) > reached
                reached = int(line.split()[1].split("/")[0])
        finished = "finished training" in lines
    assert not folder.exists()
    runner.start(tmp_path / "runs", folder, threads)
    lines = runner.read_until("finished training")
    assert lines[0].startswith("This command had finished its training before")
    assert not any(line.startswith("epoch ") for line in lines)
    assert runner.save(folder) == weights


@pytest.fixture(scope="module")
def task():
    found = make_task(
        8, 20, 2, training=[np.arange(4)], validation=[np.arange(4, 8)], groups=np.arange(8)
    )
    return with_study(found, covariates=np.eye(8, 2, dtype=np.float32))


@pytest.fixture(scope="module")
def network():
    return make_network(target=describe_target(covariates=(Covariate("bmi"),)))


def with_study(task, **changes):
    one = dataclasses.replace(task.studies.studies[0], **changes)
    return dataclasses.replace(task, studies=dataclasses.replace(task.studies, studies=(one,)))


def name_of(network, task, config=None):
    config = config or TrainingConfig()
    return fingerprint(digest_inputs(SampleObjective(network, task, config), config), network)


def test_other_data_settings_or_weights_are_another_run(network, task):
    one, usual = task.studies.studies[0], name_of(network, task)
    others = [
        *(with_study(task, **change) for change in (
            {"covariates": one.covariates[::-1].copy()}, {"distances": None},
            {"abundances": 2 * one.abundances}, {"sample_ids": tuple("abcdefgh")})),
        *(dataclasses.replace(task, **change) for change in (
            {"targets": task.targets[::-1].copy()}, {"groups": task.groups // 2},
            {"sample_weights": 2 * task.sample_weights}, {"training": task.validation},
            {"weights": {"target": 1.0}})),
    ]  # fmt: skip
    changed = copy.deepcopy(network)
    changed.asv_mean[0] += 1
    names = [usual, name_of(network, task, TrainingConfig(learning_rate=0.1))]
    names += [name_of(changed, task), *(name_of(network, other) for other in others)]
    assert usual == name_of(network, task)
    assert len(set(names)) == len(names)
