"""Random features: they let a linear reader follow curves, and store no training samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

_SEED = 0


class RandomFeatures(nn.Module):
    """Absolute values of fixed random projections, ``|x W| / sqrt(M)``.

    Ridge regression on the inputs x and on these features approaches, as M grows, kernel ridge
    regression with the arc-cosine kernel of order 1, that is an infinitely wide layer of rectified
    linear units. That kernel has no length scale to choose.

    W holds signs. It is a pure function of its shape, so that no model needs to store it.

    Parameters
    ----------
    inputs : int
        Width F of the inputs.
    number : int
        Features M.

    References
    ----------
    Rahimi and Recht 2007, "Random features for large-scale kernel machines"; Cho and Saul 2009,
    "Kernel methods for deep learning"; Achlioptas 2003 for projections by signs.
    """

    def __init__(self, inputs: int, number: int):
        super().__init__()
        signs = random_signs(inputs, number) / math.sqrt(number)
        self.register_buffer("projection", signs, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (B, F) into (B, M)."""
        return (inputs @ self.projection).abs()


def random_signs(rows: int, columns: int) -> Tensor:
    """Draw a matrix of -1 and 1, the same in every version of numpy and on every machine."""
    # the raw output of a bit generator is a promise of numpy (NEP 19), its distributions are not
    words = np.random.PCG64(_SEED).random_raw(math.ceil(rows * columns / 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=rows * columns)
    return torch.from_numpy(bits).view(rows, columns).float().mul_(2).sub_(1)
