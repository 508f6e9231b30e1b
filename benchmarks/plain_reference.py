"""A plain AAM to compare with: every ASV of every sample is encoded, wherever it recurs.

It computes as the existing PyTorch implementation does: samples padded to one number of slots,
`torch.nn.TransformerEncoder` with dropout and a padding mask, slots without an ASV skipped, each
stack of layers checkpointed as a whole, up to 256 slots of all samples of a batch at once. Masks
and losses are the simplest that need the same work.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from q2_aam.data.study import Studies

SLOTS = 256  # ASVs of a sample; more are cut
SLOTS_AT_ONCE = 256
MASK, VOCABULARY, MASKED_SHARE = 6, 8, 0.15


@dataclass(frozen=True)
class PaddedSamples:
    """Samples as a block in which an ASV stands once for each sample that holds it."""

    tokens: Tensor  # (B, slots, 1 + L) uint8, only padding in empty slots
    distances: Tensor  # (B, B)
    targets: Tensor  # (B,)


def pad_samples(
    studies: Studies, samples: np.ndarray, targets: np.ndarray, device: torch.device
) -> PaddedSamples:
    """Copy the tokens of each sample's ASVs into a block of `SLOTS` slots."""
    (study,) = studies.studies
    tokens = np.zeros((len(samples), SLOTS, studies.asvs.tokens.shape[1]), dtype=np.uint8)
    for row, sample in enumerate(samples):
        held = study.abundances[sample].indices[:SLOTS]
        tokens[row, : len(held)] = studies.asvs.tokens[held]
    arrays = (tokens, study.distances.block(samples), targets[samples])
    return PaddedSamples(*(torch.from_numpy(array).to(device) for array in arrays))


class Stack(nn.Module):
    """Layers of `torch.nn.TransformerEncoder` over learned positions, then pooling."""

    def __init__(self, size: int, heads: int, layers: int, length: int, dropout: float):
        super().__init__()
        self.positions = nn.Embedding(length, size)
        layer = nn.TransformerEncoderLayer(
            size, heads, 4 * size, dropout, nn.GELU(), batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(size)
        self.score = nn.Linear(size, 1)

    def forward(self, x: Tensor, empty: Tensor) -> tuple[Tensor, Tensor]:
        """Encode (R, S, D), `empty` (R, S) bool: pooled (R, D), positions (R, S, D)."""
        x = x + self.positions.weight[: x.shape[1]]
        if self.training and torch.is_grad_enabled():
            x = checkpoint(self._run, x, empty, use_reentrant=False)
        else:
            x = self._run(x, empty)
        x = self.norm(x)
        score = self.score(x).squeeze(-1).float().masked_fill(empty, float("-inf"))
        return torch.einsum("rs,rsd->rd", torch.softmax(score, dim=1).to(x.dtype), x), x

    def _run(self, x: Tensor, empty: Tensor) -> Tensor:
        return self.layers(x, src_key_padding_mask=empty)


class PlainReference(nn.Module):
    """The existing AAM's work, without what makes no difference to its cost.

    `frozen` says whether the ASV encoder is run without gradients; `encoded` counts ASVs.
    """

    def __init__(self, size: int, heads: int, layers: int, length: int, dropout: float = 0.1):
        super().__init__()
        self.nucleotides = nn.Embedding(VOCABULARY, size)
        self.asv_encoder = Stack(size, heads, layers, length, dropout)
        self.sample_encoder = Stack(size, heads, layers, SLOTS, dropout)
        self.nucleotide_head = nn.Linear(size, VOCABULARY)
        self.target_head = nn.Linear(size, 1)
        self.frozen = False
        self.encoded = 0

    def forward(self, tokens: Tensor, nucleotides: bool = False) -> tuple[Tensor, Tensor | None]:
        """Embed samples: (B, slots, T) → (B, D), and logits (B, slots, T, V) if asked for."""
        embedded, logits = [], []
        for part in tokens.split(SLOTS_AT_ONCE, dim=1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
                asvs, hidden, used = self._encode(part)
            embedded.append(asvs)
            if nucleotides:
                rows = self.nucleotide_head(hidden)  # (used, T, V)
                spread = rows.new_zeros(*part.shape, VOCABULARY)
                logits.append(spread.masked_scatter(used[..., None, None], rows))
        asvs = torch.cat(embedded, dim=1)
        pooled, _ = self.sample_encoder(asvs, (tokens == 0).all(dim=2))
        return pooled.float(), torch.cat(logits, dim=1) if nucleotides else None

    def _encode(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode the slots that hold an ASV: (B, slots, D), (used, T, D), (B, slots) bool."""
        used = (tokens > 0).any(dim=2)
        rows = tokens[used]  # (used, T)
        self.encoded += len(rows)
        pooled, hidden = self.asv_encoder(self.nucleotides(rows.long()), rows == 0)
        asvs = pooled.new_zeros(*used.shape, pooled.shape[1])
        return asvs.masked_scatter(used.unsqueeze(-1), pooled), hidden, used


def pretraining_loss(network: PlainReference, samples: PaddedSamples) -> Tensor:
    """Pairwise distances of pooled samples, and nucleotides masked in every ASV."""
    tokens = samples.tokens
    draw = torch.rand(tokens.shape, device=tokens.device)
    masked = (tokens > 0) & (tokens < 5) & (draw < MASKED_SHARE)
    pooled, logits = network(tokens.masked_fill(masked, MASK), nucleotides=True)
    predicted = torch.tanh(torch.cdist(pooled, pooled) / 10)
    row, column = torch.triu_indices(len(pooled), len(pooled), 1, device=pooled.device)
    distance = functional.mse_loss(predicted[row, column], samples.distances[row, column])
    return distance + functional.cross_entropy(logits[masked].float(), tokens[masked].long())


def fitting_loss(network: PlainReference, samples: PaddedSamples) -> Tensor:
    """Squared error of a target that is read from the pooled samples."""
    return functional.mse_loss(predict(network, samples), samples.targets)


def predict(network: PlainReference, samples: PaddedSamples) -> Tensor:
    """Predict the target of samples: (B,)."""
    pooled, _ = network(samples.tokens)
    return network.target_head(pooled).squeeze(-1).float()
