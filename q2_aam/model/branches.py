"""Soft branches: which ASVs lie under each of K learned branches, and distances of samples."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_ELEMENTS_AT_ONCE = 2**24


class Branches(nn.Module):
    """Give each ASV a probability of lying under each learned branch.

    Clades of a known tree need a hidden layer, as they are no linear function of embeddings.
    """

    def __init__(self, size: int, number: int, hidden_size: int = 0):
        super().__init__()
        if hidden_size:
            self.norm = nn.LayerNorm(size)
            self.widen = nn.Linear(size, hidden_size)
        self.hidden_size = hidden_size
        self.membership = nn.Linear(hidden_size or size, number)
        nn.init.normal_(self.membership.weight, std=3.0 * (hidden_size or size) ** -0.5)
        nn.init.constant_(self.membership.bias, -6.0)  # a branch holds few ASVs

    def forward(self, asvs: Tensor) -> Tensor:
        """Return log-odds of membership, (U, D) → (U, K), in float32."""
        with torch.autocast(asvs.device.type, enabled=False):
            asvs = asvs.float()
            if self.hidden_size:
                asvs = functional.gelu(self.widen(self.norm(asvs)))
            return self.membership(asvs)


def presence(log_odds: Tensor, abundances: Tensor, depth: int | None = None) -> Tensor:
    """Return the probability (B, K) that samples hold branches: that not all of their ASVs miss.

    Of log-odds (U, K) and relative abundances f (B, U): ``1 - prod(1 - sigmoid(log_odds))`` over
    ASVs. If `depth` reads are drawn of a sample, each is seen with ``1 - (1 - f) ** depth``.
    """
    if depth is None:
        return -torch.expm1(-((abundances > 0).to(log_odds) @ functional.softplus(log_odds)))
    sample, asv = abundances.nonzero(as_tuple=True)
    fraction = abundances[sample, asv].clamp_max(1 - 1e-7)
    log_missed = (depth * torch.log1p(-fraction)).unsqueeze(1)  # (N, 1)
    width = max(1, _ELEMENTS_AT_ONCE // max(1, len(sample)))
    parts = []
    for odds in log_odds.split(width, dim=1):
        of_slot = odds.index_select(0, asv)
        terms = functional.softplus(of_slot) - functional.softplus(of_slot + log_missed)
        total = torch.zeros(len(abundances), odds.shape[1], device=odds.device)
        parts.append(-torch.expm1(-total.index_add(0, sample, terms)))
    return torch.cat(parts, dim=1)


class SharedAsvs(NamedTuple):
    """How many ASVs samples (B,) and others (C,) hold, and share (B, C), or may be expected to."""

    shared: Tensor
    left: Tensor
    right: Tensor


def shared_asvs(seen: Tensor) -> SharedAsvs:
    """Count the ASVs that samples share with each other: (B, U) of 0 to 1."""
    number = seen.sum(dim=1)
    return SharedAsvs(seen @ seen.T, number, number)


class BranchDistance(nn.Module):
    """UniFrac's own form on soft branches: unshared over total branch length.

    For presences of 0 and 1 it is unweighted UniFrac exactly. For soft ones ``|a - b|`` and
    ``max(a, b)`` stand for unshared and total, so that equal samples are at distance 0. With
    `asv_tips` each ASV is one more branch, all of one length: clades alone cannot tell apart close
    relatives. See Lozupone and Knight 2005, "UniFrac: a new phylogenetic method for comparing
    microbial communities".
    """

    def __init__(self, number: int, asv_tips: bool = False):
        super().__init__()
        self.log_length = nn.Parameter(torch.zeros(number))
        self.asv_tips = asv_tips
        if asv_tips:
            self.log_tip_length = nn.Parameter(torch.zeros(1))

    def forward(
        self, present: Tensor, others: Tensor | None = None, asvs: SharedAsvs | None = None
    ) -> Tensor:
        """Compare presences with each other, or with others: (B, K), (C, K) → (B, C) in [0, 1]."""
        length = torch.exp(self.log_length)
        left = present * length
        right = left if others is None else others * length
        unshared = torch.cdist(left, right, p=1.0)
        sums = left.sum(dim=1)[:, None] + right.sum(dim=1)[None, :]
        if self.asv_tips:
            tip, held = torch.exp(self.log_tip_length), asvs.left[:, None] + asvs.right[None, :]
            unshared = unshared + tip * (held - 2 * asvs.shared)
            sums = sums + tip * held
        return 2 * unshared / (sums + unshared).clamp_min(1e-12)


class EuclideanDistance(nn.Module):
    """Distance of pooled sample embeddings after a learned projection: ``tanh(distance / scale)``.

    The learned scale starts so that typical embeddings lie where tanh is steep, at any width.
    """

    def __init__(self, size: int):
        super().__init__()
        self.projection = nn.Linear(size, size, bias=False)
        self.log_scale = nn.Parameter(torch.tensor([2.0 * size]).sqrt().log())

    def forward(self, samples: Tensor, others: Tensor | None = None, asvs=None) -> Tensor:
        """Compare samples with each other, or with others: (B, D), (C, D) → (B, C)."""
        left = self.projection(samples)
        right = left if others is None else self.projection(others)
        squared = (left[:, None] - right[None]).square().sum(dim=-1)  # (B, C)
        distance = (squared + 1e-12).sqrt() - 1e-6  # the root of 0 has no gradient
        return torch.tanh(distance / self.log_scale.exp())
