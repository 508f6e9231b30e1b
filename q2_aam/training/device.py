"""Device, precision and attention kernels: fixed rules, never a timing."""

import contextlib
from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..errors import AAMError
from ..model.network import Network
from . import distributed

_KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def choose_device(device: str) -> tuple[str, str]:
    """Turn ``auto`` into a device; return it and why. Raises AAMError if there is no GPU."""
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
    """Build Accelerate's driver; 0 threads leave PyTorch's number.

    Its state is global, so that of an earlier action is dropped.
    """
    if threads:
        torch.set_num_threads(threads)
    distributed.start(device)
    AcceleratorState._reset_state()
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
    """Compile the blocks of the ASV encoder in place; its weights keep their names.

    Where compiling fails (no C++ compiler, an unsupported device), it is said and the encoder
    stays as it was.
    """
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
