"""How many samples a step takes, and what happens when memory runs out."""

import dataclasses
import gc

import torch
from accelerate.utils.memory import should_reduce_batch_size

from ..config import AUTO, TrainingConfig
from ..errors import AAMError, counted
from . import distributed

LEAST, MOST, STEPS = 8, 256, 10
_WORDS = ("not enough memory", "out of memory")
# of oneDNN, and of Python where a thread's stack does not fit; longer messages mean something else
_WHOLE_MESSAGES = ("could not create a primitive", "can't start new thread")


def find_batch_size(sizes: list[int], config: TrainingConfig, logger) -> TrainingConfig:
    """Replace a batch size of ``auto`` by the power of two that leaves about ten steps an epoch.

    A batch holds samples of one study only; `sizes` are the samples of each.
    """
    if config.batch_size != AUTO:
        return config
    total = sum(sizes)
    most = max(1, total // (STEPS * config.gradient_accumulation))
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


def halve(config: TrainingConfig, automatic: bool, info) -> TrainingConfig:
    """Free what a failed step held; halve its batches, of which twice as many make one step.

    Accelerate's `find_executable_batch_size` takes off a tenth, by which steps would change. What
    it knows of errors is asked in `is_out_of_memory`. Raises AAMError if one sample at a time, or
    the batch size that the user chose, is too much.
    """
    gc.collect()  # the traceback no longer holds the step's tensors, but cycles may
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    size, chunks = config.batch_size, config.gradient_accumulation
    # other processes wait for this one within the step, which cannot be begun again
    if not automatic or size == 1 or distributed.size() > 1:
        raise AAMError(
            f"Training ran out of memory in a step of {counted(size * chunks, 'sample')}.\n"
            f"Lower 'batch_size' (now {size}) and raise 'gradient_accumulation' (now {chunks}) by "
            "as much: the result stays the same. Or let 'batch_size' be 'auto'.\nIf that is not "
            "enough, turn on 'gradient_checkpointing', or lower 'max_asvs' or 'hidden_size'."
        )
    size, chunks = -(-size // 2), 2 * chunks
    info(
        f"Memory ran out: the epoch starts again with a batch_size of {size} and a "
        f"gradient_accumulation of {chunks}, which is the same step in smaller chunks."
    )
    return dataclasses.replace(config, batch_size=size, gradient_accumulation=chunks)
