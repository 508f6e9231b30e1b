"""One run over several processes, as torchrun starts them; alone, everything here does nothing.

Each embeds its share of a step's samples. Embeddings are gathered with their gradients, so that all
pairs count and every process has the same loss; then gradients are averaged. Accelerate finds the
process group that is made here and puts each process on its device.
"""

import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import AAMError, counted

_VARIABLES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
# A process that is killed closes its connections, which the others notice at once. This is for one
# that hangs, and must be longer than what one process does alone: writing a state.
PATIENCE = timedelta(seconds=50)
FIRST_PATIENCE = timedelta(minutes=10)  # until all have read their inputs
_group = None  # of all processes, with `PATIENCE`


def start(device: str) -> None:
    """Join the other processes; raise AAMError if they cannot be reached or differ in device."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes < 2 or dist.is_initialized():
        return
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if missing:
        raise AAMError(
            f"WORLD_SIZE is {processes}, but {', '.join(missing)} is not set: the processes "
            "cannot find each other. Start them by torchrun, or unset WORLD_SIZE."
        )
    here = int(os.environ["LOCAL_RANK"])
    if device == "gpu" and here >= torch.cuda.device_count():
        raise AAMError(
            f"Process {here + 1} of this machine has no GPU of its own: PyTorch finds "
            f"{counted(torch.cuda.device_count(), 'GPU')}. Start one process for each GPU "
            "(--nproc-per-node), or set 'device' to 'cpu'."
        )
    backend = "cpu:gloo,cuda:nccl" if device == "gpu" else "gloo"
    _together(lambda: dist.init_process_group(backend, timeout=FIRST_PATIENCE))
    require_equal(device.encode(), "device (a machine without the GPU that the others have?)")
    global _group
    _group = dist.new_group(timeout=PATIENCE)


def size() -> int:
    """Count the processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number this process; the first, 0, prints, writes and returns."""
    return dist.get_rank() if dist.is_initialized() else 0


def own_part(values: np.ndarray) -> np.ndarray:
    """Return this process's share; one without any takes part with the first value all the same."""
    own = np.array_split(values, size())[rank()]
    return own if len(own) else values[:1]


def gather_rows(own: Tensor, rows: int) -> Tensor:
    """Join what was computed of each process's part (see `own_part`), with gradients: (rows, …)."""
    if size() == 1:
        return own
    lengths = [len(part) for part in np.array_split(np.arange(rows), size())]
    return _GatherRows.apply(own[: lengths[rank()]], lengths)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(context, own: Tensor, lengths: list[int]) -> Tensor:
        context.lengths = lengths
        padded = own.new_zeros(max(lengths), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in lengths]
        _together(lambda: dist.all_gather(parts, padded, _group))
        return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        # every process has the whole loss: the sum over processes is undone by their average
        gradient = gradient.contiguous()
        _together(lambda: dist.all_reduce(gradient, group=_group))
        return gradient.split(context.lengths)[rank()], None


def average_gradients(weights: Iterable[Tensor]) -> None:
    """Average the gradients of all processes, in one message."""
    if size() == 1:
        return
    # those that no loss reads have none, in any process, and must not be decayed
    weights = [weight for weight in weights if weight.grad is not None]
    flat = torch.cat([weight.grad.flatten() for weight in weights]) / size()
    _together(lambda: dist.all_reduce(flat, group=_group))
    parts = flat.split([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad.copy_(part.view_as(weight))


def from_first(tensors: Iterable[Tensor]) -> None:
    """Give every process the values that the first one has, in place."""
    if size() > 1:
        for tensor in tensors:
            _together(lambda tensor=tensor: dist.broadcast(tensor, 0, _group))


def numbers_of_first(row: dict[str, float]) -> dict[str, float]:
    """Return the first process's numbers: what is decided from them must be the same everywhere."""
    if size() == 1:
        return row
    numbers = torch.tensor(list(row.values()), dtype=torch.float64)
    from_first([numbers])
    both = zip(row.items(), numbers.tolist(), strict=True)
    return {name: type(value)(number) for (name, value), number in both}


def send_file(path: Path, own_copy: Path) -> Path:
    """Give every process the first one's file, if there is one; return where it lies."""
    if size() == 1:
        return path
    content = path.read_bytes() if rank() == 0 and path.is_file() else b""
    length = torch.tensor([len(content)])
    from_first([length])
    sent = torch.zeros(int(length), dtype=torch.uint8)
    if content:
        sent = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    if len(sent):
        from_first([sent])
    if rank() == 0:
        return path
    if len(sent):
        own_copy.write_bytes(sent.numpy().tobytes())
    return own_copy


def require_equal(text: bytes, what: str) -> None:
    """Refuse processes that differ in something, such as a digest of at most 64 bytes."""
    if size() == 1:
        return
    own = torch.zeros(64, dtype=torch.uint8)
    own[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    parts = [torch.empty_like(own) for _ in range(size())]
    _together(lambda: dist.all_gather(parts, own, _group))
    others = [number for number, part in enumerate(parts) if not torch.equal(part, parts[0])]
    if others:
        raise AAMError(
            f"{counted(len(others), 'process', 'processes')} of {size()} started with another "
            f"{what} than the first, such as process {others[0]}. Give every process the same "
            "command, the same files and the same version of q2-aam."
        )


def leave() -> None:
    """End every process but the first, which goes on alone: QIIME 2 stores what it returns.

    `SystemExit` passes through QIIME 2, which catches errors only: the others store nothing.
    """
    if size() == 1:
        return
    _together(lambda: dist.barrier(_group))
    number = rank()
    dist.destroy_process_group()
    if number:
        sys.exit(0)


def _together(communicate: Callable) -> None:
    """Wait for the other processes, and say plainly if one does not answer."""
    try:
        communicate()
    except RuntimeError as error:
        raise AAMError(
            "Another process of this run has ended or does not answer: see its own message. The "
            "same command resumes after the last finished epoch."
        ) from error
