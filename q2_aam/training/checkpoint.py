"""The state of a run: its name, its folder, and one safetensors file that a killed run resumes."""

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .. import __version__
from ..data.distances import runs_root
from . import distributed

STATE, LOCK, FINISHED, EVENTS = "state.safetensors", "lock", "finished", "tensorboard"


@dataclass
class Progress:
    """What a run has reached at the end of an epoch."""

    history: list[dict[str, float]] = field(default_factory=list)  # one row an epoch
    best: dict[str, Tensor] = field(default_factory=dict)  # the tensors of the best epoch
    best_epoch: int = 0  # from 1
    best_score: float = math.inf  # the monitored loss of the best epoch
    stop_reason: str = ""  # nothing while training goes on


class UnreadableStateError(Exception):
    """A state file is damaged, or of another model."""


def digest_inputs(objective, config) -> str:
    """Digest what is learned from, and how: the same on every machine."""
    return _digest([dataclasses.asdict(config) | {"device": ""}, *objective.inputs()])


def fingerprint(inputs: str, network: nn.Module) -> str:
    """Name a run by its inputs, the weights it starts from and the machine, which all decide it."""
    tensors = network.state_dict()
    device = str(next(iter(tensors.values())).device)
    threads, processes = torch.get_num_threads(), distributed.size()
    machine = [torch.__version__, threads, processes, processor(), device]
    arrays = (tensor.cpu().numpy() for tensor in tensors.values())
    return _digest([inputs, machine, list(tensors), *arrays])


def _digest(items: Iterable[Any]) -> str:
    """Digest arrays, and what JSON can write."""
    digest = hashlib.sha256()
    for item in items:
        if isinstance(item, np.ndarray):
            digest.update(f"{item.dtype} {item.shape}".encode())
            digest.update(np.ascontiguousarray(item).data)
        else:
            digest.update(json.dumps(item).encode())
    return digest.hexdigest()


def processor() -> str:
    """Name the processor: other processors round differently."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def save_checkpoint(path: Path, network: nn.Module, optimizer, scaler, progress: Progress) -> None:
    """Write what the next epoch depends on, of a finished run what it gives; may raise OSError."""
    parts = {"best": progress.best}
    if not progress.stop_reason:
        state = optimizer.state_dict()["state"]
        parts |= {"network": network.state_dict()}
        parts |= {f"optimizer/{index}": values for index, values in state.items()}
    tensors = {
        f"{part}/{name}": tensor.detach().cpu().clone()
        for part, content in parts.items()
        for name, tensor in content.items()
        if isinstance(tensor, Tensor)
    }
    notes = {name: value for name, value in vars(progress).items() if name != "best"}
    notes["scaler"] = scaler.state_dict() if scaler is not None else {}
    try:
        save_file(tensors, str(path), metadata={"progress": json.dumps(notes)})
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error


def load_checkpoint(path: Path, network: nn.Module, optimizer, scaler) -> Progress | None:
    """Restore a run if it has a state, all of it or, by UnreadableStateError, nothing."""
    if not path.is_file():
        return None
    parts: dict[str, dict[str, Tensor]] = {"best": {}, "network": {}, "optimizer": {}}
    try:
        with safe_open(str(path), framework="pt") as file:
            notes = json.loads(file.metadata()["progress"])
            for name in file.keys():  # noqa: SIM118
                part, _, rest = name.partition("/")
                parts[part][rest] = file.get_tensor(name)
        of_scaler = notes.pop("scaler")
        progress = Progress(best=parts["best"], **notes)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise UnreadableStateError from error
    weights = parts["best"] if progress.stop_reason else parts["network"]
    for tensors in (weights, progress.best or weights):
        if _shapes(tensors) != _shapes(network.state_dict()):
            raise UnreadableStateError
    network.load_state_dict(weights)
    if not progress.stop_reason:
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, _, kind = name.partition("/")
            state.setdefault(int(index), {})[kind] = tensor
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        if scaler is not None and of_scaler:
            scaler.load_state_dict(of_scaler)
    return progress


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


class RunFolder:
    """State of one run, under a name that its inputs, settings and machine give.

    A folder that cannot be written costs the chance to resume, never the run. Of several processes
    the first one alone has a folder.
    """

    def __init__(self, fingerprint: str, info: Callable[[str], None]):
        self.path = runs_root() / f"{__version__}-{fingerprint[:32]}"
        self.state = self.path / STATE  # of the last finished epoch; it may not exist
        self.info = info
        self._lock = None
        self.usable = distributed.rank() == 0
        self.attempt(self._open)

    def load(self, network: nn.Module, optimizer, scaler) -> Progress | None:
        """Restore the run in every process (see `load_checkpoint`); say if that cannot be done."""
        with tempfile.TemporaryDirectory() as scratch:
            path = distributed.send_file(self.state, Path(scratch) / STATE)
            try:
                return load_checkpoint(path, network, optimizer, scaler)
            except UnreadableStateError:
                self.info(
                    "The saved state of this command cannot be read: training starts again. "
                    "(Was the disk full, or the file changed?)"
                )
                return None

    def replace(self, write: Callable[[Path], None]) -> None:
        """Replace the state whole or not at all: temporary file, fsync, rename."""

        def work(folder: Path) -> None:
            temporary = self.path / f"{STATE}.tmp"
            try:
                write(temporary)
                _sync(temporary)
                temporary.replace(self.state)
            finally:
                temporary.unlink(missing_ok=True)
            _sync(folder)

        self.attempt(work)

    def finish(self) -> None:
        """Mark the run as finished, keep what it gives, and let others use it."""
        # events are in the training log
        self.attempt(lambda folder: shutil.rmtree(folder / EVENTS, ignore_errors=True))
        self.attempt(lambda folder: (folder / FINISHED).touch())
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def attempt(self, work: Callable[[Path], None]) -> None:
        """Do something in the folder; if that fails, say so, and do nothing there any more."""
        if not self.usable:
            return
        try:
            work(self.path)
        except OSError as error:
            self.usable = False
            self.info(
                f"The state of the run cannot be saved ({error.strerror}): training goes on, but a "
                "killed run will start again. Set Q2_AAM_RUN_DIR to a folder with space to write."
            )

    def _open(self, folder: Path) -> None:
        self._acquire(folder)
        clean_old_runs(folder.parent, folder)
        for leftover in folder.iterdir():  # of a writer that was killed, whatever its names
            if leftover.name not in (STATE, LOCK, FINISHED, EVENTS):
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()

    def _acquire(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / LOCK
        self._lock = path.open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.info("The same command is running already: waiting for it, to use its result.")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        there = path.exists() and os.path.samestat(os.fstat(self._lock.fileno()), path.stat())
        if not there:  # another run has just cleaned up here
            self._lock.close()
            self._acquire(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean_old_runs(root: Path, current: Path) -> None:
    """Delete runs that were finished 7 days ago or abandoned 30 days ago, unless in use."""
    for folder in root.iterdir():
        if folder == current or not (folder / LOCK).is_file():
            continue
        # a live run holds its lock; what vanishes meanwhile was cleaned up by another start
        with contextlib.suppress(OSError), (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept_days = 7 if (folder / FINISHED).exists() else 30
            newest = max(path.stat().st_mtime for path in folder.iterdir())
            if time.time() - newest >= 24 * 3600 * kept_days:
                shutil.rmtree(folder, ignore_errors=True)
