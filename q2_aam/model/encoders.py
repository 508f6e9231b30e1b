"""The encoders: from DNA to one embedding of each ASV, and from these to one of each sample."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..config.model import VOCABULARY, ModelConfig

PADDING = 0
# log relative abundances of amplicon samples lie between about -12 and 0
_CENTER, _SPREAD = -6.0, 3.0


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward with residual connections.

    See Vaswani et al. 2017, "Attention is all you need"; Xiong et al. 2020 for the pre-norm order.
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
        again = checkpointing and block.training
        x = checkpoint(block, x, valid, use_reentrant=False) if again else block(x, valid)
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


class AsvEncoder(nn.Module):
    """Read ASVs as tokens of k consecutive nucleotides, START before them.

    The embedding of a token is the sum of its nucleotides' embeddings, each learned for its place.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.checkpointing, self.per_token = False, config.nucleotides_per_token
        size, heads = config.hidden_size, config.heads
        self.nucleotides = nn.Embedding(self.per_token * VOCABULARY, size)
        self.start = nn.Parameter(torch.randn(size))
        self.positions = nn.Embedding(config.tokens_per_sequence, size)
        self.blocks = nn.ModuleList(TransformerBlock(size, heads) for _ in range(config.asv_layers))
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
        each = torch.arange(VOCABULARY, device=tokens.device)
        hot = (grouped.unsqueeze(-1) == each) & (each != PADDING)  # (U, T - 1, k, V)
        weight = self.nucleotides.weight
        embedded = hot.flatten(2).to(weight.dtype) @ weight  # (U, T - 1, D)
        x = torch.cat([self.start.expand(len(tokens), 1, -1), embedded], dim=1)  # (U, T, D)
        x = x + self.positions.weight[: x.shape[1]]
        valid = None
        if padded:  # a mask keeps attention from its fastest kernel, so none where none is needed
            valid = functional.pad(grouped[:, :, 0] != PADDING, (1, 0), value=True)
        return self.norm(run_blocks(self.blocks, x, valid, self.checkpointing)), valid


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

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.checkpointing, layers = False, config.sample_layers
        size, heads = config.hidden_size, config.heads
        self.abundance = AbundanceEmbedding(size)
        self.blocks = nn.ModuleList(TransformerBlock(size, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(size)
        self.pooling = AttentionPooling(size)

    def forward(
        self, asvs: Tensor, abundances: Tensor, hidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return embeddings of samples (B, D), and of each of their ASVs (B, S, D).

        Of ASVs (B, S, D) and relative abundances (B, S), 0 in empty slots; `hidden` (B, S) bool
        must not be seen.
        """
        valid = abundances > 0
        x = asvs + self.abundance(abundances, hidden)
        x = self.norm(run_blocks(self.blocks, x, valid, self.checkpointing))
        return self.pooling(x, valid), x
