"""The state of a run: its name, its folder, and one safetensors file that a killed run resumes."""

from __future__ import annotations

import contextlib
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .. import __version__
from ..data.cache import runs_root
from . import distributed

STATE, LOCK, FINISHED, EVENTS = "state.safetensors", "lock", "finished", "tensorboard"
_NETWORK, _BEST, _OPTIMIZER = "network/", "best/", "optimizer/"
_DAY = 24 * 3600
KEPT_DAYS = {"finished": 7, "unfinished": 30}


@dataclass
class Progress:
    """What a run has reached at the end of an epoch.

    Attributes
    ----------
    history : list of dict
        One row an epoch: losses, metrics, learning rate, gradient norm, speed.
    best : dict of str to Tensor
        The tensors of the best epoch.
    best_epoch : int
        From 1; 0 before the first.
    best_score : float
        Its monitored loss.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = math.inf


class UnreadableStateError(Exception):
    """A state file is damaged, or of another model."""


# --- the name of a run ----------------------------------------------------------------------------


def digest_inputs(objective, config) -> str:
    """Digest what is learned from, and how: the same on every machine."""
    digest = hashlib.sha256(json.dumps(config.to_json() | {"device": ""}).encode())
    objective.digest(digest)
    return digest.hexdigest()


def fingerprint(objective, config) -> str:
    """Name a run: equal only for runs that would give equal weights.

    Returns
    -------
    str
        Hexadecimal digest of the inputs, the weights to start from, the settings and the machine.
    """
    digest = hashlib.sha256(digest_inputs(objective, config).encode())
    device = str(next(objective.network.parameters()).device)
    threads, processes = torch.get_num_threads(), distributed.size()
    machine = [torch.__version__, threads, processes, processor(), device]
    digest.update(json.dumps(machine).encode())
    for name, tensor in objective.network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def processor() -> str:
    """Name the processor: other processors round differently."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


# --- the state ------------------------------------------------------------------------------------


def save_checkpoint(
    path: Path, network: nn.Module, optimizer, scaler, progress: Progress, reason: str
) -> None:
    """Write everything that the next epoch depends on; of a finished run, only what it gives.

    Parameters
    ----------
    path : Path
    network : Module
    optimizer : torch.optim.Optimizer
    scaler : torch.amp.GradScaler or None
        Of fp16.
    progress : Progress
    reason : str
        Why training stopped, or nothing if it goes on.

    Raises
    ------
    OSError
        If there is no space, for example.
    """
    tensors = {_BEST + name: tensor for name, tensor in progress.best.items()}
    if not reason:
        tensors |= {_NETWORK + name: tensor for name, tensor in network.state_dict().items()}
        for index, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{_OPTIMIZER}{index}/{name}"] = value
    notes = {
        "history": progress.history,
        "best_epoch": progress.best_epoch,
        "best_score": progress.best_score,
        "scaler": scaler.state_dict() if scaler is not None else {},
        "reason": reason,
    }
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    try:
        save_file(tensors, str(path), metadata={"progress": json.dumps(notes)})
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error


def load_checkpoint(
    path: Path, network: nn.Module, optimizer, scaler
) -> tuple[Progress, str] | None:
    """Restore a run.

    Returns
    -------
    progress : Progress
    reason : str
        Empty if training goes on. None instead of both if there is no state.

    Raises
    ------
    UnreadableStateError
        If there is one that cannot be read; nothing is restored then.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            notes = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        best = _part(tensors, _BEST)
        progress = Progress(notes["history"], best, notes["best_epoch"], notes["best_score"])
        of_scaler, reason = notes["scaler"], notes["reason"]
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise UnreadableStateError from error
    weights = best if reason else _part(tensors, _NETWORK)
    if not all(_fits(one, network.state_dict()) for one in (weights, best or weights)):
        raise UnreadableStateError
    network.load_state_dict(weights)
    if not reason:
        _restore_optimizer(optimizer, _part(tensors, _OPTIMIZER))
        if scaler is not None and of_scaler:
            scaler.load_state_dict(of_scaler)
    return progress, reason


def _fits(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return {name: tensor.shape for name, tensor in tensors.items()} == {
        name: tensor.shape for name, tensor in wanted.items()
    }


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)
    }


def _restore_optimizer(optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, kind = name.partition("/")
        state.setdefault(int(index), {})[kind] = tensor
    content = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": content["param_groups"]})


# --- its folder -----------------------------------------------------------------------------------


class RunFolder:
    """State of one run, under a name that its inputs and settings give.

    A folder that cannot be written costs the chance to resume, never the run: the first failure
    is said and training goes on. Of several processes the first one alone has a folder.

    Parameters
    ----------
    fingerprint : str
        The same for the same inputs, settings and machine only.
    info : callable
        Prints a line.
    """

    def __init__(self, fingerprint: str, info: Callable[[str], None]):
        self.path = runs_root() / f"{__version__}-{fingerprint[:32]}"
        self.info = info
        self._lock = None
        self.usable = distributed.rank() == 0
        self._tolerating(self._open)

    @property
    def state(self) -> Path:
        """The file of the last finished epoch; it may not exist."""
        return self.path / STATE

    def load(self, network: nn.Module, optimizer, scaler) -> tuple[Progress, str] | None:
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

        def work() -> None:
            temporary = self.path / f"{STATE}.tmp"
            try:
                write(temporary)
                _sync(temporary)
                temporary.replace(self.state)
            finally:
                temporary.unlink(missing_ok=True)
            _sync(self.path)

        self._tolerating(work)

    def attempt(self, write: Callable[[Path], None]) -> None:
        """Write something that is not needed for resuming, such as live TensorBoard events."""
        self._tolerating(lambda: write(self.path))

    def finish(self) -> None:
        """Mark the run as finished, keep what it gives, and let others use it."""

        def work() -> None:
            shutil.rmtree(self.path / EVENTS, ignore_errors=True)  # they are in the training log
            (self.path / FINISHED).touch()

        self._tolerating(work)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        clean_old_runs(self.path.parent, self.path)
        self._acquire()
        for leftover in self.path.iterdir():  # of a writer that was killed, whatever its names
            if leftover.name not in (STATE, LOCK, FINISHED, EVENTS):
                _delete(leftover)

    def _acquire(self) -> None:
        self._lock = (self.path / LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.info("The same command is running already: waiting for it, to use its result.")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not _is_at(self._lock, self.path / LOCK):  # another run has just cleaned up here
            self._lock.close()
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._acquire()

    def _tolerating(self, work: Callable[[], None]) -> None:
        if not self.usable:
            return
        try:
            work()
        except OSError as error:
            self.usable = False
            self.info(
                f"The state of the run cannot be saved ({error.strerror}): training goes on, but a "
                "killed run will start again. Set Q2_AAM_RUN_DIR to a folder with space to write."
            )


def _is_at(file, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean_old_runs(root: Path, current: Path) -> None:
    """Delete runs that were finished 7 days ago or abandoned 30 days ago, unless in use.

    A folder is looked at under its lock, which a live run holds. What vanishes meanwhile, as
    another start cleans up too, is no fault of this run.
    """
    for folder in root.iterdir():
        if folder == current or not (folder / LOCK).is_file():
            continue
        with contextlib.suppress(OSError), (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kind = "finished" if (folder / FINISHED).exists() else "unfinished"
            newest = max(path.stat().st_mtime for path in folder.iterdir())
            if time.time() - newest >= KEPT_DAYS[kind] * _DAY:
                shutil.rmtree(folder, ignore_errors=True)
