"""Soft branches: which ASVs lie under each of K learned branches of a phylogeny."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_ELEMENTS_AT_ONCE = 2**24


class Branches(nn.Module):
    """Give each ASV a probability of lying under each learned branch.

    Parameters
    ----------
    size : int
        Width D of ASV embeddings.
    number : int
        Branches K.
    hidden_size : int
        Width of a hidden layer before them; 0 for none. Clades of a known tree need one: which
        lie above an ASV is no linear function of its embedding.
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


def presence(log_odds: Tensor, held: Tensor) -> Tensor:
    """Probability that a sample holds a branch: that not all of its ASVs miss it.

    Parameters
    ----------
    log_odds : Tensor, (U, K)
    held : Tensor, (B, U)
        1 where the sample holds the ASV, else 0.

    Returns
    -------
    Tensor, (B, K)
        ``1 - prod(1 - sigmoid(log_odds))`` over the sample's ASVs.
    """
    return -torch.expm1(-(held @ functional.softplus(log_odds)))


def detected_presence(log_odds: Tensor, abundances: Tensor, depth: int) -> Tensor:
    """Probability that a branch is seen when `depth` reads are drawn from each sample.

    Parameters
    ----------
    log_odds : Tensor, (U, K)
    abundances : Tensor, (B, U)
        Relative abundances f; an ASV is detected with probability ``1 - (1 - f) ** depth``.
    depth : int
        Rarefaction depth of the matrix that is learned.

    Returns
    -------
    Tensor, (B, K)
    """
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
    """How many ASVs samples hold, and share with others; expected numbers if seen by chance.

    Attributes
    ----------
    shared : Tensor, (B, C)
    left, right : Tensor, (B,) and (C,)
        ASVs of each sample, and of each of the others.
    """

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
    ``max(a, b)`` stand for unshared and total, so that equal samples are at distance 0.

    Parameters
    ----------
    number : int
        Branches K.
    asv_tips : bool
        Whether each ASV is one more branch, all of one length: a tip of the tree. Clades alone
        cannot tell apart close relatives.

    References
    ----------
    Lozupone and Knight 2005, "UniFrac: a new phylogenetic method for comparing microbial
    communities".
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
        """Compare samples with each other, or with others.

        Parameters
        ----------
        present, others : Tensor, (B, K) and (C, K)
            Presence of branches.
        asvs : SharedAsvs
            Read if ASVs are tips.

        Returns
        -------
        Tensor, (B, C)
            In [0, 1].
        """
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
