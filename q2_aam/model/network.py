"""The whole model: distinct ASVs → ASV embeddings → samples → heads."""

import math
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config.model import ModelConfig
from .branches import BranchDistance, Branches, EuclideanDistance, SharedAsvs, presence, shared_asvs
from .encoders import AsvEncoder, SampleEncoder, TransformerBlock
from .heads.blend import TargetHead
from .heads.features import SampleState, log_abundance


class SampleBatch(NamedTuple):
    """Samples as indices into distinct ASVs."""

    index: Tensor  # int64 (B, S): of each sample's ASVs among the U distinct; 0 in empty slots
    abundances: Tensor  # (B, S), relative; 0 in empty slots
    known: Tensor | None = None  # int64 (U,): row in the vocabulary, its size N for the others
    covariates: Tensor | None = None  # (B, P)
    presence: Tensor | None = None  # (B, S): probability of each ASV; None if all are sure


class Parts(NamedTuple):
    """Which parts of a `SampleState` are asked for; the others are not computed."""

    attend: bool = True  # the transformer's output
    detect: bool = True  # the presence of branches
    quantify: bool = True  # the log abundances of branches, and of what a target's heads know


class Network(nn.Module):
    """Attention All Microbes."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.asv_encoder, self.sample_encoder = AsvEncoder(config), SampleEncoder(config)
        self.branches = Branches(size, config.branches, config.branch_hidden_size)
        # logits of A, C, G and T of every nucleotide: (U, T, D) → (U, T, k, 4)
        letters = (config.nucleotides_per_token, 4)
        self.nucleotide_head = _linear(size, math.prod(letters), nn.Unflatten(-1, letters))
        # the scaled log abundance of each of a sample's ASVs: (B, S, D) → (B, S)
        self.abundance_head = _linear(size, 1, nn.Flatten(1))
        # the block of a `SampleState` that distances are read from
        self.compared = "branch_presence" if config.distance_form == "branches" else "pooled"
        self.distance_head = (
            BranchDistance(config.branches, config.asv_tips)
            if config.distance_form == "branches"
            else EuclideanDistance(size)
        )
        if config.target is not None:
            width = 1 + config.max_sequence_length
            self.target_head = TargetHead(size, config.branches, width, config.target)
        self.register_buffer("asv_mean", torch.zeros(size))
        self.register_buffer("asv_scale", torch.ones(size))

    def parts_for(self, distances: bool, target: bool) -> Parts:
        """Name the parts of samples that distances, or the target's heads, are read from."""
        branches = self.config.distance_form == "branches"
        of_clades = target and self.config.target.features == "clades"
        attend = target or (distances and not branches)
        detect = of_clades or (distances and branches)
        return Parts(attend, detect, target)

    def parts_to_predict(self) -> Parts:
        """Name the parts that predictions are read from: the transformer's only where it counts."""
        return self.parts_for(False, True)._replace(attend=self.target_head.attends)

    def set_dropout(self, dropout: float) -> None:
        """Set the dropout of every block; it acts in training only."""
        for module in self.modules():
            if isinstance(module, TransformerBlock):
                module.dropout = dropout

    def set_checkpointing(self, checkpointing: bool) -> None:
        """Choose whether training keeps less in memory and computes each block again."""
        self.asv_encoder.checkpointing = checkpointing
        self.sample_encoder.checkpointing = checkpointing

    def standardise(self, raw: Tensor) -> None:
        """Fix the statistics that spread ASV embeddings, from (U, D) embeddings before it.

        Untrained embeddings of one marker gene are almost equal. Statistics of the start, then
        kept for good, spread them; statistics that follow the training undo what it learns.
        """
        self.asv_mean.copy_(raw.mean(dim=0))
        self.asv_scale.copy_(raw.std(dim=0, correction=0).clamp_min(1e-6))

    def embed_asvs(self, tokens: Tensor, padded: bool) -> Tensor:
        """Embed distinct ASVs: (U, 1 + L) uint8 → (U, D) float32."""
        raw = self.asv_encoder(tokens, padded).float()
        return (raw - self.asv_mean) / self.asv_scale

    def predict_nucleotides(self, tokens: Tensor, padded: bool) -> Tensor:
        """Predict the nucleotides of masked ASVs: (M, 1 + L) → (M, L, 4) logits."""
        hidden, _ = self.asv_encoder.encode(tokens, padded)
        logits = self.nucleotide_head(hidden[:, 1:])  # (M, T - 1, k, 4)
        return logits.flatten(1, 2)[:, : tokens.shape[1] - 1].float()

    def embed_samples(
        self, asvs: Tensor, samples: SampleBatch, hidden: Tensor | None = None,
        attend: bool = True, detect: bool = True, quantify: bool = True,
    ) -> SampleState:  # fmt: skip
        """Embed samples from the embeddings (U, D) of distinct ASVs: what of them, say `Parts`.

        The transformer must not see the abundances `hidden`, (B, S) bool.
        """
        found: dict[str, Tensor | None] = {"covariates": samples.covariates}
        if attend:
            # embedding, not asvs[index]: the latter's gradient is not deterministic on threads
            of_slots = nn.functional.embedding(samples.index, asvs)  # (B, S, D)
            pooled, slots = self.sample_encoder(of_slots, samples.abundances, hidden)
            found |= {"pooled": pooled.float(), "slots": slots.float()}
        if detect or quantify:
            branches = self.read_branches(asvs, samples, detect, quantify)
            found["branch_presence"], found["branches"] = branches
        if quantify and samples.known is not None:
            number = self.config.target.vocabulary_size
            known = _sums(samples, len(asvs), samples.known, number + 1)[:, :number]
            # of the reads in the vocabulary, so that a read that fits nothing changes nothing here
            known = known / known.sum(dim=1, keepdim=True).clamp_min(1e-12)
            found["vocabulary"] = log_abundance(known)
            if samples.presence is not None:
                sure = samples._replace(abundances=samples.presence * (samples.abundances > 0))
                sums = _sums(sure, len(asvs), samples.known, number + 1)
                found["asv_presence"] = sums[:, :number]
            if (read := self.target_head.clades) is not None:
                nodes, number = read.nodes_of(asvs, samples.known), len(read.order)
                sums = _sums(samples, len(asvs), nodes, number + 1)
                found["clades"] = log_abundance(read(sums[:, :number]))
        return SampleState(**found)

    def read_branches(
        self, asvs: Tensor, samples: SampleBatch, detect: bool = True, quantify: bool = True
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return presence and log abundance of every branch, both (B, K) in [0, 1]."""
        with torch.autocast(asvs.device.type, enabled=False):
            log_odds = self.branches(asvs)  # (U, K)
            dense = dense_abundances(samples, len(asvs))  # (B, U)
            return (
                presence(log_odds, dense, self.config.rarefaction_depth) if detect else None,
                # by the share of reads under each branch, (B, K)
                log_abundance(dense @ torch.sigmoid(log_odds)) if quantify else None,
            )

    def distances(
        self, state: SampleState, others: SampleState | None = None, asvs: SharedAsvs | None = None
    ) -> Tensor:
        """Predict UniFrac between samples: (B, C) in [0, 1]; `asvs` is read if ASVs are tips."""
        left, right = (one and getattr(one, self.compared) for one in (state, others))
        with torch.autocast(left.device.type, enabled=False):
            return self.distance_head(left, right, asvs).clamp(0, 1)

    def share_asvs(self, samples: SampleBatch, distinct: int) -> SharedAsvs | None:
        """Count the ASVs that the samples of a batch share, if ASVs are tips of the tree."""
        if not self.config.asv_tips:
            return None
        return shared_asvs(self.asvs_seen(dense_abundances(samples, distinct)))

    def asvs_seen(self, abundances: Tensor) -> Tensor:
        """Return the probability that each ASV is seen, of relative abundances of any shape."""
        depth = self.config.rarefaction_depth
        if depth is None:
            return (abundances > 0).float()
        return -torch.expm1(depth * torch.log1p(-abundances.clamp_max(1 - 1e-7)))

    def predict_target(self, state: SampleState) -> Tensor:
        """Predict samples, (B, O), from `parts_to_predict`: see `TargetHead`."""
        with torch.autocast(state.branches.device.type, enabled=False):
            return self.target_head(state)

    def attention_outputs(self, state: SampleState) -> Tensor:
        """Return the outputs of the attention head, which losses are of: (B, O)."""
        head = self.target_head
        with torch.autocast(state.pooled.device.type, enabled=False):
            return head.attention(state, head.scaling)


def _linear(size: int, outputs: int, shape: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(output=nn.Linear(size, outputs), shape=shape))


def dense_abundances(samples: SampleBatch, distinct: int) -> Tensor:
    """Spread a batch's relative abundances over its distinct ASVs: (B, U)."""
    dense = samples.abundances.new_zeros(len(samples.index), distinct)
    return dense.scatter_add(1, samples.index, samples.abundances)


def _sums(samples: SampleBatch, distinct: int, rows: Tensor, number: int) -> Tensor:
    """Sum relative abundances of ASVs that have the same row: (B, number)."""
    sums = samples.abundances.new_zeros(len(samples.index), number)
    return sums.index_add(1, rows, dense_abundances(samples, distinct))
