"""The attention head: the one that learns by descent, together with the sample transformer."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.target import CLASSIFICATION, Target
from .features import SampleState, Scaling


class AttentionHead(nn.Module):
    """Read the pooled embedding (B, D), and blocks of so many features by a perceptron.

    Its last layers start from zero, so that it starts from what is right on average.
    """

    def __init__(self, size: int, blocks: dict[str, int], target: Target):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.fusion = None
        if target.covariates:
            self.fusion = CovariateFusion(
                size, target.covariate_inputs, target.missing_inputs, target.covariate_fusion
            )
        self.pooled = nn.Linear(self.fusion.output_size if self.fusion else size, target.outputs)
        hidden, outputs, self.blocks = target.hidden_units, target.outputs, tuple(blocks)
        self.perceptron, self.linear, last = None, nn.ModuleDict(), [self.pooled]
        if hidden:
            self.perceptron = nn.Sequential(
                OrderedDict(
                    input=nn.Linear(sum(blocks.values()), hidden), first=nn.GELU(),
                    hidden=nn.Linear(hidden, hidden), second=nn.GELU(),
                    output=nn.Linear(hidden, outputs, bias=False),
                )
            )  # fmt: skip
            last.append(self.perceptron.output)
        else:  # of older models
            for name, features in blocks.items():
                self.linear[name] = nn.Linear(features, outputs, bias=False)
            last.extend(self.linear.values())
        for layer in last:
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.pooled.bias)
        self.is_classifier = target.kind == CLASSIFICATION
        self.is_quantile = target.is_quantile

    def forward(self, state: SampleState, scaling: Scaling) -> Tensor:
        """Return what the losses are of, (B, O): see `predictions`."""
        read = self.norm(state.pooled)
        if self.fusion is not None:
            read = self.fusion(read, scaling["covariates"](state.covariates))
        raw = self.pooled(read)
        if self.perceptron is not None:
            raw = raw + self.perceptron(scaling(state, self.blocks))
        for name, linear in self.linear.items():
            raw = raw + linear(scaling[name](getattr(state, name)))
        return raw

    def predictions(self, raw: Tensor) -> Tensor:
        """Turn logits into probabilities, and three numbers into ordered quantiles."""
        if self.is_classifier:
            return torch.softmax(raw, dim=1)
        return ordered_quantiles(raw) if self.is_quantile else raw


def ordered_quantiles(raw: Tensor) -> Tensor:
    """Turn (B, 3) into a lower bound, the median and an upper bound, which cannot cross."""
    below, median, above = raw.unbind(dim=1)
    return torch.stack(
        [median - functional.softplus(below), median, median + functional.softplus(above)], dim=1
    )


class CovariateFusion(nn.Module):
    """Join the pooled embedding (B, D) with an embedding of the covariates (B, P).

    A categorical column is read as one input for each level, so that its weights are an embedding
    of each level; the covariates' embeddings are summed. The weights of the inputs `missing`, which
    say that a covariate is missing, start at zero: where no training sample lacks it, nothing else
    would ever change what they were drawn as.

    `how` is ``concatenate``, or ``gate`` to let the covariates raise or lower each coordinate of
    the pooled embedding, from none to twice of it.
    """

    def __init__(self, size: int, inputs: int, missing: list[int], how: str):
        super().__init__()
        self.embedding = nn.Linear(inputs, size, bias=False)
        with torch.no_grad():
            self.embedding.weight[:, missing] = 0
        self.output_size = size if how == "gate" else 2 * size
        self.gate = nn.Linear(size, size) if how == "gate" else None
        if self.gate is not None:
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)

    def forward(self, pooled: Tensor, covariates: Tensor) -> Tensor:
        """Join both: (B, 2D), or (B, D) if gated."""
        embedded = self.embedding(covariates)
        if self.gate is None:
            return torch.cat([pooled, embedded], dim=1)
        return pooled * 2 * torch.sigmoid(self.gate(embedded))
