"""The two pieces that both encoders are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward with residual connections.

    References
    ----------
    Vaswani et al. 2017, "Attention is all you need"; Xiong et al. 2020 for the pre-norm order.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.dropout = 0.0
        self.attention_norm = nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.attention_output = nn.Linear(size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.widen = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Let every position read the valid ones: (B, S, D), (B, S) bool → (B, S, D)."""
        mask = None if valid is None else valid[:, None, None, :]  # (B, 1, 1, S)
        batch, length, size = x.shape
        heads = self.query_key_value(self.attention_norm(x))
        heads = heads.view(batch, length, 3, self.heads, size // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, H, S, D / H)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        read = read.transpose(1, 2).reshape(batch, length, size)
        x = x + self._drop(self.attention_output(read))
        wide = functional.gelu(self.widen(self.feed_forward_norm(x)))
        return x + self._drop(self.narrow(wide))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training) if self.dropout else x


def run_blocks(
    blocks: nn.ModuleList, x: Tensor, valid: Tensor | None, checkpointing: bool
) -> Tensor:
    """Pass (B, S, D) through blocks; `checkpointing` computes each again in the backward pass."""
    for block in blocks:
        if checkpointing and block.training:
            x = checkpoint(block, x, valid, use_reentrant=False)
        else:
            x = block(x, valid)
    return x


class AttentionPooling(nn.Module):
    """Average the valid positions with learned weights, which begin as those of the mean."""

    def __init__(self, size: int):
        super().__init__()
        self.score = nn.Linear(size, 1, bias=False)  # softmax ignores a bias
        nn.init.zeros_(self.score.weight)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Pool (B, S, D), reading only where `valid` (B, S) is true: (B, D)."""
        score = self.score(x).squeeze(-1).float()  # (B, S)
        if valid is not None:
            score = score.masked_fill(~valid, float("-inf"))
        weight = torch.softmax(score, dim=-1).to(x.dtype)
        return torch.einsum("bs,bsd->bd", weight, x)
