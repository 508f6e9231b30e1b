"""The whole model: distinct ASVs → ASV embeddings → samples → heads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import VOCABULARY, ModelConfig
from .asv_encoder import AsvEncoder
from .branches import BranchDistance, Branches, SharedAsvs, detected_presence, presence, shared_asvs
from .heads.blend import TargetHead
from .heads.features import TargetFeatures
from .log_abundance import log_abundance
from .pretraining_heads import AbundanceHead, EuclideanDistance, NucleotideHead
from .sample_encoder import SampleEncoder
from .transformer import TransformerBlock


class SampleBatch(NamedTuple):
    """Samples as indices into distinct ASVs.

    Attributes
    ----------
    index : Tensor of int64, (B, S)
        Row of each of a sample's ASVs among the U distinct ones; 0 in empty slots.
    abundances : Tensor of float32, (B, S)
        Relative abundances; 0 in empty slots.
    known : Tensor of int64, (U,), optional
        Row of each distinct ASV among the N that the target head knows, N for the others.
    covariates : Tensor of float32, (B, P), optional
    """

    index: Tensor
    abundances: Tensor
    known: Tensor | None = None
    covariates: Tensor | None = None


class SampleState(NamedTuple):
    """What is known of samples.

    Attributes
    ----------
    pooled : Tensor, (B, D), or None
    slots : Tensor, (B, S, D), or None
    presence : Tensor, (B, K), or None
        Probability that the sample holds each branch.
    abundance : Tensor, (B, K), or None
        Log abundance of each branch, in [0, 1].
    known : Tensor, (B, N), or None
        Log abundance of each known ASV, in [0, 1].
    clades : Tensor, (B, C), or None
        Log abundance of each clade of known ASVs, in [0, 1].
    covariates : Tensor, (B, P), or None
    """

    pooled: Tensor | None
    slots: Tensor | None
    presence: Tensor | None
    abundance: Tensor | None
    known: Tensor | None = None
    clades: Tensor | None = None
    covariates: Tensor | None = None

    @property
    def features(self) -> TargetFeatures:
        """What the target head reads beside the pooled embedding."""
        return TargetFeatures(
            self.known, self.abundance, self.clades, self.covariates, self.presence
        )


class Parts(NamedTuple):
    """Which parts of a `SampleState` are asked for; the others are not computed.

    Attributes
    ----------
    attend : bool
        The transformer's output: pooled and slots.
    detect : bool
        The presence of branches.
    quantify : bool
        The log abundances of branches and of known ASVs.
    join : bool
        The log abundances of clades of known ASVs.
    """

    attend: bool = True
    detect: bool = True
    quantify: bool = True
    join: bool = True


class Network(nn.Module):
    """Attention All Microbes.

    Parameters
    ----------
    config : ModelConfig
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.asv_encoder = AsvEncoder(
            size, config.heads, config.asv_layers, config.nucleotides_per_token,
            config.tokens_per_sequence, VOCABULARY,
        )  # fmt: skip
        self.sample_encoder = SampleEncoder(size, config.heads, config.sample_layers)
        self.branches = Branches(size, config.branches, config.branch_hidden_size)
        self.nucleotide_head = NucleotideHead(size, config.nucleotides_per_token)
        self.abundance_head = AbundanceHead(size)
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
        clades = target and self.config.target.features == "clades"
        return Parts(
            attend=target or (distances and not branches),
            detect=clades or (distances and branches),
            quantify=target,
            join=target and self.target_head.clades is not None,
        )

    def parts_to_learn(self, distances: bool, target: bool) -> Parts:
        """Name the parts that losses are of: the attention head, which learns, has no clades."""
        return self.parts_for(distances, target)._replace(join=False)

    def parts_to_solve(self) -> Parts:
        """Name the parts that heads are fitted to in closed form, and scaling too."""
        return self.parts_for(False, True)._replace(attend=False)

    def parts_to_answer(self) -> Parts:
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
        self,
        asvs: Tensor,
        samples: SampleBatch,
        hidden: Tensor | None = None,
        attend: bool = True,
        detect: bool = True,
        quantify: bool = True,
        join: bool = True,
    ) -> SampleState:
        """Embed samples from the embeddings of distinct ASVs.

        Parameters
        ----------
        asvs : Tensor, (U, D)
        samples : SampleBatch
            Of B samples with up to S ASVs.
        hidden : Tensor of bool, (B, S), optional
            Abundances that the transformer must not see.
        attend, detect, quantify, join : bool
            See `Parts`.

        Returns
        -------
        SampleState
        """
        pooled = slots = present = abundance = known = clades = None
        if attend:
            # embedding, not asvs[index]: the latter's gradient is not deterministic on threads
            of_slots = nn.functional.embedding(samples.index, asvs)  # (B, S, D)
            pooled, slots = self.sample_encoder(of_slots, samples.abundances, hidden)
            pooled, slots = pooled.float(), slots.float()
        if detect or quantify:
            present, abundance = self.read_branches(asvs, samples, detect, quantify)
        if quantify and samples.known is not None:
            known = self.read_known(samples, len(asvs))
        if join and samples.known is not None and self.target_head.clades is not None:
            clades = self.read_clades(asvs, samples)
        return SampleState(pooled, slots, present, abundance, known, clades, samples.covariates)

    def read_branches(
        self, asvs: Tensor, samples: SampleBatch, detect: bool = True, quantify: bool = True
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return presence and log abundance of every branch, both (B, K) in [0, 1]."""
        with torch.autocast(asvs.device.type, enabled=False):
            log_odds = self.branches(asvs)  # (U, K)
            dense = dense_abundances(samples, len(asvs))  # (B, U)
            present = abundance = None
            if detect and self.config.rarefaction_depth is None:
                present = presence(log_odds, (dense > 0).float())
            elif detect:
                present = detected_presence(log_odds, dense, self.config.rarefaction_depth)
            if quantify:  # by the share of reads under each branch, (B, K)
                abundance = log_abundance(dense @ torch.sigmoid(log_odds))
            return present, abundance

    def read_known(self, samples: SampleBatch, distinct: int) -> Tensor:
        """Return the log abundance of every ASV known by identity, (B, N) in [0, 1]."""
        number = self.config.target.vocabulary_size
        found = _sums(samples, distinct, samples.known, number + 1)[:, :number]
        # of the reads in the vocabulary, so that a read that fits nothing changes nothing here
        return log_abundance(found / found.sum(dim=1, keepdim=True).clamp_min(1e-12))

    def read_clades(self, asvs: Tensor, samples: SampleBatch) -> Tensor:
        """Return the log abundance of every clade of known ASVs, (B, C) in [0, 1]."""
        clades = self.target_head.clades
        nodes, number = clades.nodes_of(asvs, samples.known), len(clades.order)
        return log_abundance(clades(_sums(samples, len(asvs), nodes, number + 1)[:, :number]))

    def distances(
        self,
        state: SampleState,
        others: SampleState | None = None,
        asvs: SharedAsvs | None = None,
    ) -> Tensor:
        """Predict UniFrac between samples: (B, C) in [0, 1]; `asvs` is read if ASVs are tips."""
        if self.config.distance_form == "branches":
            of_others = None if others is None else others.presence
            with torch.autocast(state.presence.device.type, enabled=False):
                return self.distance_head(state.presence, of_others, asvs).clamp(0, 1)
        of_others = None if others is None else others.pooled
        with torch.autocast(state.pooled.device.type, enabled=False):
            return self.distance_head(state.pooled, of_others).clamp(0, 1)

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
        """Predict samples, (B, O), from `parts_to_answer`: see `TargetHead`."""
        with torch.autocast(state.known.device.type, enabled=False):
            return self.target_head(state.pooled, state.features)

    def attention_outputs(self, state: SampleState) -> Tensor:
        """Return the outputs of the attention head, which losses are of: (B, O)."""
        with torch.autocast(state.pooled.device.type, enabled=False):
            head = self.target_head
            return head.attention(state.pooled, state.features, head.scaling)


def dense_abundances(samples: SampleBatch, distinct: int) -> Tensor:
    """Spread a batch's relative abundances over its distinct ASVs: (B, U)."""
    dense = samples.abundances.new_zeros(len(samples.index), distinct)
    return dense.scatter_add(1, samples.index, samples.abundances)


def _sums(samples: SampleBatch, distinct: int, rows: Tensor, number: int) -> Tensor:
    """Sum relative abundances of ASVs that have the same row: (B, number)."""
    sums = samples.abundances.new_zeros(len(samples.index), number)
    return sums.index_add(1, rows, dense_abundances(samples, distinct))
