"""How much memory there is for training."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil
import torch

_USED = {"cpu": 0.8, "cuda": 0.9}  # the rest is for what no measurement sees
_UNLIMITED = 2**60  # how older kernels write that there is no limit


def free_memory(device: torch.device) -> int:
    """Return the bytes that a training step may take on a device, with a margin.

    On a CPU this is what the operating system can give without swapping, or what the limit of a
    container, a cluster's job or a shell (``ulimit -v``) leaves, if that is less.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + unused
    else:
        taken = psutil.Process().memory_info()
        limits = (group_limit() - taken.rss, address_limit() - taken.vms)
        free = min(psutil.virtual_memory().available, *limits)
    return max(0, int(_USED[device.type] * free))


def address_limit() -> float:
    """Return how many bytes of addresses this process may have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def group_limit(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> float:
    """Return the lowest memory limit of the control groups that this process is in.

    Parameters
    ----------
    groups, root : Path
        Where Linux tells them; elsewhere there is no limit.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return float("inf")
    limits = [float("inf")]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        folder = base / path.strip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(base):
                limits.append(_read_limit(place / name))
    return min(limits)


def _read_limit(path: Path) -> float:
    try:
        text = path.read_text().strip()
    except OSError:
        return float("inf")
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else float("inf")
