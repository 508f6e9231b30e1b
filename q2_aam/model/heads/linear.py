"""Linear heads, ridge and logistic regression, and the random features that they may read."""

import math

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.nn import functional

_SEED = 0
_ROTATIONS, _SMALLEST = 3, 256  # of shorter runs, signs give few directions


class LinearHead(nn.Module):
    """Weights that training solves for: of F features in blocks, and of M random ones of them."""

    def __init__(self, blocks: dict[str, int], outputs: int, random_features: int = 0):
        super().__init__()
        self.blocks = blocks
        for name, features in blocks.items():
            self.register_buffer(name, torch.zeros(outputs, features))
        self.register_buffer("intercept", torch.zeros(outputs))
        self.random_features = None
        if random_features:
            self.random_features = RandomFeatures(sum(blocks.values()), random_features)
            self.register_buffer("random", torch.zeros(outputs, random_features))

    def inputs(self, scaled: Tensor) -> Tensor:
        """Add random features to scaled ones: (B, F) to (B, F + M)."""
        if self.random_features is None:
            return scaled
        return torch.cat([scaled, self.random_features(scaled)], dim=1)

    def drop_random_features(self) -> None:
        """Take the random features away."""
        self.random_features = None
        del self.random

    def forward(self, scaled: Tensor) -> Tensor:
        """Read scaled features (B, F): (B, R)."""
        weights = torch.cat(self._weights(), dim=1)
        return self.inputs(scaled) @ weights.T + self.intercept

    def set_weights(self, weights: Tensor, intercept: Tensor) -> None:
        """Set the weights of what `inputs` returns, (R, F + M), and the constants, (R,)."""
        own = self._weights()
        for part, found in zip(own, weights.split([one.shape[1] for one in own], 1), strict=True):
            part.copy_(found)
        self.intercept.copy_(intercept)

    @property
    def size(self) -> int:
        """How many numbers it reads of a sample, F + M."""
        return sum(one.shape[1] for one in self._weights())

    def _weights(self) -> list[Tensor]:
        random = [] if self.random_features is None else [self.random]
        return [*(getattr(self, name) for name in self.blocks), *random]


def class_fractions(raw: Tensor) -> Tensor:
    """Turn (B, C), which sum to 1 but may be below 0 or above 1, into class probabilities."""
    positive = raw.clamp_min(0)
    return positive / positive.sum(dim=1, keepdim=True).clamp_min(1e-12)


class RandomFeatures(nn.Module):
    """Absolute values of fixed random projections, ``|x W| / sqrt(M)``.

    Ridge regression on the inputs x and on these features approaches, as M grows, kernel ridge
    regression with the arc-cosine kernel of order 1, that is an infinitely wide layer of rectified
    linear units. It has no length scale to choose, and no training sample is stored.

    W is about normal, and its columns are orthogonal in runs of P, a power of 2 that is at least F:
    they come nearer to the kernel than independent ones. It is a product of signs and
    Walsh-Hadamard transforms, and a pure function of its shape, so that no model stores it. See
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
    """Multiply (..., P), P a power of 2, by the Hadamard matrix of +1 and -1.

    It is the Kronecker product of two small ones, so that P is a matrix of rows and columns.
    """
    rows = 1 << (values.shape[-1].bit_length() - 1) // 2
    of_rows, of_columns = _hadamard(rows, values), _hadamard(values.shape[-1] // rows, values)
    matrix = values.reshape(*values.shape[:-1], rows, -1)
    return (of_rows @ (matrix @ of_columns)).view(values.shape)


def _hadamard(size: int, like: Tensor) -> Tensor:
    return torch.from_numpy(scipy.linalg.hadamard(size, np.float32)).to(like)


def random_signs(rows: int, columns: int) -> Tensor:
    """Draw a matrix of -1 and 1, the same in every version of numpy and on every machine."""
    # the raw output of a bit generator is a promise of numpy (NEP 19), its distributions are not
    words = np.random.PCG64(_SEED).random_raw(math.ceil(rows * columns / 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=rows * columns)
    return torch.from_numpy(bits).view(rows, columns).float().mul_(2).sub_(1)
