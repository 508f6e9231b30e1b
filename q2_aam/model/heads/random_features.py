"""Random features: they let a linear reader follow curves, and store no training samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_SEED = 0
_ROTATIONS, _SMALLEST = 3, 256  # of shorter runs, signs give few directions


class RandomFeatures(nn.Module):
    """Absolute values of fixed random projections, ``|x W| / sqrt(M)``.

    Ridge regression on the inputs x and on these features approaches, as M grows, kernel ridge
    regression with the arc-cosine kernel of order 1, that is an infinitely wide layer of rectified
    linear units. That kernel has no length scale to choose.

    W is about normal, and its columns are orthogonal in runs of P, a power of 2 that is at least F:
    such features come nearer to the kernel than independent ones. It is a product of signs and
    Walsh-Hadamard transforms, which takes P log P steps instead of F M, and a pure function of
    its shape, so that no model needs to store it.

    Parameters
    ----------
    inputs : int
        Width F of the inputs.
    number : int
        Features M.

    References
    ----------
    Rahimi and Recht 2007, "Random features for large-scale kernel machines"; Cho and Saul 2009,
    "Kernel methods for deep learning"; Yu, Suresh, Choromanski, Holtmann-Rice and Kumar 2016,
    "Orthogonal random features".
    """

    def __init__(self, inputs: int, number: int):
        super().__init__()
        self.number, self.size = number, 1 << (max(inputs, _SMALLEST) - 1).bit_length()
        runs = math.ceil(number / self.size)
        signs = random_signs(runs * _ROTATIONS, self.size).view(runs, _ROTATIONS, self.size)
        self.register_buffer("signs", signs, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (B, F) into (B, M)."""
        turned = functional.pad(inputs, (0, self.size - inputs.shape[1]))[:, None]  # (B, 1, P)
        for signs in self.signs.unbind(dim=1):
            turned = walsh_hadamard(turned * signs) / math.sqrt(self.size)
        features = turned.abs().flatten(1)[:, : self.number]
        return features * math.sqrt(self.size / self.number)


def walsh_hadamard(values: Tensor) -> Tensor:
    """Multiply (..., P), P a power of 2, by the Hadamard matrix of +1 and -1."""
    shape, half = values.shape, 1
    while half < shape[-1]:
        left, right = values.view(*shape[:-1], -1, 2, half).unbind(dim=-2)
        values = torch.stack([left + right, left - right], dim=-2).view(shape)
        half *= 2
    return values


def random_signs(rows: int, columns: int) -> Tensor:
    """Draw a matrix of -1 and 1, the same in every version of numpy and on every machine."""
    # the raw output of a bit generator is a promise of numpy (NEP 19), its distributions are not
    words = np.random.PCG64(_SEED).random_raw(math.ceil(rows * columns / 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=rows * columns)
    return torch.from_numpy(bits).view(rows, columns).float().mul_(2).sub_(1)
