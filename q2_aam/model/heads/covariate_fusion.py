"""Covariates of a sample joined with what was read of its microbes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CovariateFusion(nn.Module):
    """Join the pooled embedding with an embedding of the covariates.

    A categorical column is read as one input for each level, so that its weights are an embedding
    of each level; the covariates' embeddings are summed.

    Parameters
    ----------
    size : int
        Width D of the embeddings.
    inputs : int
        Numbers P that are read of the covariates.
    missing : list of int
        Positions of those that say that a covariate is missing. Their weights start at zero: where
        no training sample lacks it, nothing else would ever change what they were drawn as.
    how : str
        ``concatenate``, or ``gate`` to let the covariates raise or lower each coordinate of the
        pooled embedding, from none to twice of it.
    """

    def __init__(self, size: int, inputs: int, missing: list[int], how: str):
        super().__init__()
        self.embedding = nn.Linear(inputs, size, bias=False)
        with torch.no_grad():
            self.embedding.weight[:, missing] = 0
        self.output_size = size if how == "gate" else 2 * size
        self.gate = nn.Linear(size, size) if how == "gate" else None
        if self.gate is not None:
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)

    def forward(self, pooled: Tensor, covariates: Tensor) -> Tensor:
        """Join (B, D) and (B, P): (B, 2D), or (B, D) if gated."""
        embedded = self.embedding(covariates)
        if self.gate is None:
            return torch.cat([pooled, embedded], dim=1)
        return pooled * 2 * torch.sigmoid(self.gate(embedded))
