"""The folder that keeps the state of a run, so that a killed run costs at most one epoch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .. import __version__

STATE, LOCK, FINISHED, EVENTS = "state.safetensors", "lock", "finished", "tensorboard"
_DAY = 24 * 3600
KEPT_DAYS = {"finished": 7, "unfinished": 30}


def runs_root() -> Path:
    """Return the folder of all runs: ``$Q2_AAM_RUN_DIR``, else one in the user's cache."""
    chosen = os.environ.get("Q2_AAM_RUN_DIR")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "q2-aam" / "runs"


class RunFolder:
    """State of one run, under a name that its inputs and settings give.

    A folder that cannot be written costs the chance to resume, never the run: the first failure
    is said and training goes on.

    Parameters
    ----------
    fingerprint : str
        The same for the same inputs, settings and machine only.
    say : callable
        Prints a line.
    """

    def __init__(self, fingerprint: str, say: Callable[[str], None]):
        self.path = runs_root() / f"{__version__}-{fingerprint[:32]}"
        self.say = say
        self._lock = None
        self._usable = True
        self._tolerating(self._open)

    @property
    def state(self) -> Path:
        """The file of the last finished epoch; it may not exist."""
        return self.path / STATE

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
        """Mark the run as finished and let others use it."""
        self._tolerating((self.path / FINISHED).touch)
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
            self.say("The same command is running already: waiting for it, to use its result.")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not _is_at(self._lock, self.path / LOCK):  # another run has just cleaned up here
            self._lock.close()
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._acquire()

    def _tolerating(self, work: Callable[[], None]) -> None:
        if not self._usable:
            return
        try:
            work()
        except OSError as error:
            self._usable = False
            self.say(
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
    """Delete runs that were finished 7 days ago or abandoned 30 days ago, unless in use."""
    for folder in root.iterdir():
        if folder == current or not (folder / LOCK).is_file():
            continue
        kind = "finished" if (folder / FINISHED).exists() else "unfinished"
        newest = max(path.stat().st_mtime for path in folder.iterdir())
        if time.time() - newest < KEPT_DAYS[kind] * _DAY:
            continue
        with (folder / LOCK).open("a") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
