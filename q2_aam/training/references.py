"""Reads whose place in a tree is known, and what they say of a network."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data.phylogeny import Clades
from ..data.tokens import START
from ..model.network import Network

SHORTEST_BRANCH = 1e-6


@dataclass(frozen=True)
class References:
    """DNA whose place in the tree is known, on the device that trains."""

    tokens: Tensor  # (organisms, longest) uint8, without START
    lengths: np.ndarray  # (organisms,) int64
    lineages: Tensor  # (organisms, deepest) int64, see `Clades`
    clades: int

    @classmethod
    def on_device(cls, tokens: np.ndarray, lengths: np.ndarray, clades: Clades, device):
        """Send what the device needs to it."""
        lineages = torch.from_numpy(clades.lineages).long().to(device)
        return cls(torch.from_numpy(tokens).to(device), lengths, lineages, len(clades.nodes))

    def reads(self, rows: np.ndarray, begin: np.ndarray, length: int) -> Tensor:
        """Cut one read of each organism: (B,), (B,) → (B, 1 + length) uint8, START first."""
        device = self.tokens.device
        first = torch.from_numpy(rows * self.tokens.shape[1] + begin).to(device)
        places = first[:, None] + torch.arange(length, device=device)
        read = self.tokens.view(-1)[places.view(-1)].view(places.shape)
        return functional.pad(read, (1, 0), value=START)

    def targets(self, rows: np.ndarray) -> Tensor:
        """Say which clades hold organisms: (B,) → (B, clades) float32 of 0 and 1."""
        lineages = self.lineages[torch.from_numpy(rows).to(self.lineages.device)]
        held = torch.zeros(len(rows), self.clades + 1, device=lineages.device)
        return held.scatter_(1, lineages, 1.0)[:, : self.clades]  # the last one stands for none


class ReadStep(NamedTuple):
    """The reads of a step, all of one length, so that none is padded."""

    rows: np.ndarray
    begin: np.ndarray
    length: int


def clade_log_odds(network: Network, tokens: Tensor) -> Tensor:
    """Return the log-odds that each clade lies above reads: (B, 1 + L) → (B, K)."""
    return network.branches(network.embed_asvs(tokens, padded=False))


def clade_losses(network: Network, references: References, step: ReadStep) -> Tensor:
    """Return the cross-entropy of each read, summed over clades: (B,)."""
    odds = clade_log_odds(network, references.reads(*step)).float()
    truth = references.targets(step.rows)
    return functional.binary_cross_entropy_with_logits(odds, truth, reduction="none").sum(dim=1)


@torch.no_grad()
def start_from_tree(
    network: Network, references: References, clades: Clades, step: ReadStep | None = None
) -> None:
    """Give branches and tips the tree's lengths; spread a new network's embeddings of reads."""
    if step is not None:
        tokens = references.reads(*step)
        network.standardise(network.eval().asv_encoder(tokens, False).float())
    lengths = torch.from_numpy(clades.lengths).clamp_min(SHORTEST_BRANCH)
    network.distance_head.log_length.copy_(lengths.log())
    network.distance_head.log_tip_length.fill_(math.log(max(clades.tip_length, SHORTEST_BRANCH)))
