"""How many samples a step takes, and what happens when memory runs out."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable

import torch
from accelerate.utils.memory import should_reduce_batch_size

from ..config import AUTO, TrainingConfig
from ..errors import AAMError, counted
from . import distributed

LEAST, MOST, STEPS = 8, 256, 10
_WORDS = ("can't allocate memory", "not enough memory", "out of memory")
# of oneDNN, and of Python where a thread's stack does not fit; longer messages mean something else
_WHOLE_MESSAGES = ("could not create a primitive", "can't start new thread")


def find_batch_size(sizes: list[int], config: TrainingConfig, logger) -> TrainingConfig:
    """Replace a batch size of ``auto`` by the power of two that leaves about ten steps an epoch.

    Parameters
    ----------
    sizes : list of int
        Samples of each study; a batch holds one study only.
    config : TrainingConfig
    logger : TrainingLogger
        Is told the number and why it is that.
    """
    if config.batch_size != AUTO:
        return config
    total, chunks = sum(sizes), config.gradient_accumulation
    most = max(1, total // (STEPS * chunks))
    size = min(max(LEAST, min(MOST, 2 ** (most.bit_length() - 1))), max(sizes))
    samples = counted(total, "sample")
    why = f"about {STEPS} steps in each epoch of {samples}, but {LEAST} to {MOST}"
    logger.log_param("batch_size", size, "automatic", why)
    return dataclasses.replace(config, batch_size=size)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory has run out, on a GPU, in PyTorch on a CPU, or anywhere else."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    message = str(error).strip()
    known = message in _WHOLE_MESSAGES or any(word in message for word in _WORDS)
    return isinstance(error, RuntimeError) and (known or should_reduce_batch_size(error))


def halving(
    config: TrainingConfig, attempt: Callable[[TrainingConfig], object], automatic: bool, info
) -> tuple[object, TrainingConfig]:
    """Try; where memory runs out and the batch size is ours, try again in smaller chunks.

    Steps stay what they are: batches are halved and twice as many make one. (Accelerate's
    `find_executable_batch_size` takes off a tenth, by which steps would change; what it knows of
    errors is asked here.)

    Parameters
    ----------
    config : TrainingConfig
    attempt : callable
        Called with a config until it succeeds; it undoes what a failed call did.
    automatic : bool
    info : callable
        Prints a line.

    Returns
    -------
    result
        Of `attempt`.
    config : TrainingConfig
        With which it succeeded.

    Raises
    ------
    AAMError
        If one sample at a time, or the batch size that the user chose, is too much.
    """
    while True:
        try:
            return attempt(config), config
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # only here, when the failed step's tensors are no longer held by its traceback, but may be
        # by cycles
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        # other processes wait for this one within the step, which cannot be begun again
        if not automatic or config.batch_size == 1 or distributed.size() > 1:
            raise what_to_lower(config)
        config = dataclasses.replace(
            config,
            batch_size=-(-config.batch_size // 2),
            gradient_accumulation=2 * config.gradient_accumulation,
        )
        info(
            "Memory ran out: the epoch starts again with a batch_size of "
            f"{config.batch_size} and a gradient_accumulation of {config.gradient_accumulation}, "
            "which is the same step in smaller chunks."
        )


def what_to_lower(config: TrainingConfig) -> AAMError:
    """Build the error for training that takes more memory than there is."""
    step = counted(config.batch_size * config.gradient_accumulation, "sample")
    return AAMError(
        f"Training ran out of memory in a step of {step}.\n"
        f"Lower 'batch_size' (now {config.batch_size}) and raise 'gradient_accumulation' (now "
        f"{config.gradient_accumulation}) by as much: the result stays the same. Or let "
        "'batch_size' be 'auto'.\nIf that is not enough, turn on 'gradient_checkpointing', or "
        "lower 'max_asvs' or 'hidden_size'."
    )
