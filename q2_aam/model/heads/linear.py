"""Linear heads: ridge regression and logistic regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .random_features import RandomFeatures


class LinearHead(nn.Module):
    """Weights that training solves for: of blocks of features, and of random features of them.

    Parameters
    ----------
    blocks : dict of str to int
        Features of each block, F in all.
    outputs : int
        Numbers R to predict.
    random_features : int
        Features M that let the head follow curves (see `RandomFeatures`); 0 for none.
    """

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

    def forward(self, scaled: Tensor) -> Tensor:
        """Read scaled features (B, F): (B, R)."""
        names = [*self.blocks, *(["random"] if self.random_features is not None else [])]
        weights = torch.cat([getattr(self, name) for name in names], dim=1)
        return self.inputs(scaled) @ weights.T + self.intercept

    def set_weights(self, weights: Tensor, intercept: Tensor) -> None:
        """Set the weights of what `inputs` returns, (R, F + M), and the constants, (R,)."""
        sizes = list(self.blocks.values())
        parts = weights.split([*sizes, weights.shape[1] - sum(sizes)], dim=1)
        for name, part in zip(self.blocks, parts[:-1], strict=True):
            getattr(self, name).copy_(part)
        if self.random_features is not None:
            self.random.copy_(parts[-1])
        self.intercept.copy_(intercept)


def class_fractions(raw: Tensor) -> Tensor:
    """Turn least-squares estimates of class probabilities (B, C) into probabilities.

    Least squares on indicators of the classes estimates probabilities that sum to 1, but may be
    below 0 or above 1.
    """
    positive = raw.clamp_min(0)
    return positive / positive.sum(dim=1, keepdim=True).clamp_min(1e-12)
