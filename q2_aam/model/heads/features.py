"""What is known of samples: blocks of features, each scaled as a whole."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

_LARGEST = 9.210440366976517  # log(1 + 1e4), a sample of one branch


def log_abundance(fraction: Tensor) -> Tensor:
    """Turn relative abundances into ``log(1 + 1e4 f)``, scaled to [0, 1]."""
    return torch.log1p(1e4 * fraction) / _LARGEST


def sharper_log(logarithms: Tensor) -> Tensor:
    """Turn what `log_abundance` gave into ``log(1 + 1e6 f)``: more between none and the least."""
    return torch.log1p(100 * torch.expm1(_LARGEST * logarithms))


class SampleState(NamedTuple):
    """What is known of B samples, as far as it was asked for; heads read blocks of it by name."""

    pooled: Tensor | None = None  # (B, D): the transformer's embedding
    slots: Tensor | None = None  # (B, S, D): of each of their ASVs
    branch_presence: Tensor | None = None  # (B, K): probability that a sample holds each branch
    branches: Tensor | None = None  # (B, K): log abundances, in [0, 1], of the learned branches
    vocabulary: Tensor | None = None  # (B, N): of the ASVs of the model's vocabulary
    clades: Tensor | None = None  # (B, C): of clades of the vocabulary; format version 1 only
    covariates: Tensor | None = None  # (B, P): as `q2_aam.data.covariates` writes them
    asv_presence: Tensor | None = None  # (B, N): probability of each ASV; None if all are sure

    @property
    def presence(self) -> Tensor:
        """How sure a sample is to hold each ASV of the vocabulary: (B, N) in [0, 1]."""
        if self.asv_presence is not None:
            return self.asv_presence
        return (self.vocabulary > 0).to(self.vocabulary.dtype)


class BlockScaling(nn.Module):
    """Center features and divide them by one number: blocks of any size then have variance 1."""

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(1))

    def forward(self, block: Tensor) -> Tensor:
        """Scale (B, features)."""
        return (block - self.mean) / self.scale


class Scaling(nn.ModuleDict):
    """The scaling of every block that a head reads."""

    def __init__(self, blocks: dict[str, int]):
        super().__init__({name: BlockScaling(features) for name, features in blocks.items()})

    def fit(self, parts: Iterable[SampleState]) -> None:
        """Take the statistics of all blocks from training samples, some at a time."""
        samples = 0
        sums = {name: block.mean.double().zero_() for name, block in self.items()}
        squares = {name: block.scale.double().zero_() for name, block in self.items()}
        for state in parts:
            samples += len(state.branches)
            for name in self:
                block = getattr(state, name).double()
                sums[name] += block.sum(dim=0)
                squares[name] += block.square().sum()
        for name, block in self.items():
            mean = sums[name] / samples
            variance = (squares[name] / samples - mean.square().sum()).clamp_min(0)
            block.mean.copy_(mean)
            block.scale.copy_(variance.sqrt().clamp_min(1e-6))

    def forward(self, state: SampleState, blocks: Iterable[str]) -> Tensor:
        """Scale some blocks and put them side by side: (B, F)."""
        return torch.cat([self[name](getattr(state, name)) for name in blocks], dim=1)


class Clades(nn.Module):
    """Tell which clades ASVs lie in, and how much of a sample each clade holds.

    Models of format version 1 read them: their ASVs were joined by average linkage of embeddings.
    A new ASV joins the clades of the nearest one, from the smallest on that is at least as high as
    the two are apart.

    The N ASVs of the vocabulary and then the C clades are *nodes*. In `order` each clade stands
    before what lies in it, so that a clade is a range of places, from `start` to `end`. `parent` is
    the smallest clade that a node lies in, C if in none; `height` is the mean distance of the two
    parts that a clade joins.
    """

    def __init__(self, asvs: int, clades: int, size: int):
        super().__init__()
        nodes, whole = asvs + clades, torch.int32
        self.register_buffer("embedding", torch.zeros(asvs, size))
        self.register_buffer("parent", torch.full((nodes,), clades, dtype=whole))
        self.register_buffer("height", torch.zeros(clades))
        self.register_buffer("order", torch.arange(nodes, dtype=whole))
        for name in ("start", "end"):
            self.register_buffer(name, torch.zeros(clades, dtype=whole))

    @torch.no_grad()
    def nodes_of(self, asvs: Tensor, known: Tensor) -> Tensor:
        """Find the node that each ASV is, or joins; N + C for an ASV that is far from all.

        Of embeddings (U, D), and the row of each ASV in the vocabulary, or N: (U,).
        """
        number, clades = len(self.embedding), len(self.height)
        new = (known == number).nonzero()[:, 0]
        distance, nearest = torch.cdist(asvs[new].float(), self.embedding).min(dim=1)
        parent = self.parent.long()
        height = torch.cat([self.height, distance.new_full((1,), torch.inf)])
        joined = parent[nearest]
        above = torch.cat([parent[number:], parent.new_full((1,), clades)])
        for _ in range(clades):  # a damaged table may go round in circles
            low = height[joined] < distance
            if not bool(low.any()):
                break
            joined = torch.where(low, above[joined], joined)
        return known.index_copy(0, new, number + joined)

    def forward(self, fractions: Tensor) -> Tensor:
        """Sum relative abundances of nodes, (B, N + C), within clades: (B, C)."""
        # in float64, as differences of sums would else make something of nothing
        sums = fractions.double()[:, self.order.long()].cumsum(dim=1)
        sums = torch.cat([sums.new_zeros(len(sums), 1), sums], dim=1)
        within = sums[:, self.end.long()] - sums[:, self.start.long()]
        return within.clamp(0, 1).float()
