"""See through Python's audit events what a piece of code starts, unpickles and writes."""

import contextlib
import os
import sys
from pathlib import Path

_STARTS = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen",
    "pickle.find_class", "socket.connect", "code.__new__",
)  # fmt: skip
_APPEARS = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_seen: list[tuple[str, str]] | None = None
_allowed: tuple[str, ...] = ()


def _outside(path) -> bool:
    if isinstance(path, int) or path is None:
        return False
    whole = os.path.realpath(os.fsdecode(path))
    return not whole.startswith(_allowed)


def _hook(event: str, arguments: tuple) -> None:
    if _seen is None:
        return
    if event in _STARTS or event in _APPEARS and _outside(arguments[_APPEARS[event]]):
        _seen.append((event, str(arguments)[:200]))
    elif event == "open":
        path, mode, flags = arguments
        writes = set(mode or "") & set("wax+") or (isinstance(flags, int) and flags & _WRITING)
        if writes and _outside(path):
            _seen.append((event, str(path)))


sys.addaudithook(_hook)


@contextlib.contextmanager
def watched(*allowed: Path):
    """Collect what is started, and what is written outside of some folders: event and subject."""
    global _seen, _allowed
    _allowed = (*(os.path.realpath(folder) + os.sep for folder in allowed), "/dev/null")
    _seen = found = []
    try:
        yield found
    finally:
        _seen = None
