"""From DNA to one embedding for each distinct ASV."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .transformer import AttentionPooling, TransformerBlock, run_blocks

PADDING = 0


class AsvEncoder(nn.Module):
    """Read ASVs as tokens of one or several nucleotides.

    Parameters
    ----------
    size : int
        Width D of the embeddings.
    heads, layers : int
        Of the transformer.
    nucleotides_per_token : int
        Consecutive nucleotides fused into one token (k). The embedding of a token is the sum of
        its nucleotides' embeddings, each learned for its place in the token.
    tokens : int
        Longest input in tokens, START included.
    vocabulary : int
        Distinct nucleotide tokens.
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
        nn.init.zeros_(self.pooling.score.weight)  # begin as the mean

    def forward(self, tokens: Tensor, padded: bool) -> Tensor:
        """Embed ASVs: (U, 1 + L) uint8 → (U, D); `padded` says whether lengths differ."""
        hidden, valid = self.encode(tokens, padded)
        return self.pooling(hidden, valid)

    def encode(self, tokens: Tensor, padded: bool) -> tuple[Tensor, Tensor | None]:
        """Return the hidden states (U, T, D) and which of them are valid (U, T)."""
        grouped = self.group(tokens)  # (U, T - 1, k)
        # a product with one-hot nucleotides: a lookup would hold k embeddings of each token
        each = torch.arange(self.vocabulary, device=tokens.device)
        hot = (grouped.unsqueeze(-1) == each) & (each != PADDING)  # (U, T - 1, k, V)
        weight = self.nucleotides.weight
        embedded = hot.flatten(2).to(weight.dtype) @ weight  # (U, T - 1, D)
        start = self.start.expand(len(tokens), 1, -1)
        x = torch.cat([start, embedded], dim=1)  # (U, T, D)
        x = x + self.positions.weight[: x.shape[1]]
        valid = None
        if padded:  # a mask keeps attention from its fastest kernel, so none where none is needed
            valid = functional.pad(grouped[:, :, 0] != PADDING, (1, 0), value=True)
        x = run_blocks(self.blocks, x, valid, self.checkpointing)
        return self.norm(x), valid

    def group(self, tokens: Tensor) -> Tensor:
        """Group the nucleotides by token: (U, 1 + L) → (U, T - 1, k)."""
        nucleotides = tokens[:, 1:]
        missing = -nucleotides.shape[1] % self.per_token
        nucleotides = functional.pad(nucleotides, (0, missing), value=PADDING)
        return nucleotides.unflatten(1, (-1, self.per_token))
