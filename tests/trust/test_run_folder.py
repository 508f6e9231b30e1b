"""Rows 6 and 15: a stopped writer, a full disk, two runs at once: the state stays whole."""

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from simulated_study import TINY, describe_target, model_of
from trials import count, repeat

from q2_aam.config import ModelConfig
from q2_aam.model.network import Network
from q2_aam.training.checkpoint import (
    EVENTS,
    FINISHED,
    LOCK,
    STATE,
    Progress,
    RunFolder,
    UnreadableStateError,
    clean_old_runs,
    load_checkpoint,
    save_checkpoint,
)
from q2_aam.training.figures import write_live_events

CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=8, max_sequence_length=10, target=describe_target()
)
BELONGS = {STATE, LOCK, FINISHED, EVENTS}
NAME = "f" * 40


def state_after(epochs: int):
    """Build what a run has reached after some epochs; every tensor tells the epoch."""
    torch.manual_seed(0)
    network = Network(CONFIG)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    sum(weight.sum() for weight in network.parameters()).backward()
    optimizer.step()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(epochs)
    history = [{"epoch": epoch + 1, "seconds": 0.1, "train_loss": 1.0} for epoch in range(epochs)]
    return network, optimizer, Progress(history, network.state_dict(), epochs, 0.5)


def save(path: Path, epochs: int) -> None:
    network, optimizer, progress = state_after(epochs)
    save_checkpoint(path, network, optimizer, None, progress, "")


def load(path: Path) -> int:
    """Load a state and return its epoch, which its weights must confirm."""
    network, optimizer, _ = state_after(0)
    progress, _ = load_checkpoint(path, network, optimizer, None)
    epochs = len(progress.history)
    for tensors in (dict(network.named_parameters()), progress.best):
        for name, _ in network.named_parameters():
            assert (tensors[name] == epochs).all(), name
    return epochs


def in_a_child(work) -> int:
    """Run something in a forked process; return how it ended."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1]


def stop_after_bytes(content: bytes, random):
    """Die within the write, as by a power cut."""
    length = int(random.integers(len(content) + 1))

    def write(path: Path) -> None:
        path.write_bytes(content[:length])
        os.kill(os.getpid(), signal.SIGKILL)

    in_a_child(lambda: RunFolder(NAME, print).replace(write))


def stop_the_library(content: bytes, random):
    """Die within the write of safetensors, which has temporary files of its own."""

    def work() -> None:
        folder = RunFolder(NAME, print)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        limit = int(random.integers(1, len(content)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        folder.replace(lambda path: save(path, 2))

    assert in_a_child(work) != 0


def kill_at_a_moment(content: bytes, random):
    """Be killed from outside at any moment of writing states again and again."""

    def work() -> None:
        folder = RunFolder(NAME, print)
        while True:
            folder.replace(lambda path: path.write_bytes(content))

    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
        os._exit(1)
    time.sleep(random.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def stop_among_events(content: bytes, random):
    """Die while live TensorBoard events are written beside the state."""

    def die(folder: Path) -> None:
        scratch = tempfile.mkdtemp(dir=folder)
        (Path(scratch) / "half").write_bytes(content[:100])
        os.kill(os.getpid(), signal.SIGKILL)

    in_a_child(lambda: RunFolder(NAME, print).attempt(die))


def full_disk(content: bytes, random):
    """Run out of space after some bytes, in safetensors or outside of it."""
    said = []
    length = int(random.integers(1, len(content)))

    def write(path: Path) -> None:
        path.write_bytes(content[:length])
        raise OSError(errno.ENOSPC, "No space left on device")

    with limited_file_size(length):
        folder = RunFolder(NAME, said.append)
        folder.replace(write if random.random() < 0.5 else lambda path: save(path, 2))
        assert {path.name for path in folder.path.iterdir()} <= BELONGS
    assert len(said) == 1
    assert "cannot be saved" in said[0]
    folder.replace(lambda path: pytest.fail("tried again"))
    folder._lock.close()


@contextlib.contextmanager
def limited_file_size(size: int):
    """Refuse to let any file grow beyond a size: what a full disk looks like to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


STOPS = [stop_after_bytes, stop_the_library, kill_at_a_moment, stop_among_events, full_disk]


def test_row_6_a_stopped_writer_leaves_the_previous_or_the_new_state(tmp_path, monkeypatch):
    save(tmp_path / "new", 2)
    content = (tmp_path / "new").read_bytes()
    found = []

    def check(random, number):
        runs = tmp_path / f"runs {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        folder = RunFolder(NAME, print)
        folder.replace(lambda path: save(path, 1))
        folder._lock.close()
        STOPS[number % len(STOPS)](content, random)
        said = []
        again = RunFolder(NAME, said.append)
        assert not said
        found.append(load(again.state))
        assert found[-1] in (1, 2)
        assert {path.name for path in again.path.iterdir()} <= BELONGS
        again.replace(lambda path: save(path, 3))
        assert load(again.state) == 3
        again.finish()

    repeat(check, 20, 300, seed=6)
    assert 1 in found


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a state", None])
def test_row_6_a_state_that_is_none_means_a_fresh_start(tmp_path, content):
    path = tmp_path / STATE
    if content is None:
        from safetensors.torch import save_file

        save_file({"network/asv_mean": torch.zeros(3)}, str(path), {"progress": "{}"})
    else:
        path.write_bytes(content)
    network, optimizer, _ = state_after(0)
    with pytest.raises(UnreadableStateError):
        load_checkpoint(path, network, optimizer, None)


def test_row_6_a_state_of_another_network_means_a_fresh_start(tmp_path):
    save(tmp_path / STATE, 1)
    other = Network(ModelConfig(hidden_size=8, heads=2, branches=9, max_sequence_length=10))
    optimizer = torch.optim.AdamW(other.parameters())
    with pytest.raises(UnreadableStateError):
        load_checkpoint(tmp_path / STATE, other, optimizer, None)


def test_row_6_an_unreadable_state_is_said_and_training_starts_again(aam, study, tmp_path, capfd):
    def pretrain():
        capfd.readouterr()
        found = aam.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], **TINY | {"epochs": 3}
        )
        return model_of(found.encoder)[1], capfd.readouterr().out

    weights, _ = pretrain()
    (state,) = (Path(os.environ["Q2_AAM_RUN_DIR"])).glob(f"*/{STATE}")
    state.write_bytes(state.read_bytes()[:-100])
    again, printed = pretrain()
    assert "The saved state of this command cannot be read" in printed
    assert "epoch 1/3" in printed
    assert all((again[name] == weights[name]).all() for name in weights)
    _, printed = pretrain()
    assert printed.startswith("This command had finished its training before")
    assert "tensorboard" not in printed


def test_a_finished_run_keeps_its_best_weights_alone(aam, study):
    found = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences], **TINY | {"epochs": 3}
    )
    (folder,) = Path(os.environ["Q2_AAM_RUN_DIR"]).iterdir()
    assert {path.name for path in folder.iterdir()} == {STATE, LOCK, FINISHED}
    weights = sum(array.nbytes for array in model_of(found.encoder)[1].values())
    assert (folder / STATE).stat().st_size < 1.5 * weights + 20_000


def test_what_vanishes_while_old_runs_are_cleaned_stops_nothing(tmp_path, monkeypatch):
    """Two starts clean up at once: one finds folders that the other is deleting."""
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path))
    for number in range(3):
        folder = RunFolder(f"{number}" * 40, print)
        folder.replace(lambda path: save(path, 1))
        folder.finish()
        for path in (*folder.path.iterdir(), folder.path):
            os.utime(path, (0, 0))
    live, said = RunFolder("f" * 40, print), []
    live.replace(lambda path: save(path, 1))
    for path in live.path.iterdir():
        os.utime(path, (0, 0))
    real = Path.iterdir

    def vanishing(path):
        found = list(real(path))
        if path.parent == tmp_path and path.name.endswith("1" * 32):
            shutil.rmtree(path)
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", vanishing)
    RunFolder("a" * 40, said.append)
    clean_old_runs(tmp_path, tmp_path / "another")
    assert not said
    assert {path.name[-3:] for path in real(tmp_path)} == {"fff", "aaa"}  # the live one stays
    live.replace(lambda path: save(path, 2))
    assert load(live.state) == 2


def train(epochs: int, say, pause: float = 0.0) -> int:
    """Do as the training loop does: go on from the state there is; return epochs trained here."""
    folder = RunFolder(NAME, say)
    reached = load(folder.state) if folder.state.exists() else 0
    trained = epochs - reached
    while reached < epochs:
        reached += 1
        time.sleep(pause)
        folder.replace(lambda path, reached=reached: save(path, reached))
        _, _, progress = state_after(reached)
        folder.attempt(lambda path, progress=progress: write_live_events(path, progress.history))
    folder.finish()
    return trained


def two_at_once(runs: Path, random) -> None:
    """Start the same run twice: the second waits, says so, and trains nothing."""
    ends = []
    for number in range(2):
        reader, writer = os.pipe()
        pause = random.uniform(0.01, 0.03)

        def work(writer=writer, pause=pause):
            said = []
            trained = train(4, said.append, pause)
            os.write(writer, f"{trained} {' '.join(said)}".encode())

        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                work()
                os._exit(0)
            os._exit(1)
        os.close(writer)
        ends.append((child, reader))
        if number == 0:
            time.sleep(random.uniform(0, 0.02))
    words = []
    for child, reader in ends:
        with os.fdopen(reader) as lines:
            words.append(lines.read())
        assert os.waitpid(child, 0)[1] == 0
    assert sorted(word.split()[0] for word in words) == ["0", "4"], words
    waited = [word for word in words if "running already" in word]
    assert waited == [word for word in words if word.startswith("0")], words
    (folder,) = runs.iterdir()
    assert load(folder / STATE) == 4


def full(runs: Path, random) -> None:
    """Run out of space: training goes on, and says so once."""
    said = []
    with limited_file_size(int(random.integers(1, 20_000))):
        assert train(3, said.append) == 3
    assert sum("cannot be saved" in line for line in said) == 1, said
    assert any("Q2_AAM_RUN_DIR" in line for line in said)


def read_only(runs: Path, random) -> None:
    """Find a run folder that cannot be written: training goes on, and says so once."""
    if os.geteuid():
        runs.mkdir()
        runs.chmod(0o500)
    else:  # root may write everywhere but here
        runs.write_text("a file")
    said = []
    assert train(3, said.append) == 3
    assert sum("cannot be saved" in line for line in said) == 1, said


def test_row_15_two_at_once_or_nowhere_to_write(tmp_path, monkeypatch):
    kinds = [two_at_once, full, read_only]

    def check(random, number):
        runs = tmp_path / f"runs {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        kinds[number % 3](runs, random)

    repeat(check, 3, 20, seed=15)


def test_row_15_a_folder_cleaned_up_while_waiting_is_made_anew(tmp_path, monkeypatch):
    import fcntl
    import shutil
    import threading

    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path))
    first, said = RunFolder(NAME, print), []
    waiting = threading.Thread(target=lambda: said.append(RunFolder(NAME, said.append)))
    waiting.start()
    while not said:
        time.sleep(0.01)
    shutil.rmtree(first.path)  # as cleaning does, holding the lock
    fcntl.flock(first._lock, fcntl.LOCK_UN)
    waiting.join(timeout=10)
    second = said[-1]
    second.replace(lambda path: save(path, 2))
    assert load(second.state) == 2
    assert not any("cannot be saved" in str(line) for line in said)


TWICE = """
import sys
from qiime2.plugins import aam
sys.path.append(sys.argv[1])
from pathlib import Path
from golden_models import read_inputs
from q2_aam.types import AAMModelDirectoryFormat

table, metadata = read_inputs(Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
model, _ = aam.actions.fit_regressor(
    table, metadata.get_column("age"), pretrained="none", epochs=20, patience=20, batch_size=4,
    n_estimators=3, threads=1, device="cpu",
)
model.export_data(sys.argv[3])
"""


@pytest.mark.hard
def test_row_15_the_same_command_twice_at_once_gives_the_same_weights(golden, tmp_path):
    environment = os.environ | {"Q2_AAM_RUN_DIR": str(tmp_path / "runs"), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [
                sys.executable, "-u", "-W", "ignore", "-c", TWICE, str(golden.parent), str(golden),
                str(tmp_path / f"model {number}"),
            ],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(count(2, 4))
    ]  # fmt: skip
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go on\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(started)
    trained = [text for text in outputs if "epoch 1/" in text]
    assert len(trained) == 1
    weights = {path.read_bytes() for path in tmp_path.glob("model */weights.safetensors")}
    assert len(weights) == 1
