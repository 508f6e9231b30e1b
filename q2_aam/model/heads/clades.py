"""Clades: nested groups of the ASVs of the vocabulary, by which similar ASVs are read together."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Clades(nn.Module):
    """Tell which clades ASVs lie in, and how much of a sample each clade holds.

    Models of format version 1 read them: their ASVs were joined by average linkage of embeddings.
    An ASV that is not in the vocabulary joins the clades of the one there that is next to it, from
    the smallest one on that is at least as high as the two are apart.

    The N ASVs of the vocabulary and then the C clades are *nodes*. In `order` each clade stands
    before what lies in it, so that a clade is a range of places, from `start` to `end`. `parent` is
    the smallest clade that a node lies in, C if in none; `height` is the mean distance of the two
    parts that a clade joins.
    """

    def __init__(self, asvs: int, clades: int, size: int):
        super().__init__()
        nodes = asvs + clades
        self.register_buffer("embedding", torch.zeros(asvs, size))
        self.register_buffer("parent", torch.full((nodes,), clades, dtype=torch.int32))
        self.register_buffer("height", torch.zeros(clades))
        self.register_buffer("order", torch.arange(nodes, dtype=torch.int32))
        self.register_buffer("start", torch.zeros(clades, dtype=torch.int32))
        self.register_buffer("end", torch.zeros(clades, dtype=torch.int32))

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
