"""When memory runs out: what to lower, or how to go on in smaller pieces."""

from __future__ import annotations

import contextlib
import copy
import dataclasses

import torch

from ..config import TrainingConfig
from ..errors import AAMError, counted
from ..inference import device_of
from ..model.network import Network
from .free_memory import free_memory
from .step_memory import MemoryExceededError, richest_samples, step_bytes
from .steps import Task

_MEASURED_SHARE = 8  # of the samples of a step, as the whole step does not fit


def smaller_pieces(config: TrainingConfig) -> TrainingConfig:
    """Halve the batches and double how many make a step, so that steps stay what they are."""
    return dataclasses.replace(
        config,
        batch_size=-(-config.batch_size // 2),
        gradient_accumulation=2 * config.gradient_accumulation,
    )


def what_to_lower(network: Network, task: Task, config: TrainingConfig, autocast) -> AAMError:
    """Build the error for training that takes more memory than there is.

    Parameters
    ----------
    network : Network
    task : Task
    config : TrainingConfig
    autocast : callable
        Returns the context of the precision.
    """
    device = "the GPU" if device_of(network).type == "cuda" else "this machine"
    free = free_memory(device_of(network)) / 2**30
    step = counted(config.batch_size * config.gradient_accumulation, "sample")
    needed = estimated_bytes(network, task, config, autocast)
    estimate = f" takes about {needed / 2**30:.2g} GiB" if needed else " takes too much"
    model = network.config
    return AAMError(
        f"Training ran out of memory: a step of {step}{estimate}, and {device} has {free:.2g} GiB "
        "left for it.\n"
        f"Lower 'batch_size' (now {config.batch_size}) and raise 'gradient_accumulation' (now "
        f"{config.gradient_accumulation}) by as much: the result stays the same. Or let "
        "'batch_size' be 'auto'.\n"
        "If that is not enough, turn on 'gradient_checkpointing', or lower 'max_asvs' (now "
        f"{model.max_asvs:,}) or 'hidden_size' (now {model.hidden_size})."
    )


def estimated_bytes(network: Network, task: Task, config: TrainingConfig, autocast) -> int:
    """Estimate the memory of the largest step from a small part of its samples; 0 if unknown."""
    step = config.batch_size * config.gradient_accumulation
    study, samples = richest_samples(task, step)
    held = task.studies.studies[study].abundances
    for number in (max(1, len(samples) // _MEASURED_SHARE), 1):
        part = richest_samples(task, number)[1]
        share = len(set(held[samples].indices)) / len(set(held[part].indices))
        with contextlib.suppress(MemoryExceededError, MemoryError, RuntimeError):
            return int(share * step_bytes(network, task, config, study, part, autocast=autocast))
    return 0


class EpochStart:
    """What training needs to go back to where an epoch began.

    Parameters
    ----------
    network : Network
    optimiser : torch.optim.Optimizer
    scaler : torch.amp.GradScaler or None
        Of fp16.
    """

    def __init__(self, network: Network, optimiser, scaler):
        self._parts = [part for part in (network, optimiser, scaler) if part is not None]
        self._states = [copy.deepcopy(part.state_dict()) for part in self._parts]

    def restore(self) -> None:
        """Go back, and free what the failed step held."""
        for part, state in zip(self._parts, self._states, strict=True):
            part.load_state_dict(copy.deepcopy(state))
        for weight in self._parts[0].parameters():
            weight.grad = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
