"""What a model predicts of each sample, and how its output becomes the original units."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from ..errors import AAMError
from .checks import (
    check_choice,
    check_finite,
    check_positive,
    check_text,
    check_whole,
    checked_keys,
    checked_list,
    shown,
)

SCALINGS = ("min-max", "z-score", "log-min-max", "log-z-score", "none")
HEADS = ("ridge", "logistic", "forest", "attention")  # the order in which they are blended
FEATURES = ("auto", "asvs", "clades")  # what heads read: ASVs and branches, or one of both
# Blocks of features that each head reads: the forest as they are, the others scaled.
_BLOCKS = {
    "ridge": ("vocabulary", "branches", "clades", "covariates"),
    "logistic": ("presence", "covariates"),
    "forest": ("vocabulary", "covariates", "branches"),
    "attention": ("vocabulary", "branches", "covariates"),
}
_BLOCKS_OF_CLADES = {
    "ridge": ("branches", "covariates"),
    "logistic": ("branch_presence", "covariates"),
    "forest": ("covariates", "branch_presence"),
    "attention": ("branches", "covariates"),
}
TARGET_LOSSES = ("huber", "mae", "mse", "quantile")
FUSIONS = ("concatenate", "gate")
MOST_CLASSES, MOST_COVARIATES, MOST_LEVELS, MOST_RESIDUALS = 1024, 256, 100, 10**5
MOST_TREES, MOST_LEAVES = 1000, 2**12
REGRESSION, CLASSIFICATION = "regression", "classification"


@dataclass(frozen=True)
class Covariate:
    """A metadata column that a model reads beside the microbes.

    ``levels`` are the values that a categorical column had among the training samples; a numeric
    column has none, and is read as ``(value - mean) / scale``. One more input says that the value
    is missing, or was not among the training samples.
    """

    name: str
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self):
        check_text("covariate name", self.name)
        check_whole("number of covariate levels", len(self.levels), 0, MOST_LEVELS)
        for level in self.levels:
            check_text("covariate level", level)
        if len(set(self.levels)) < len(self.levels):
            raise AAMError(f"The covariate {shown(self.name)} has the same level twice.")
        check_finite("covariate mean", self.mean)
        check_positive("covariate scale", self.scale)

    @property
    def inputs(self) -> int:
        """How many numbers the model reads of it."""
        return (len(self.levels) or 1) + 1

    @classmethod
    def from_json(cls, content) -> Covariate:
        """Build a covariate from JSON, refusing anything else."""
        content = checked_keys(cls, content)
        levels = checked_list("covariate levels", content["levels"], MOST_LEVELS)
        return cls(**content | {"levels": levels})


@dataclass(frozen=True)
class _Target:
    """What every target has: a name, a vocabulary of ASVs, covariates, and heads that predict it.

    ``heads`` name what predicts, in the order of `HEADS`. ``trees`` are those of the forest, each
    of at most ``leaves`` leaves; 0 of both if there is none. ``random_features`` belong to the
    ridge head. ``features`` is one of `FEATURES`; with ``clades`` the vocabulary is empty: such a
    model holds no sequence. The number ``clades`` is that of models of format version 1.
    """

    name: str
    vocabulary_size: int
    covariates: tuple[Covariate, ...] = ()
    covariate_fusion: str = FUSIONS[0]
    heads: tuple[str, ...] = ("ridge",)
    random_features: int = 0
    trees: int = 0
    leaves: int = 0
    clades: int = 0
    features: str = FEATURES[0]

    def __post_init__(self):
        check_text("target name", self.name)
        check_choice("features", self.features, FEATURES)
        bounds = (0, 0) if self.features == "clades" else (1, 2**16)
        check_whole("vocabulary_size", self.vocabulary_size, *bounds)
        check_choice("covariate_fusion", self.covariate_fusion, FUSIONS)
        check_whole("number of covariates", len(self.covariates), 0, MOST_COVARIATES)
        names = [covariate.name for covariate in self.covariates]
        if len(set(names)) < len(names):
            raise AAMError("The model's config has the same covariate twice.")
        for name in self.heads:
            check_choice("head", name, HEADS)
        if not self.heads or list(self.heads) != [one for one in HEADS if one in self.heads]:
            raise AAMError(f"The heads {shown(list(self.heads))} are not in the order of {HEADS}.")
        check_whole("random_features", self.random_features, 0, 2**14)
        check_whole("clades", self.clades, 0, 2**14)
        grown = "forest" in self.heads
        check_whole("trees", self.trees, *((1, MOST_TREES) if grown else (0, 0)))
        check_whole("leaves", self.leaves, *((2, MOST_LEAVES) if grown else (0, 0)))

    def block_sizes(self, branches: int) -> dict[str, int]:
        """Return the blocks of features that heads read scaled, with their numbers of features."""
        heads = [name for name in self.heads if name != "forest"]
        read = {block for name in heads for block in self.blocks_of(name)}
        return {name: size for name, size in self._sizes(branches).items() if name in read}

    def forest_blocks(self, branches: int) -> dict[str, int]:
        """Return the blocks that the forest reads side by side, with their numbers of features."""
        sizes = self._sizes(branches)
        return {block: sizes[block] for block in self.blocks_of("forest")}

    def _sizes(self, branches: int) -> dict[str, int]:
        return {
            "vocabulary": self.vocabulary_size,
            "presence": self.vocabulary_size,
            "branches": branches,
            "branch_presence": branches,
            "clades": self.clades,
            "covariates": self.covariate_inputs,
        }

    def blocks_of(self, head: str) -> tuple[str, ...]:
        """Name the blocks of features that a head reads."""
        absent = {"clades"} if not self.clades else set()
        absent |= {"covariates"} if not self.covariates else set()
        absent |= {"branches"} if self.features == "asvs" else set()
        blocks = _BLOCKS_OF_CLADES if self.features == "clades" else _BLOCKS
        return tuple(block for block in blocks[head] if block not in absent)

    @property
    def tree_nodes(self) -> int:
        """Nodes of the largest tree: each split turns one leaf into two."""
        return 2 * self.leaves - 1 if self.trees else 0

    @property
    def covariate_inputs(self) -> int:
        """How many numbers the model reads of the covariates."""
        return sum(covariate.inputs for covariate in self.covariates)

    @property
    def missing_inputs(self) -> list[int]:
        """Positions of the inputs that say that a covariate is missing: the last of each."""
        ends = itertools.accumulate(covariate.inputs for covariate in self.covariates)
        return [end - 1 for end in ends]


@dataclass(frozen=True)
class RegressionTarget(_Target):
    """A number of each sample.

    The model's output is the number scaled: ``(transformed - location) / scale``, where scalings
    that begin with ``log`` transform by ``log(1 + value)``. The statistics are of the training
    samples only; `minimum`, `maximum` and `mean` are in original units.

    ``residuals`` are sorted scores, in scaled units, of samples predicted without their group: by
    how much their true values lay outside of what was predicted. Conformal prediction takes its
    intervals from them; each counts as much as its one of ``residual_weights``, or all alike if
    there are none. With the loss ``quantile`` a range is predicted, which is to hold the fraction
    ``quantile_range`` of true values; else one number.

    ``recognized`` is the mean fraction of reads that a model fitted on some of the groups
    recognizes of samples of the others: above 0, at most 1.
    """

    scaling: str = SCALINGS[0]
    location: float = 0.0
    scale: float = 1.0
    minimum: float = 0.0
    maximum: float = 1.0
    mean: float = 0.5
    bounded: bool = False
    loss: str = TARGET_LOSSES[0]
    quantile_range: float = 0.9
    residuals: tuple[float, ...] = ()
    residual_weights: tuple[float, ...] = ()
    recognized: float = 1.0
    kind: str = field(default=REGRESSION)

    def __post_init__(self):
        super().__post_init__()
        check_choice("target kind", self.kind, (REGRESSION,))
        check_choice("target scaling", self.scaling, SCALINGS)
        check_choice("target loss", self.loss, TARGET_LOSSES)
        for name in ("location", "minimum", "maximum", "mean"):
            check_finite(f"target {name}", getattr(self, name))
        check_positive("target scale", self.scale)
        check_positive("recognized", self.recognized)
        check_positive("quantile_range", self.quantile_range)
        if self.quantile_range >= 1:
            raise AAMError(f"quantile_range is {self.quantile_range}, but must be below 1.")
        if not isinstance(self.bounded, bool):
            raise AAMError(f"bounded is {shown(self.bounded)}, but must be true or false.")
        check_whole("number of residuals", len(self.residuals), 0, MOST_RESIDUALS)
        for value in self.residuals:
            check_finite("target residuals", value)
        if self.residual_weights:
            number = len(self.residuals)
            check_whole("number of residual weights", len(self.residual_weights), number, number)
        for value in self.residual_weights:
            check_positive("residual weight", value)

    @property
    def is_quantile(self) -> bool:
        """Whether a range is predicted around the median."""
        return self.loss == "quantile"

    @property
    def forest_levels(self) -> tuple[float, ...]:
        """Quantiles over the trees that the forest predicts; none for their mean."""
        if self.is_quantile:
            low = (1 - self.quantile_range) / 2
            return (low, 0.5, 1 - low)
        return (0.5,) if self.loss in ("huber", "mae") else ()

    @property
    def outputs(self) -> int:
        """Numbers that are predicted: one, or the lower, middle and upper one."""
        return 3 if self.is_quantile else 1

    @property
    def points(self) -> int:
        """Numbers that heads without quantiles predict."""
        return 1


@dataclass(frozen=True)
class ClassificationTarget(_Target):
    """A class of each sample.

    ``classes`` are sorted; ``counts`` says how many training samples each has.
    """

    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    kind: str = field(default=CLASSIFICATION)

    def __post_init__(self):
        super().__post_init__()
        check_choice("target kind", self.kind, (CLASSIFICATION,))
        check_whole("number of classes", len(self.classes), 2, MOST_CLASSES)
        for name in self.classes:
            check_text("class", name)
        if len(set(self.classes)) < len(self.classes):
            raise AAMError("The model's config has the same class twice.")
        check_whole("number of class counts", len(self.counts), *2 * (len(self.classes),))
        for count in self.counts:
            check_whole("class count", count, 0, 2**53)

    @property
    def is_quantile(self) -> bool:
        """Probabilities have no range."""
        return False

    @property
    def forest_levels(self) -> tuple[float, ...]:
        """Probabilities are the mean of the trees."""
        return ()

    @property
    def outputs(self) -> int:
        """One number for each class."""
        return len(self.classes)

    @property
    def points(self) -> int:
        """One number for each class."""
        return len(self.classes)


Target = RegressionTarget | ClassificationTarget
_LISTS = {
    "heads": len(HEADS),
    "residuals": MOST_RESIDUALS,
    "residual_weights": MOST_RESIDUALS,
    "classes": MOST_CLASSES,
    "counts": MOST_CLASSES,
}


def target_from_json(content) -> Target:
    """Build a target from JSON, refusing anything else."""
    kind = content.get("kind") if isinstance(content, dict) else None
    cls = ClassificationTarget if kind == CLASSIFICATION else RegressionTarget
    if isinstance(content, dict):
        content = {"features": FEATURES[0]} | content  # models of before there was a choice
    content = checked_keys(cls, content)
    for name, most in _LISTS.items():
        if name in content:
            content[name] = checked_list(name, content[name], most)
    covariates = checked_list("covariates", content["covariates"], MOST_COVARIATES)
    content["covariates"] = tuple(Covariate.from_json(one) for one in covariates)
    return cls(**content)
