"""The batch size, where it is left to us: a rule on the samples, then the memory there is."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

from ..config import AUTO, TrainingConfig
from ..errors import counted
from ..inference import device_of
from ..model.network import Network
from .free_memory import free_memory
from .step_memory import MemoryExceededError, richest_samples, step_bytes
from .steps import Task

LEAST, MOST, STEPS = 8, 256, 10


def settle_batch_size(
    network: Network,
    task: Task,
    config: TrainingConfig,
    autocast: Callable[[], contextlib.AbstractContextManager],
    journal,
) -> TrainingConfig:
    """Replace a batch size of ``auto`` by a number, and tell the journal why it is that.

    The number follows from the samples, the model and the memory, never from a timing.

    Parameters
    ----------
    network : Network
        As it will be trained; it is left as it is.
    task : Task
    config : TrainingConfig
    autocast : callable
        Returns the context of the precision.
    journal : Journal
    """
    if config.batch_size != AUTO:
        return config
    samples = max(len(part) for part in task.training)
    total = sum(len(part) for part in task.training)
    wanted = size = wanted_batch_size(samples, total, config.gradient_accumulation)
    free = free_memory(device_of(network))
    fits = _fits(network, task, config, size, free, autocast)
    while not fits and size > 1:
        size //= 2
        fits = _fits(network, task, config, size, free, autocast)
    why = f"about {STEPS} steps in each epoch of {counted(total, 'sample')}, but {LEAST} to {MOST}"
    if not fits:
        why = f"even this may not fit into {free / 2**30:.2g} GiB of memory"
    elif size < wanted:
        why = f"a step of more does not fit into {free / 2**30:.2g} GiB of memory"
    journal.chose("batch_size", size, "automatic", why)
    return dataclasses.replace(config, batch_size=size)


def wanted_batch_size(largest_study: int, samples: int, pieces: int = 1) -> int:
    """Return the power of two that leaves about ten steps an epoch, within bounds.

    Parameters
    ----------
    largest_study : int
        Training samples of the largest study; a batch holds one study only.
    samples : int
        Training samples of all studies.
    pieces : int
        Batches that make a step.
    """
    most = max(1, samples // (STEPS * pieces))
    power = 2 ** (most.bit_length() - 1)
    return min(max(LEAST, min(MOST, power)), largest_study)


def _fits(network, task: Task, config: TrainingConfig, size: int, free: int, autocast) -> bool:
    study, samples = richest_samples(task, size * config.gradient_accumulation)
    try:
        step_bytes(network, task, config, study, samples, free, autocast)
    except MemoryExceededError:
        return False
    return True
