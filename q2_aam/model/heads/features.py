"""What heads see of samples: blocks of features, each scaled as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

_LARGEST = 9.210440366976517  # log(1 + 1e4), a sample of one branch


def log_abundance(fraction: Tensor) -> Tensor:
    """Turn relative abundances into ``log(1 + 1e4 f)``, scaled to [0, 1]."""
    return torch.log1p(1e4 * fraction) / _LARGEST


def sharper_log(logarithms: Tensor) -> Tensor:
    """Turn what `log_abundance` gave into ``log(1 + 1e6 f)``: more between none and the least."""
    return torch.log1p(100 * torch.expm1(_LARGEST * logarithms))


class TargetFeatures(NamedTuple):
    """Blocks of features of B samples."""

    vocabulary: Tensor  # (B, N): log abundances of the ASVs of the model's vocabulary
    branches: Tensor  # (B, K): of the learned branches
    clades: Tensor | None = None  # (B, C): of clades of the vocabulary; format version 1 only
    covariates: Tensor | None = None  # (B, P): as `q2_aam.data.covariates` writes them
    branch_presence: Tensor | None = None  # (B, K): probability that a sample holds each branch

    @property
    def presence(self) -> Tensor:
        """Which ASVs of the vocabulary a sample holds: (B, N) of 0 and 1."""
        return (self.vocabulary > 0).to(self.vocabulary.dtype)


class BlockScaling(nn.Module):
    """Center features and divide them by one number, so that a block of them has variance 1.

    Blocks of different size then weigh alike under one penalty.
    """

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(1))

    def forward(self, block: Tensor) -> Tensor:
        """Scale (B, features)."""
        return (block - self.mean) / self.scale


class Scaling(nn.ModuleDict):
    """The scaling of every block that a head reads."""

    def __init__(self, blocks: dict[str, int]):
        super().__init__({name: BlockScaling(features) for name, features in blocks.items()})

    def fit(self, parts: Iterable[TargetFeatures]) -> None:
        """Take the statistics of all blocks from training samples, some at a time."""
        samples = 0
        sums = {name: block.mean.double().zero_() for name, block in self.items()}
        squares = {name: block.scale.double().zero_() for name, block in self.items()}
        for features in parts:
            samples += len(features.branches)
            for name in self:
                block = getattr(features, name).double()
                sums[name] += block.sum(dim=0)
                squares[name] += block.square().sum()
        for name, block in self.items():
            mean = sums[name] / samples
            variance = (squares[name] / samples - mean.square().sum()).clamp_min(0)
            block.mean.copy_(mean)
            block.scale.copy_(variance.sqrt().clamp_min(1e-6))

    def forward(self, features: TargetFeatures, blocks: Iterable[str]) -> Tensor:
        """Scale some blocks and put them side by side: (B, F)."""
        return torch.cat([self[name](getattr(features, name)) for name in blocks], dim=1)
