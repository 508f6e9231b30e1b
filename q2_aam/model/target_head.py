"""From what is known of a sample to its target: the mean of two readers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import RANDOM_FEATURES
from .random_features import RandomFeatures


class TargetFeatures(NamedTuple):
    """What both readers see of samples.

    Attributes
    ----------
    known : Tensor, (B, N)
        Log abundances of the ASVs that the model knows by identity.
    branches : Tensor, (B, K)
        Log abundances of the learned branches.
    """

    known: Tensor
    branches: Tensor


class BlockScaling(nn.Module):
    """Centre features and divide them by one number, so that a block of them has variance 1.

    Blocks of different size then weigh alike under one penalty.
    """

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(1))

    def fit(self, block: Tensor) -> None:
        """Take the statistics of training samples, (B, features)."""
        self.mean.copy_(block.mean(dim=0))
        self.scale.copy_(block.var(dim=0, correction=0).sum().sqrt().clamp_min(1e-6))

    def forward(self, block: Tensor) -> Tensor:
        """Scale (B, features)."""
        return (block - self.mean) / self.scale


class TargetHead(nn.Module):
    """Predict a scaled number as the weighted mean of two readers that err differently.

    The *ridge reader* is linear in the abundances of ASVs and of branches, and in M random features
    of them; training solves for its weights. The *attention reader* adds the pooled embedding of
    the sample transformer; training descends to its weights, from zero, so that it starts from the
    mean of the target. Each weighs by the inverse of its squared error on the validation samples.

    Parameters
    ----------
    size : int
        Width D of the pooled embedding.
    branches : int
        Branches K.
    known : int
        ASVs N known by identity.
    width : int
        Tokens of each, START included.
    """

    def __init__(self, size: int, branches: int, known: int, width: int):
        super().__init__()
        self.register_buffer("known_asvs", torch.zeros(known, width, dtype=torch.uint8))
        self.known_scaling = BlockScaling(known)
        self.branch_scaling = BlockScaling(branches)
        self.norm = nn.LayerNorm(size)
        self.pooled = nn.Linear(size, 1)
        self.known = nn.Linear(known, 1, bias=False)
        self.branches = nn.Linear(branches, 1, bias=False)
        for layer in (self.pooled, self.known, self.branches):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.pooled.bias)
        self.register_buffer("ridge_known", torch.zeros(known))
        self.register_buffer("ridge_branches", torch.zeros(branches))
        self.random_features = RandomFeatures(known + branches, RANDOM_FEATURES)
        self.register_buffer("ridge_random", torch.zeros(RANDOM_FEATURES))
        self.register_buffer("ridge_intercept", torch.zeros(1))
        self.register_buffer("attention_share", torch.full((1,), 0.5))

    def scaled(self, features: TargetFeatures) -> Tensor:
        """Scale both blocks and put them side by side: (B, N + K)."""
        known = self.known_scaling(features.known)
        return torch.cat([known, self.branch_scaling(features.branches)], dim=1)

    def attention_reader(self, pooled: Tensor, features: TargetFeatures) -> Tensor:
        """Read (B, D) and the features: (B,)."""
        known = self.known(self.known_scaling(features.known))
        branches = self.branches(self.branch_scaling(features.branches))
        return (self.pooled(self.norm(pooled)) + known + branches).squeeze(-1)

    def ridge_reader(self, features: TargetFeatures) -> Tensor:
        """Read the features: (B,)."""
        scaled = self.scaled(features)
        weights = torch.cat([self.ridge_known, self.ridge_branches])
        by_curves = self.random_features(scaled) @ self.ridge_random
        return scaled @ weights + by_curves + self.ridge_intercept

    def set_ridge(self, linear: Tensor, random: Tensor, intercept: float) -> None:
        """Set the ridge reader's weights of the features, (N + K,), and of random ones, (M,)."""
        self.ridge_known.copy_(linear[: len(self.ridge_known)])
        self.ridge_branches.copy_(linear[len(self.ridge_known) :])
        self.ridge_random.copy_(random)
        self.ridge_intercept.fill_(intercept)

    def weigh(self, pooled: Tensor, features: TargetFeatures, actual: Tensor) -> None:
        """Weigh the readers by their squared errors on samples that neither was trained on.

        Inverse variances are the best weights of two unbiased readers with independent errors.
        """
        of_attention = (self.attention_reader(pooled, features) - actual).square().mean()
        of_ridge = (self.ridge_reader(features) - actual).square().mean()
        self.attention_share.copy_(of_ridge / (of_ridge + of_attention).clamp_min(1e-12))

    def forward(self, pooled: Tensor, features: TargetFeatures) -> Tensor:
        """Predict scaled targets: (B,)."""
        by_attention = self.attention_reader(pooled, features)
        by_ridge = self.ridge_reader(features)
        return by_ridge + self.attention_share * (by_attention - by_ridge)
