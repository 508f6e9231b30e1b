"""From what is known of a sample to its target: a weighted average of heads."""

import dataclasses
import itertools

import torch
from torch import Tensor, nn

from ...config.target import CLASSIFICATION, Target
from .attention import AttentionHead
from .features import Clades, SampleState, Scaling, sharper_log
from .forest import ForestHead
from .linear import LinearHead, class_fractions


class TargetHead(nn.Module):
    """Predict a target as the weighted average of heads that err differently.

    Each head returns O numbers a sample: a scaled number; a lower bound, median and upper bound;
    or the probability of each class. Where quantiles are wanted, one may return a number only (see
    `blended`). In the `blend` each head but the first has a share in [0, 1], by which it replaces
    what the heads before it say together. The vocabulary has `width` tokens an ASV.
    """

    def __init__(self, size: int, branches: int, width: int, target: Target):
        super().__init__()
        self.target = target
        number = target.vocabulary_size
        self.register_buffer("vocabulary", torch.zeros(number, width, dtype=torch.uint8))
        self.clades = Clades(number, target.clades, size) if target.clades else None
        sizes = target.block_sizes(branches)
        self.scaling = Scaling(sizes)

        def of_head(name: str) -> dict[str, int]:
            return {block: sizes[block] for block in target.blocks_of(name)}

        if "ridge" in target.heads:
            self.ridge = LinearHead(of_head("ridge"), target.points, target.random_features)
        if "logistic" in target.heads:
            self.logistic = LinearHead(of_head("logistic"), target.points)
        if "forest" in target.heads:
            columns = forest_columns(target.forest_blocks(branches))
            self.forest = ForestHead(
                target.trees, target.tree_nodes, target.points, target.forest_levels, columns
            )
        if "attention" in target.heads:
            self.attention = AttentionHead(size, of_head("attention"), target)
        self.blend = nn.Module()
        for name in target.heads[1:]:
            self.blend.register_buffer(name, torch.zeros(1))

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each head; they sum to 1."""
        weights = {self.target.heads[0]: 1.0}
        for name, share in self.blend.named_buffers():
            weights = {one: weight * (1 - float(share)) for one, weight in weights.items()}
            weights[name] = float(share)
        return weights

    @torch.no_grad()
    def set_weights(self, weights: dict[str, float]) -> None:
        """Set the weight of each head; they sum to 1."""
        total = weights[self.target.heads[0]]
        for name, share in self.blend.named_buffers():
            total += weights[name]
            share.fill_(weights[name] / total if total > 0 else 0.0)

    @property
    def can_spare_attention(self) -> bool:
        """Whether the attention head is there, and the others predict all that is wanted."""
        heads = self.target.heads
        return "attention" in heads and ("forest" in heads or not self.target.is_quantile)

    def drop_attention(self) -> None:
        """Take the attention head away."""
        heads = tuple(name for name in self.target.heads if name != "attention")
        self.target = dataclasses.replace(self.target, heads=heads)
        del self.attention, self.blend.attention

    @property
    def attends(self) -> bool:
        """Whether the attention head counts."""
        return self.weights.get("attention", 0.0) > 0

    def inputs_of(self, name: str, state: SampleState) -> Tensor:
        """Return what a head that is fitted in closed form reads: (B, F)."""
        if name != "forest":
            head = getattr(self, name)
            return head.inputs(self.scaling(state, head.blocks))
        blocks = {block: getattr(state, block) for block in self.target.blocks_of("forest")}
        if "vocabulary" in blocks:
            blocks["vocabulary"] = sharper_log(blocks["vocabulary"])
        return torch.cat(list(blocks.values()), dim=1)

    def predict(self, name: str, state: SampleState) -> Tensor:
        """Predict by one head: (B, O), or (B, 1) by one that gives no quantiles."""
        if name == "forest":
            return self.forest(self.inputs_of("forest", state))
        if name == "attention":
            return self.attention.predictions(self.attention(state, self.scaling))
        head = getattr(self, name)
        raw = head(self.scaling(state, head.blocks))
        if name == "logistic":
            return torch.softmax(raw, dim=1)
        return class_fractions(raw) if self.target.kind == CLASSIFICATION else raw

    def forward(self, state: SampleState) -> Tensor:
        """Predict by all heads that count: (B, O); it needs `pooled` only if attention does."""
        weights = {name: weight for name, weight in self.weights.items() if weight}
        predictions = {name: self.predict(name, state) for name in weights}
        return blended(predictions, weights, self.target.is_quantile)


def forest_columns(sizes: dict[str, int]) -> tuple[list[int], ...]:
    """Choose sets of columns, one for each tree: ASVs or branches, covariates with either."""
    ends = dict(zip(sizes, itertools.accumulate(sizes.values()), strict=True))
    columns = {name: range(ends[name] - sizes[name], ends[name]) for name in sizes}
    covariates = columns.pop("covariates", ())
    return tuple(sorted([*one, *covariates]) for one in columns.values())


def blended(predictions: dict[str, Tensor], weights: dict[str, float], is_quantile: bool) -> Tensor:
    """Return the weighted average of heads' predictions, (B, O) each.

    Of quantiles, all heads count for the median, and those that give a range for how far its
    bounds lie from the median.
    """
    if not is_quantile:
        return sum(weights[name] * one for name, one in predictions.items())
    medians = {name: one[:, one.shape[1] // 2, None] for name, one in predictions.items()}
    ranges = {name: one - medians[name] for name, one in predictions.items() if one.shape[1] > 1}
    total = sum(weights[name] for name in ranges)
    width = sum(weights[name] / total * one for name, one in ranges.items())
    return sum(weights[name] * one for name, one in medians.items()) + width
