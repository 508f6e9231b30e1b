"""How much memory a training step takes, found by taking one and forgetting it."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryExceededError(Exception):
    """A step takes more than the limit that it was given."""


class LiveTensors(TorchDispatchMode):
    """Count the bytes of the tensors that are made under it and are still in use.

    Every storage counts once, however many tensors see it, in the forward and in the backward
    pass. What an operation takes for itself alone does not count.

    Parameters
    ----------
    limit : float
        Bytes above which `MemoryExceededError` is raised.

    Attributes
    ----------
    bytes, peak : int
        Now, and the most so far.
    """

    def __init__(self, limit: float = float("inf")):
        super().__init__()
        self.limit = limit
        self.bytes = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run an operation and look at what it returns."""
        made = operation(*args, **kwargs or {})
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._watch(tensor.untyped_storage())
        if self.bytes > self.limit:
            raise MemoryExceededError
        return made

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.bytes -= size
