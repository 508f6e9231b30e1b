"""How abundance enters: by logarithms that tell a little from nothing, and much from more."""

from __future__ import annotations

import torch
from torch import Tensor

_LARGEST = 9.210440366976517  # log(1 + 1e4), a sample of one branch


def log_abundance(fraction: Tensor) -> Tensor:
    """Turn relative abundances into ``log(1 + 1e4 f)``, scaled to [0, 1]."""
    return torch.log1p(1e4 * fraction) / _LARGEST


def sharper_log(logarithms: Tensor) -> Tensor:
    """Turn what `log_abundance` gave into ``log(1 + 1e6 f)``: more between none and the least."""
    return torch.log1p(100 * torch.expm1(_LARGEST * logarithms))
