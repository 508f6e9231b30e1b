"""Rows 6 and 15: a stopped writer, a full disk, two runs at once: the state stays whole."""

import errno
import fcntl
import os
import resource
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from simulated_study import TINY, describe_target, model_of
from trials import repeat

from q2_aam.config.model import ModelConfig
from q2_aam.model.network import Network
from q2_aam.training import checkpoint
from q2_aam.training.figures import write_events

CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=8, max_sequence_length=10, target=describe_target()
)
BELONGS = {checkpoint.STATE, checkpoint.LOCK, checkpoint.FINISHED, checkpoint.EVENTS}
NAME, EPOCHS = "f" * 40, 4


def state_after(epochs: int, config=CONFIG):
    """Build what a run has reached after some epochs; every tensor tells the epoch."""
    torch.manual_seed(0)
    network = Network(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    sum(weight.sum() for weight in network.parameters()).backward()
    optimizer.step()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(epochs)
    history = [{"epoch": epoch + 1, "seconds": 0.1, "train_loss": 1.0} for epoch in range(epochs)]
    return network, optimizer, checkpoint.Progress(history, network.state_dict(), epochs, 0.5)


def save(path: Path, epochs: int) -> None:
    network, optimizer, progress = state_after(epochs)
    checkpoint.save_checkpoint(path, network, optimizer, None, progress)


def load(path: Path, config=CONFIG) -> int:
    """Load a state and return its epoch, which its weights must confirm."""
    network, optimizer, _ = state_after(0, config)
    progress = checkpoint.load_checkpoint(path, network, optimizer, None)
    epochs = len(progress.history)
    for tensors in (dict(network.named_parameters()), progress.best):
        for name, _ in network.named_parameters():
            assert (tensors[name] == epochs).all(), name
    return epochs


def fork(work) -> int:
    """Run something in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:  # also if the work failed
            os._exit(1)
    return child


def die(path: Path, content: bytes) -> None:
    """Write something and be killed, as by a power cut."""
    path.write_bytes(content)
    os.kill(os.getpid(), signal.SIGKILL)


STOPS = ["within the write", "within the library", "from outside", "among events", "a full disk"]


def write_until_stopped(how: str, content: bytes, limit: int) -> None:
    """Write a state in a process of its own, and be stopped."""
    messages = []
    folder = checkpoint.RunFolder(NAME, messages.append)
    match how:
        case "within the write":
            folder.replace(lambda path: die(path, content[:limit]))
        case "within the library":  # safetensors has temporary files of its own
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            folder.replace(lambda path: save(path, 2))
        case "from outside":
            while True:
                folder.replace(lambda path: path.write_bytes(content))
        case "among events":
            folder.attempt(lambda path: die(Path(tempfile.mkdtemp(dir=path)) / "half", content))
        case "a full disk":
            write_onto_a_full_disk(folder, content, limit)
            (line,) = messages
            assert "cannot be saved" in line
            assert "Q2_AAM_RUN_DIR" in line


def write_onto_a_full_disk(folder, content: bytes, limit: int) -> None:
    def write(path: Path) -> None:
        path.write_bytes(content[:limit])
        raise OSError(errno.ENOSPC, "No space left on device")

    # no file can grow beyond this: what a full disk looks like to a writer
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    folder.replace(write if limit % 2 else lambda path: save(path, 2))
    assert {path.name for path in folder.path.iterdir()} <= BELONGS
    folder.replace(lambda path: pytest.fail("tried again"))


def test_row_6_a_stopped_writer_leaves_the_previous_or_the_new_state(tmp_path, monkeypatch):
    save(tmp_path / "new", 2)
    content = (tmp_path / "new").read_bytes()
    found = []

    def check(random, number):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / f"runs {number}"))
        folder = checkpoint.RunFolder(NAME, print)
        folder.replace(lambda path: save(path, 1))
        folder._lock.close()
        how, limit = STOPS[number % len(STOPS)], int(random.integers(1, len(content)))
        child = fork(lambda: write_until_stopped(how, content, limit))
        if how == "from outside":
            time.sleep(random.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
        assert (os.waitpid(child, 0)[1] == 0) == (how == "a full disk")
        messages = []
        again = checkpoint.RunFolder(NAME, messages.append)
        assert not messages
        found.append(load(again.state))
        assert found[-1] in (1, 2)
        assert {path.name for path in again.path.iterdir()} <= BELONGS
        again.replace(lambda path: save(path, 3))
        assert load(again.state) == 3
        again.finish()

    repeat(check, 20, 300, seed=6)
    assert 1 in found


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a state", "no run", "another"])
def test_row_6_a_state_that_is_none_means_a_fresh_start(tmp_path, content):
    path, config = tmp_path / checkpoint.STATE, CONFIG
    if content == "no run":
        save_file({"network/asv_mean": torch.zeros(3)}, str(path), {"progress": "{}"})
    elif content == "another":
        save(path, 1)
        config = replace(CONFIG, branches=9)
    else:
        path.write_bytes(content)
    with pytest.raises(checkpoint.UnreadableStateError):
        load(path, config)


def test_row_6_an_unreadable_state_is_said_and_training_starts_again(aam, study, tmp_path, capfd):
    def pretrain():
        capfd.readouterr()
        found = aam.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], **TINY | {"epochs": 3}
        )
        return model_of(found.encoder)[1], capfd.readouterr().out

    weights, _ = pretrain()
    (folder,) = Path(os.environ["Q2_AAM_RUN_DIR"]).iterdir()
    assert {path.name for path in folder.iterdir()} == BELONGS - {checkpoint.EVENTS}
    # a finished run keeps its best weights alone
    content = (folder / checkpoint.STATE).read_bytes()
    assert len(content) < 1.5 * sum(array.nbytes for array in weights.values()) + 20_000
    (folder / checkpoint.STATE).write_bytes(content[:-100])
    again, printed = pretrain()
    assert "The saved state of this command cannot be read" in printed
    assert "epoch 1/3" in printed
    assert all(np.array_equal(again[name], weights[name]) for name in weights)
    _, printed = pretrain()
    assert printed.startswith("This command had finished its training before")
    assert "tensorboard" not in printed


def test_what_vanishes_while_old_runs_are_cleaned_stops_nothing(tmp_path, monkeypatch):
    """Two starts clean up at once: one finds folders that the other is deleting."""
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path))
    old = [checkpoint.RunFolder(f"{number}" * 40, print) for number in range(3)]
    live, messages = checkpoint.RunFolder(NAME, print), []
    for folder in (*old, live):
        folder.replace(lambda path: save(path, 1))
        if folder is not live:
            folder.finish()
        for path in (*folder.path.iterdir(), folder.path):
            os.utime(path, (0, 0))
    real = Path.iterdir

    def vanishing(path):
        found = list(real(path))
        if path.parent == tmp_path and path.name.endswith("1" * 32):
            shutil.rmtree(path)
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", vanishing)
    checkpoint.RunFolder("a" * 40, messages.append)
    checkpoint.clean_old_runs(tmp_path, tmp_path / "another")
    assert not messages
    assert {path.name[-3:] for path in real(tmp_path)} == {"fff", "aaa"}  # the live one stays
    live.replace(lambda path: save(path, 2))
    assert load(live.state) == 2


def train(report: Path, pause: float) -> None:
    """Go on from the state there is, as the training loop does; report how many epochs it took."""
    messages = []
    folder = checkpoint.RunFolder(NAME, messages.append)
    reached = load(folder.state) if folder.state.exists() else 0
    for number in range(reached + 1, EPOCHS + 1):
        time.sleep(pause)
        folder.replace(lambda path, number=number: save(path, number))
        folder.attempt(lambda path: write_events(path, pd.DataFrame(state_after(1)[2].history)))
    folder.finish()
    report.write_text(f"{EPOCHS - reached} {' '.join(messages)}")


def test_row_15_the_second_of_two_at_once_waits_and_trains_nothing(tmp_path, monkeypatch):
    def check(random, number):
        runs, told = tmp_path / f"runs {number}", tmp_path / f"told {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        told.mkdir()
        children = []
        for name in ("first", "second"):
            pause = random.uniform(0.01, 0.03)
            children.append(fork(partial(train, told / name, pause)))
            time.sleep(random.uniform(0, 0.02))
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        waited, trained = sorted(path.read_text() for path in told.iterdir())
        assert waited.startswith("0 ")
        assert "running already" in waited
        assert trained.startswith(f"{EPOCHS} ")
        assert "running already" not in trained
        (folder,) = runs.iterdir()
        assert load(folder / checkpoint.STATE) == EPOCHS

    repeat(check, 2, 10, seed=15)


def test_row_15_a_folder_cleaned_up_while_waiting_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path))
    first, messages = checkpoint.RunFolder(NAME, print), []
    waiting = threading.Thread(
        target=lambda: messages.append(checkpoint.RunFolder(NAME, messages.append))
    )
    waiting.start()
    while not messages:
        time.sleep(0.01)
    shutil.rmtree(first.path)  # as cleaning does, holding the lock
    fcntl.flock(first._lock, fcntl.LOCK_UN)
    waiting.join(timeout=10)
    second = messages[-1]
    second.replace(lambda path: save(path, 2))
    assert load(second.state) == 2
    assert not any("cannot be saved" in str(line) for line in messages)
