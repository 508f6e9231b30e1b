"""The tree as teacher: which clades lie above a read, whatever part of the DNA it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import TrainingConfig
from ..data.phylogeny import Clades
from ..data.tokens import START
from ..model.network import Network
from .init import seed_step
from .optim import learning_rate_at

LARGEST_JITTER = 50
JITTERED_SHARE = 0.25  # of the reads; the others begin where primers end, or whole
LONG_SHARE = 0.25  # of the batches: merged reads
SHORTEST, USUAL = 90, 300
SHORTEST_BRANCH = 1e-6
_ORDER = 0x7EEE


@dataclass(frozen=True)
class References:
    """DNA whose place in the tree is known, on the device that trains.

    Attributes
    ----------
    tokens : Tensor of uint8, (organisms, longest)
        Nucleotides without START, as `q2_aam.data.tokens` numbers them.
    lengths : ndarray of int64, (organisms,)
    starts : ndarray of int64, (organisms, sites)
        Where reads begin, such as behind each primer; -1 where an organism lacks the site.
    lineages : Tensor of int64, (organisms, deepest)
        See `Clades`.
    """

    tokens: Tensor
    lengths: np.ndarray
    starts: np.ndarray
    lineages: Tensor

    @classmethod
    def on_device(cls, tokens, lengths, starts, clades: Clades, device) -> References:
        """Send what the device needs to it."""
        return cls(
            torch.from_numpy(tokens).to(device),
            lengths,
            starts,
            torch.from_numpy(clades.lineages).long().to(device),
        )

    def reads(self, rows: np.ndarray, begin: np.ndarray, length: int) -> Tensor:
        """Cut one read of each organism: (B,), (B,) → (B, 1 + length) uint8, START first."""
        device = self.tokens.device
        first = torch.from_numpy(rows * self.tokens.shape[1] + begin).to(device)
        places = first[:, None] + torch.arange(length, device=device)
        read = self.tokens.view(-1)[places.view(-1)].view(places.shape)
        return functional.pad(read, (1, 0), value=START)

    def targets(self, rows: np.ndarray, clades: int) -> Tensor:
        """Say which clades hold organisms: (B,) → (B, clades) float32 of 0 and 1."""
        lineages = self.lineages[torch.from_numpy(rows).to(self.lineages.device)]
        held = torch.zeros(len(rows), clades + 1, device=lineages.device)
        return held.scatter_(1, lineages, 1.0)[:, :clades]  # the last one stands for none


def draw_reads(
    references: References, rows: np.ndarray, longest: int, seed: int, epoch: int, step: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Draw where the reads of a batch begin, and one length for all, so that none is padded.

    Parameters
    ----------
    references : References
    rows : ndarray of int64
        Organisms.
    longest : int
        Nucleotides that the model reads.
    seed, epoch, step : int
        The draw is a pure function of them.

    Returns
    -------
    rows : ndarray of int64, (B,)
        Organisms that have a read of this length.
    begin : ndarray of int64, (B,)
    length : int
    """
    random = np.random.default_rng([seed, epoch, step, _ORDER])
    usual = min(USUAL, longest)
    between = (usual, longest) if random.random() < LONG_SHARE else (min(SHORTEST, usual), usual)
    length = int(random.integers(between[0], between[1] + 1))
    length = min(length, int(np.median(references.lengths)))
    jitter = random.integers(1, LARGEST_JITTER + 1, len(rows))
    jitter *= random.random(len(rows)) < JITTERED_SHARE
    starts = references.starts[rows]
    room = references.lengths[rows, None] - starts - length
    chance = random.random(starts.shape) * ((starts >= 0) & (room >= 0))
    site = chance.argmax(axis=1)[:, None]
    begin, room = (np.take_along_axis(part, site, axis=1)[:, 0] for part in (starts, room))
    found = chance.max(axis=1) > 0
    return rows[found], (begin + np.minimum(jitter, room))[found], length


def batches_of(rows: np.ndarray, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Shuffle organisms into batches of almost equal size."""
    order = np.random.default_rng([seed, epoch, _ORDER]).permutation(rows)
    return np.array_split(order, -(-len(rows) // size))


def clade_log_odds(network: Network, tokens: Tensor) -> Tensor:
    """Return the log-odds that each clade lies above reads: (B, 1 + L) → (B, K)."""
    return network.branches(network.embed_asvs(tokens, padded=False))


def train_epoch(
    network: Network,
    references: References,
    rows: np.ndarray,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    epoch: int,
    autocast,
) -> float:
    """Read each organism once.

    Parameters
    ----------
    network : Network
    references : References
    rows : ndarray of int64
        Organisms to learn from.
    optimizer : torch.optim.Optimizer
    config : TrainingConfig
    epoch : int
    autocast : callable
        Gives the context in which losses are computed.

    Returns
    -------
    float
        Mean cross-entropy of a read, summed over clades.
    """
    network.train()
    seed, clades, longest = config.random_seed, network.config.branches, network.config
    batches = batches_of(rows, config.batch_size, seed, epoch)
    total = torch.zeros((), device=references.tokens.device)
    for step, batch in enumerate(batches):
        rate = learning_rate_at(epoch * len(batches) + step, len(batches), config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed_step(seed, epoch, step)
        chosen, begin, length = draw_reads(
            references, batch, longest.max_sequence_length, seed, epoch, step
        )
        with autocast():
            odds = clade_log_odds(network, references.reads(chosen, begin, length))
        loss = functional.binary_cross_entropy_with_logits(
            odds.float(), references.targets(chosen, clades), reduction="sum"
        )
        loss = loss / len(chosen)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clipping)
        optimizer.step()
        total += loss.detach()
    network.eval()
    return float(total) / len(batches)


@torch.no_grad()
def prepare_network(network: Network, references: References, rows: np.ndarray, clades: Clades):
    """Spread the embeddings of a new network, and give branches and tips the tree's lengths."""
    chosen, begin, length = draw_reads(references, rows[:2048], USUAL, 0, 0, 0)
    tokens = references.reads(chosen, begin, length)
    network.standardise(network.eval().asv_encoder(tokens, False).float())
    lengths = torch.from_numpy(clades.lengths).clamp_min(SHORTEST_BRANCH)
    network.distance_head.log_length.copy_(lengths.log())
    network.distance_head.log_tip_length.fill_(math.log(max(clades.tip_length, SHORTEST_BRANCH)))
