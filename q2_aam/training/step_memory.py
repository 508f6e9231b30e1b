"""How much memory a training step takes, found by taking one and forgetting it."""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..config import TrainingConfig
from ..inference import device_of
from ..model.network import Network
from .optimiser import build_optimiser
from .steps import Task, batch_losses

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")
# of oneDNN, and of Python where a thread's stack does not fit; longer messages mean something else
_WHOLE_MESSAGES = ("could not create a primitive", "can't start new thread")


class MemoryExceededError(Exception):
    """A step takes more than the limit that it was given."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory has run out, on a GPU, in PyTorch on a CPU, or anywhere else."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    message = str(error).strip()
    said = message in _WHOLE_MESSAGES or any(word in message for word in _WORDS)
    return isinstance(error, RuntimeError) and said


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


def step_bytes(
    network: Network,
    task: Task,
    config: TrainingConfig,
    study: int,
    samples: np.ndarray,
    limit: float = float("inf"),
    autocast: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> int:
    """Measure the memory of a real step: weights, gradients, optimiser state and activations.

    The step is that of a copy: network, optimiser and random numbers stay as they were.

    Parameters
    ----------
    network : Network
    task : Task
    config : TrainingConfig
        Its `gradient_accumulation` says in how many pieces the samples are embedded.
    study : int
    samples : ndarray of int64
        Positions in the study.
    limit : float
        Bytes at which to stop.
    autocast : callable
        Returns the context of the precision to measure in.

    Returns
    -------
    int

    Raises
    ------
    MemoryExceededError
        If the step takes more than `limit`, or more than there is.
    """

    def take_step() -> None:
        copied = copy.deepcopy(network).train()
        optimiser = build_optimiser(copied, config)
        embedded = None
        if config.freeze_encoder:  # sizes count, not values
            embedded = copied.asv_mean.new_zeros(len(task.studies.asvs), len(copied.asv_mean))
        with autocast():
            pieces = config.gradient_accumulation
            found = batch_losses(copied, task, study, samples, embedded, pieces)
        found["loss"].backward()
        optimiser.step()

    device = device_of(network)
    if device.type == "cuda":
        return _measured_on_gpu(take_step, device, limit)
    try:
        with torch.random.fork_rng(devices=()), LiveTensors(limit) as live:
            take_step()
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryExceededError from error
        raise
    return live.peak


def _measured_on_gpu(take_step: Callable[[], None], device: torch.device, limit: float) -> int:
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.random.fork_rng(devices=(device,)):
        try:
            take_step()
            fits = True
        except torch.cuda.OutOfMemoryError:
            fits = False
    needed = torch.cuda.max_memory_allocated(device) - before
    torch.cuda.empty_cache()
    if not fits or needed > limit:
        raise MemoryExceededError
    return needed


def richest_samples(task: Task, number: int) -> tuple[int, np.ndarray]:
    """Find the training samples of one study that make the largest batch.

    Returns
    -------
    study : int
    samples : ndarray of int64
        Up to `number`, those with the most ASVs.
    """
    largest = (-1, 0, np.arange(0))
    for study, samples in enumerate(task.training):
        held = np.diff(task.studies.studies[study].abundances.indptr)[samples]
        chosen = np.argsort(-held, kind="stable")[:number]
        if len(chosen) and held[chosen].sum() > largest[0]:
            largest = (int(held[chosen].sum()), study, np.sort(samples[chosen]))
    return largest[1:]
