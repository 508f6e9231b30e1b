"""Device, precision and threads: fixed rules, never a timing."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from ..errors import AAMError


def choose_device(device: str) -> tuple[str, str]:
    """Turn ``auto`` into a device.

    Returns
    -------
    device, reason : str

    Raises
    ------
    AAMError
        If a GPU is asked for and there is none.
    """
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
    """Turn ``auto`` into a precision: bf16 on GPUs that have it, else fp32.

    Returns
    -------
    precision, reason : str

    Raises
    ------
    AAMError
        If fp16 is asked for on a CPU.
    """
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
    """Build Accelerate's driver; its state is global, so an earlier action's is dropped.

    Parameters
    ----------
    device : str
        ``cpu`` or ``gpu``.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.
    threads : int
        CPU threads; 0 leaves PyTorch's number.
    """
    if threads:
        torch.set_num_threads(threads)
    AcceleratorState._reset_state()
    PartialState._reset_state()
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(cpu=device == "cpu", mixed_precision=mixed)
