"""The attention head: the one that learns by descent, together with the sample transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config import CLASSIFICATION, Target
from .covariate_fusion import CovariateFusion
from .features import Scaling, TargetFeatures

COVARIATES = "covariates"


class AttentionHead(nn.Module):
    """Read the pooled embedding of the sample transformer and, linearly, blocks of features.

    Its weights start from zero, so that it starts from what is right on average.

    Parameters
    ----------
    size : int
        Width D of the pooled embedding.
    blocks : dict of str to int
        Features of each block.
    target : RegressionTarget or ClassificationTarget
    """

    def __init__(self, size: int, blocks: dict[str, int], target: Target):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.fusion = None
        if target.covariates:
            self.fusion = CovariateFusion(
                size, target.covariate_inputs, target.missing_inputs, target.covariate_fusion
            )
        self.pooled = nn.Linear(self.fusion.output_size if self.fusion else size, target.outputs)
        self.linear = nn.ModuleDict(
            {name: nn.Linear(n, target.outputs, bias=False) for name, n in blocks.items()}
        )
        for layer in (self.pooled, *self.linear.values()):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.pooled.bias)
        self.is_classifier = target.kind == CLASSIFICATION
        self.is_quantile = target.is_quantile

    def forward(self, pooled: Tensor, features: TargetFeatures, scaling: Scaling) -> Tensor:
        """Return what the losses are of, (B, O): see `predictions`."""
        read = self.norm(pooled)
        if self.fusion is not None:
            read = self.fusion(read, scaling[COVARIATES](features.covariates))
        raw = self.pooled(read)
        for name, linear in self.linear.items():
            raw = raw + linear(scaling[name](getattr(features, name)))
        return raw

    def predictions(self, raw: Tensor) -> Tensor:
        """Turn logits into probabilities, and three numbers into ordered quantiles."""
        if self.is_classifier:
            return torch.softmax(raw, dim=1)
        return ordered_quantiles(raw) if self.is_quantile else raw


def ordered_quantiles(raw: Tensor) -> Tensor:
    """Turn (B, 3) into a lower bound, the median and an upper bound, which cannot cross."""
    below, median, above = raw.unbind(dim=1)
    return torch.stack(
        [median - functional.softplus(below), median, median + functional.softplus(above)], dim=1
    )
