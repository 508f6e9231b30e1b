"""From the ASVs of a sample and their abundances to one embedding of the sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .transformer import AttentionPooling, TransformerBlock, run_blocks

# log relative abundances of amplicon samples lie between about -12 and 0
_CENTER, _SPREAD = -6.0, 3.0


def scaled_log(abundances: Tensor) -> Tensor:
    """Scale log relative abundances to about unit spread; empty slots (0) become 0."""
    scaled = (torch.log(abundances.clamp_min(1e-12)) - _CENTER) / _SPREAD
    return torch.where(abundances > 0, scaled, torch.zeros_like(scaled))


class AbundanceEmbedding(nn.Module):
    """Embed relative abundances; those that must not be seen share one learned vector."""

    def __init__(self, size: int):
        super().__init__()
        self.widen = nn.Linear(1, size)
        self.mix = nn.Linear(size, size)
        self.hidden = nn.Parameter(torch.zeros(size))

    def forward(self, abundances: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Embed (B, S), of which `hidden` (B, S) bool must not be seen: (B, S, D)."""
        embedded = self.mix(functional.gelu(self.widen(scaled_log(abundances).unsqueeze(-1))))
        if hidden is None:
            return embedded
        return torch.where(hidden.unsqueeze(-1), self.hidden.to(embedded.dtype), embedded)


class SampleEncoder(nn.Module):
    """A transformer over a sample's ASVs, which are a set: there are no positions."""

    def __init__(self, size: int, heads: int, layers: int):
        super().__init__()
        self.checkpointing = False
        self.abundance = AbundanceEmbedding(size)
        self.blocks = nn.ModuleList(TransformerBlock(size, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(size)
        self.pooling = AttentionPooling(size)

    def forward(
        self, asvs: Tensor, abundances: Tensor, hidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return embeddings of samples (B, D), and of each of their ASVs (B, S, D).

        Parameters
        ----------
        asvs : Tensor, (B, S, D)
        abundances : Tensor, (B, S)
            Relative, 0 in empty slots.
        hidden : Tensor of bool, (B, S), optional
            Abundances that must not be seen.
        """
        valid = abundances > 0
        x = asvs + self.abundance(abundances, hidden)
        x = self.norm(run_blocks(self.blocks, x, valid, self.checkpointing))
        return self.pooling(x, valid), x


class AbundanceHead(nn.Module):
    """Predict the scaled log abundance of every ASV of a sample."""

    def __init__(self, size: int):
        super().__init__()
        self.output = nn.Linear(size, 1)

    def forward(self, slots: Tensor) -> Tensor:
        """Predict from what the sample encoder made of each ASV: (B, S, D) → (B, S)."""
        return self.output(slots).squeeze(-1)
