"""From DNA to one embedding for each distinct ASV."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .transformer import AttentionPooling, TransformerBlock, run_blocks

PADDING = 0


class AsvEncoder(nn.Module):
    """Read ASVs as tokens of k consecutive nucleotides, START before them.

    The embedding of a token is the sum of its nucleotides' embeddings, each learned for its place.
    """

    def __init__(
        self, size: int, heads: int, layers: int, nucleotides_per_token: int, tokens: int,
        vocabulary: int,
    ):  # fmt: skip
        super().__init__()
        self.checkpointing = False
        self.per_token = nucleotides_per_token
        self.vocabulary = vocabulary
        self.nucleotides = nn.Embedding(nucleotides_per_token * vocabulary, size)
        self.start = nn.Parameter(torch.randn(size))
        self.positions = nn.Embedding(tokens, size)
        self.blocks = nn.ModuleList(TransformerBlock(size, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(size)
        self.pooling = AttentionPooling(size)
        nn.init.normal_(self.positions.weight, std=0.5)

    def forward(self, tokens: Tensor, padded: bool) -> Tensor:
        """Embed ASVs: (U, 1 + L) uint8 → (U, D); `padded` says whether lengths differ."""
        return self.pooling(*self.encode(tokens, padded))

    def encode(self, tokens: Tensor, padded: bool) -> tuple[Tensor, Tensor | None]:
        """Return the hidden states (U, T, D) and which of them are valid (U, T)."""
        grouped = functional.pad(tokens[:, 1:], (0, (1 - tokens.shape[1]) % self.per_token))
        grouped = grouped.unflatten(1, (-1, self.per_token))  # (U, T - 1, k)
        # a product with one-hot nucleotides: a lookup would hold k embeddings of each token
        each = torch.arange(self.vocabulary, device=tokens.device)
        hot = (grouped.unsqueeze(-1) == each) & (each != PADDING)  # (U, T - 1, k, V)
        weight = self.nucleotides.weight
        embedded = hot.flatten(2).to(weight.dtype) @ weight  # (U, T - 1, D)
        x = torch.cat([self.start.expand(len(tokens), 1, -1), embedded], dim=1)  # (U, T, D)
        x = x + self.positions.weight[: x.shape[1]]
        valid = None
        if padded:  # a mask keeps attention from its fastest kernel, so none where none is needed
            valid = functional.pad(grouped[:, :, 0] != PADDING, (1, 0), value=True)
        return self.norm(run_blocks(self.blocks, x, valid, self.checkpointing)), valid


class NucleotideHead(nn.Module):
    """Predict the nucleotides of every token."""

    def __init__(self, size: int, nucleotides_per_token: int):
        super().__init__()
        self.output = nn.Linear(size, 4 * nucleotides_per_token)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits of A, C, G and T: (U, T, D) → (U, T, k, 4)."""
        return self.output(hidden).unflatten(-1, (-1, 4))
