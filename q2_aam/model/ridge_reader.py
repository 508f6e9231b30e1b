"""The ridge reader: linear in features and in random features of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import RANDOM_FEATURES
from .random_features import RandomFeatures


class RidgeReader(nn.Module):
    """Read blocks of features by weights that training solves for (see `q2_aam.training.ridge`).

    Parameters
    ----------
    blocks : dict of str to int
        Features of each block, F in all.
    outputs : int
        Numbers R to predict.
    """

    def __init__(self, blocks: dict[str, int], outputs: int):
        super().__init__()
        self.blocks = blocks
        for name, features in blocks.items():
            self.register_buffer(name, torch.zeros(outputs, features))
        self.random_features = RandomFeatures(sum(blocks.values()), RANDOM_FEATURES)
        self.register_buffer("random", torch.zeros(outputs, RANDOM_FEATURES))
        self.register_buffer("intercept", torch.zeros(outputs))

    def forward(self, scaled: Tensor) -> Tensor:
        """Read scaled features (B, F): (B, R)."""
        weights = torch.cat([getattr(self, name) for name in self.blocks], dim=1)
        by_curves = self.random_features(scaled) @ self.random.T
        return scaled @ weights.T + by_curves + self.intercept

    def set_weights(self, linear: Tensor, random: Tensor, intercept: Tensor) -> None:
        """Set the weights of the features (R, F), of the random ones (R, M), and constants (R,)."""
        parts = linear.split(list(self.blocks.values()), dim=1)
        for name, part in zip(self.blocks, parts, strict=True):
            getattr(self, name).copy_(part)
        self.random.copy_(random)
        self.intercept.copy_(intercept)
