"""Device, precision, kernels of attention, and memory: fixed rules, never a timing."""

import contextlib
import dataclasses
import gc
from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils.memory import should_reduce_batch_size
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..config.training import AUTO, TrainingConfig
from ..errors import AAMError, counted
from ..model.network import Network
from . import distributed

_KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION, "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}  # fmt: skip
LEAST, MOST, STEPS = 8, 256, 10  # samples of an automatic batch, and steps of an epoch
_WORDS = ("not enough memory", "out of memory")  # beside those that Accelerate knows
# of oneDNN, and of Python where a thread's stack does not fit; longer messages mean something else
_WHOLE_MESSAGES = ("could not create a primitive", "can't start new thread")


def choose_device(device: str) -> tuple[str, str]:
    """Turn ``auto`` into a device; return it and why. AAMError if there is no GPU."""
    if device == "gpu" and not torch.cuda.is_available():
        raise AAMError(
            "A GPU was asked for, but PyTorch finds none on this machine. Set 'device' to 'auto' "
            "or 'cpu', or install a PyTorch build for your GPU."
        )
    if device != "auto":
        return device, "asked for"
    if torch.cuda.is_available():
        return "gpu", "PyTorch finds a GPU"
    return "cpu", "PyTorch finds no GPU"


def choose_precision(precision: str, device: str) -> tuple[str, str]:
    """Turn ``auto`` into a precision; return it and why. Raises AAMError for fp16 on a CPU."""
    if precision == "fp16" and device == "cpu":
        raise AAMError(
            "Half precision 'fp16' needs a GPU. Set 'precision' to 'auto', 'fp32' or 'bf16'."
        )
    if precision != "auto":
        return precision, "asked for"
    if device == "gpu" and torch.cuda.is_bf16_supported():
        return "bf16", "the GPU computes in bf16"
    return "fp32", "fp32 on a CPU" if device == "cpu" else "the GPU has no bf16"


def build_accelerator(device: str, precision: str, threads: int) -> Accelerator:
    """Build Accelerate's driver; 0 threads leave PyTorch's number."""
    if threads:
        torch.set_num_threads(threads)
    distributed.start(device)
    AcceleratorState._reset_state()  # global, and of an earlier action
    PartialState._reset_state()
    if hasattr(torch.backends.cuda, "enable_cudnn_sdp"):
        # it plans every new shape on the host: a fifth of the speed, with reads of many lengths
        torch.backends.cuda.enable_cudnn_sdp(False)
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(cpu=device == "cpu", mixed_precision=mixed)


def attention_kernel(attention: str) -> contextlib.AbstractContextManager:
    """Prefer a kernel of scaled dot-product attention; ``sdpa`` leaves the choice to PyTorch.

    The plain computation stays allowed: no kernel serves every device, precision and mask.
    """
    if attention == "sdpa":
        return contextlib.nullcontext()
    return sdpa_kernel(list({_KERNELS[attention], SDPBackend.MATH}))


def compile_encoder(network: Network, info: Callable[[str], None]) -> None:
    """Compile the blocks of the ASV encoder in place; where that fails, say so and leave it."""
    encoder = network.asv_encoder
    width = 1 + network.config.max_sequence_length
    tokens = torch.ones(2, width, dtype=torch.uint8, device=network.asv_mean.device)
    for block in encoder.blocks:  # they share what one compiles to
        block.compile(dynamic=True)  # lengths and numbers of ASVs vary
    try:
        with torch.no_grad():
            encoder(tokens, padded=False)
    except Exception as error:  # the compiler's errors have no common base
        for block in encoder.blocks:
            block._compiled_call_impl = None
        info(f"The encoder cannot be compiled here ({type(error).__name__}): it runs uncompiled.")


def find_batch_size(sizes: list[int], config: TrainingConfig, logger) -> TrainingConfig:
    """Replace a batch size of ``auto`` by the power of two that leaves about ten steps an epoch."""
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

    Accelerate's `find_executable_batch_size` takes off a tenth, by which steps would change.
    AAMError if one sample at a time, or the batch size that the user chose, is too much.
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
