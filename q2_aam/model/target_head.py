"""From what is known of a sample to its target: the mean of readers that err differently."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import CLASSIFICATION, Target
from .answers import numbers, ordered_quantiles, probabilities, shares
from .clades import Clades
from .covariate_fusion import CovariateFusion
from .log_abundance import stressing_presence
from .ridge_reader import RidgeReader
from .tree_reader import TreeReader

COVARIATES, CLADES = "covariates", "clades"


class TargetFeatures(NamedTuple):
    """What all readers see of samples.

    Attributes
    ----------
    known : Tensor, (B, N)
        Log abundances of the ASVs that the model knows by identity.
    branches : Tensor, (B, K)
        Log abundances of the learned branches.
    clades : Tensor, (B, C), or None
        Log abundances of the clades of known ASVs, which the ridge reader reads.
    covariates : Tensor, (B, P), or None
        Covariates, as `q2_aam.data.covariates` writes them.
    """

    known: Tensor
    branches: Tensor
    clades: Tensor | None = None
    covariates: Tensor | None = None


class ReaderAnswers(NamedTuple):
    """What readers answer for samples.

    Attributes
    ----------
    attention : Tensor, (B, O)
    solved : Tensor, (B, O), or None
        The ridge reader and the tree reader together; None where medians are asked for, which
        they cannot give.
    """

    attention: Tensor
    solved: Tensor | None


class BlockScaling(nn.Module):
    """Centre features and divide them by one number, so that a block of them has variance 1.

    Blocks of different size then weigh alike under one penalty.
    """

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(1))

    def fit(self, sums: Tensor, squares: Tensor, samples: int) -> None:
        """Take sums (features,) and the sum of all squares of training samples, in float64."""
        mean = sums / samples
        variance = (squares / samples - mean.square().sum()).clamp_min(0)
        self.mean.copy_(mean)
        self.scale.copy_(variance.sqrt().clamp_min(1e-6))

    def forward(self, block: Tensor) -> Tensor:
        """Scale (B, features)."""
        return (block - self.mean) / self.scale


class TargetHead(nn.Module):
    """Predict a target as the weighted mean of readers that err differently.

    The *ridge reader* is linear in the abundances of ASVs, of learned branches and of clades, in
    the covariates, and in random features of them all; training solves for its weights. The *tree
    reader* is the mean of decision trees on the abundances of ASVs and the covariates, or their
    median where outliers are to be borne. What the two err on groups that they did not learn from
    says how much each counts (see `q2_aam.training.trees`). The *attention reader* is linear in the
    abundances of ASVs and branches, the covariates and the pooled embedding of the sample
    transformer; training descends to its weights, from zero, so that it starts from what is right
    on average. It and the others weigh by the inverse of their squared errors on the validation
    samples; after training the attention reader counts only where it surely lowers the error (see
    `q2_aam.training.reader_choice`).

    All readers' outputs become answers of one kind, O numbers a sample: a scaled number; a
    scaled lower bound, median and upper bound; or the probability of each class. Medians are read
    by the attention reader alone: least squares gives means.

    Parameters
    ----------
    size : int
        Width D of the pooled embedding and of ASV embeddings.
    branches : int
        Branches K.
    width : int
        Tokens of each known ASV, START included.
    target : RegressionTarget or ClassificationTarget
    """

    def __init__(self, size: int, branches: int, width: int, target: Target):
        super().__init__()
        known = target.known_asvs
        blocks = {"known": known, "branches": branches, CLADES: target.clades}
        if target.covariates:
            blocks[COVARIATES] = target.covariate_inputs
        self.register_buffer("known_asvs", torch.zeros(known, width, dtype=torch.uint8))
        self.clades = Clades(known, target.clades, size)
        self.scaling = nn.ModuleDict({name: BlockScaling(n) for name, n in blocks.items()})
        self.norm = nn.LayerNorm(size)
        self.fusion = None
        if target.covariates:
            self.fusion = CovariateFusion(
                size, target.covariate_inputs, target.missing_inputs, target.covariate_fusion
            )
        self.pooled = nn.Linear(self.fusion.output_size if self.fusion else size, target.outputs)
        # clades are grown anew while the encoder learns, which weights would not follow
        by_descent = {name: n for name, n in blocks.items() if name != CLADES}
        self.linear = nn.ModuleDict(
            {name: nn.Linear(n, target.outputs, bias=False) for name, n in by_descent.items()}
        )
        for layer in (self.pooled, *self.linear.values()):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.pooled.bias)
        self.ridge = RidgeReader(blocks, target.ridge_outputs)
        self.trees = None
        if target.trees:
            self.trees = TreeReader(
                target.trees, target.tree_nodes, target.ridge_outputs, target.bears_outliers
            )
            self.register_buffer("tree_share", torch.full((1,), 0.5))
        self.one_reader = target.outputs != target.ridge_outputs
        self.register_buffer("attention_share", torch.full((1,), 1.0 if self.one_reader else 0.5))
        of_classes = target.kind == CLASSIFICATION
        self.answer_of_ridge = shares if of_classes else numbers
        self.answer = (
            probabilities if of_classes else ordered_quantiles if self.one_reader else numbers
        )

    def fit_scaling(self, parts: Iterable[TargetFeatures], blocks: Iterable[str] = ()) -> None:
        """Take the statistics of some blocks, or all, from training samples, some at a time.

        Clades, which one reader alone does not read, are then left as they are.
        """
        samples, blocks = 0, tuple(blocks) or tuple(self.scaling)
        blocks = [name for name in blocks if not (self.one_reader and name == CLADES)]
        sums = {name: self.scaling[name].mean.double().zero_() for name in blocks}
        squares = {name: self.scaling[name].scale.double().zero_() for name in blocks}
        for features in parts:
            samples += len(features.known)
            for name in blocks:
                block = getattr(features, name).double()
                sums[name] += block.sum(dim=0)
                squares[name] += block.square().sum()
        for name in blocks:
            self.scaling[name].fit(sums[name], squares[name], samples)

    def scaled(self, features: TargetFeatures) -> Tensor:
        """Scale all blocks and put them side by side: (B, F)."""
        blocks = [scaling(getattr(features, name)) for name, scaling in self.scaling.items()]
        return torch.cat(blocks, dim=1)

    @staticmethod
    def for_trees(features: TargetFeatures) -> Tensor:
        """Put what the tree reader reads side by side: (B, N + P)."""
        known = stressing_presence(features.known)
        if features.covariates is None:
            return known
        return torch.cat([known, features.covariates], dim=1)

    def solved_readers(self, features: TargetFeatures) -> Tensor:
        """Answer by the ridge reader and the tree reader, (B, O)."""
        by_ridge = self.answer_of_ridge(self.ridge(self.scaled(features)))
        if self.trees is None:
            return by_ridge
        return by_ridge + self.tree_share * (self.trees(self.for_trees(features)) - by_ridge)

    def attention_reader(self, pooled: Tensor, features: TargetFeatures) -> Tensor:
        """Read (B, D) and the features: what the losses are of, (B, O)."""
        read = self.norm(pooled)
        if self.fusion is not None:
            read = self.fusion(read, self.scaling[COVARIATES](features.covariates))
        raw = self.pooled(read)
        for name, linear in self.linear.items():
            raw = raw + linear(self.scaling[name](getattr(features, name)))
        return raw

    def read(self, pooled: Tensor, features: TargetFeatures) -> ReaderAnswers:
        """Let each reader answer for each sample."""
        by_attention = self.answer(self.attention_reader(pooled, features))
        if self.one_reader:
            return ReaderAnswers(by_attention, None)
        return ReaderAnswers(by_attention, self.solved_readers(features))

    def weigh(self, said: ReaderAnswers, actual: Tensor, weights: Tensor) -> None:
        """Weigh the readers by their squared errors on samples that none was trained on.

        Inverse variances are the best weights of two unbiased readers with independent errors.

        Parameters
        ----------
        said : ReaderAnswers
            For B samples.
        actual : Tensor, (B, O)
            The right answers.
        weights : Tensor, (B,)
            Of the samples.
        """
        if self.one_reader:
            return

        def error(answer: Tensor) -> Tensor:
            return (weights * (answer - actual).square().sum(dim=1)).sum() / weights.sum()

        of_attention, of_solved = error(said.attention), error(said.solved)
        self.attention_share.copy_(of_solved / (of_solved + of_attention).clamp_min(1e-12))

    @property
    def attends(self) -> bool:
        """Whether the attention reader counts."""
        return self.one_reader or float(self.attention_share) != 0

    def forward(self, pooled: Tensor | None, features: TargetFeatures) -> Tensor:
        """Answer for each sample, (B, O); without `pooled` not by the attention reader."""
        if pooled is None:
            return self.solved_readers(features)
        return self.combine(self.read(pooled, features))

    def combine(self, said: ReaderAnswers) -> Tensor:
        """Return the weighted mean of the readers' answers: (B, O)."""
        if self.one_reader:
            return said.attention
        return said.solved + self.attention_share * (said.attention - said.solved)
