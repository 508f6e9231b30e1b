"""The small readers on top of the encoders, one for each thing that is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EuclideanDistance(nn.Module):
    """Distance of pooled sample embeddings after a learned projection, squashed into [0, 1).

    ``tanh(distance / scale)`` with a learned scale, which starts so that typical embeddings lie
    where tanh is steep, at any width.
    """

    def __init__(self, size: int):
        super().__init__()
        self.projection = nn.Linear(size, size, bias=False)
        self.log_scale = nn.Parameter(torch.tensor([2.0 * size]).sqrt().log())

    def forward(self, samples: Tensor, others: Tensor | None = None) -> Tensor:
        """Compare samples with each other, or with others: (B, D), (C, D) → (B, C)."""
        left = self.projection(samples)
        right = left if others is None else self.projection(others)
        squared = (left[:, None] - right[None]).square().sum(dim=-1)  # (B, C)
        distance = (squared + 1e-12).sqrt() - 1e-6  # the root of 0 has no gradient
        return torch.tanh(distance / self.log_scale.exp())


class NucleotideHead(nn.Module):
    """Predict the nucleotides of every token: (U, T, D) → (U, T, k, 4) logits for A, C, G, T."""

    def __init__(self, size: int, nucleotides_per_token: int):
        super().__init__()
        self.output = nn.Linear(size, 4 * nucleotides_per_token)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits of the four nucleotides."""
        return self.output(hidden).unflatten(-1, (-1, 4))


class AbundanceHead(nn.Module):
    """Predict the scaled log relative abundance of every slot: (B, S, D) → (B, S)."""

    def __init__(self, size: int):
        super().__init__()
        self.output = nn.Linear(size, 1)

    def forward(self, slots: Tensor) -> Tensor:
        """Return scaled log relative abundances."""
        return self.output(slots).squeeze(-1)
