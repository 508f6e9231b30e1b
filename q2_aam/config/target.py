"""What a model predicts of each sample, and how its output becomes the original units."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from ..errors import AAMError
from . import checks

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

    ``levels`` are those of a categorical column among the training samples; a numeric one has none,
    and is read as ``(value - mean) / scale``. One more input says that the value is missing or new.
    """

    name: str
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self):
        checks.text("covariate name", self.name)
        checks.whole("number of covariate levels", len(self.levels), 0, MOST_LEVELS)
        checks.names("covariate level", self.levels, f"The covariate {checks.shown(self.name)}")
        checks.finite("covariate mean", self.mean)
        checks.positive("covariate scale", self.scale)

    @property
    def inputs(self) -> int:
        """How many numbers the model reads of it."""
        return (len(self.levels) or 1) + 1

    @classmethod
    def from_json(cls, content) -> Covariate:
        """Build a covariate from JSON, refusing anything else."""
        content = checks.keys(cls, content)
        levels = checks.listed("covariate levels", content["levels"], MOST_LEVELS)
        return cls(**content | {"levels": levels})


@dataclass(frozen=True)
class _Target:
    """What every target has: a name, a vocabulary of ASVs, covariates, and heads."""

    name: str
    vocabulary_size: int
    covariates: tuple[Covariate, ...] = ()
    covariate_fusion: str = FUSIONS[0]
    heads: tuple[str, ...] = ("ridge",)  # in the order of `HEADS`
    random_features: int = 0  # of the ridge head
    trees: int = 0  # of the forest
    leaves: int = 0  # at most, of a tree
    clades: int = 0  # of models of format version 1
    features: str = FEATURES[0]  # with "clades" the vocabulary is empty: no sequence is held
    hidden_units: int = 0  # of the attention head; 0 in models whose head reads features linearly

    is_quantile = False  # whether a range is predicted around the median
    forest_levels = ()  # quantiles over the trees that the forest predicts; none for their mean

    def __post_init__(self):
        checks.text("target name", self.name)
        checks.choice("features", self.features, FEATURES)
        bounds = (0, 0) if self.features == "clades" else (1, 2**16)
        checks.whole("vocabulary_size", self.vocabulary_size, *bounds)
        checks.choice("covariate_fusion", self.covariate_fusion, FUSIONS)
        checks.whole("number of covariates", len(self.covariates), 0, MOST_COVARIATES)
        checks.names("covariate", [one.name for one in self.covariates], "The model's config")
        for name in self.heads:
            checks.choice("head", name, HEADS)
        if not self.heads or list(self.heads) != [one for one in HEADS if one in self.heads]:
            raise AAMError(
                f"The heads {checks.shown(list(self.heads))} are not in the order of {HEADS}."
            )
        checks.whole("random_features", self.random_features, 0, 2**14)
        checks.whole("hidden_units", self.hidden_units, 0, 2**12)
        checks.whole("clades", self.clades, 0, min(bounds[1], 2**14))  # of known ASVs
        grown = "forest" in self.heads
        checks.whole("trees", self.trees, *((1, MOST_TREES) if grown else (0, 0)))
        checks.whole("leaves", self.leaves, *((2, MOST_LEAVES) if grown else (0, 0)))

    def block_sizes(self, branches: int) -> dict[str, int]:
        """Return the blocks of features that heads read scaled, with their numbers of features."""
        read = {block for one in self.heads if one != "forest" for block in self.blocks_of(one)}
        return {name: size for name, size in self._sizes(branches).items() if name in read}

    def forest_blocks(self, branches: int) -> dict[str, int]:
        """Return the blocks that the forest reads side by side, with their numbers of features."""
        sizes = self._sizes(branches)
        return {block: sizes[block] for block in self.blocks_of("forest")}

    def _sizes(self, branches: int) -> dict[str, int]:
        asvs = self.vocabulary_size
        return {
            "vocabulary": asvs, "presence": asvs, "branches": branches, "branch_presence": branches,
            "clades": self.clades, "covariates": self.covariate_inputs,
        }  # fmt: skip

    def blocks_of(self, head: str) -> tuple[str, ...]:
        """Name the blocks of features that a head reads."""
        there = {"clades": self.clades, "covariates": self.covariates}
        there["branches"] = self.features != "asvs"
        blocks = _BLOCKS_OF_CLADES if self.features == "clades" else _BLOCKS
        return tuple(block for block in blocks[head] if there.get(block, True))

    @property
    def tree_nodes(self) -> int:
        """Nodes of the largest tree: each split turns one leaf into two."""
        return 2 * self.leaves - 1 if self.trees else 0

    @property
    def covariate_inputs(self) -> int:
        """How many numbers the model reads of the covariates."""
        return sum(one.inputs for one in self.covariates)

    @property
    def missing_inputs(self) -> list[int]:
        """Positions of the inputs that say that a covariate is missing: the last of each."""
        return [end - 1 for end in itertools.accumulate(one.inputs for one in self.covariates)]


@dataclass(frozen=True)
class RegressionTarget(_Target):
    """A number of each sample.

    The model's output is the number scaled: ``(transformed - location) / scale``, where scalings
    that begin with ``log`` transform by ``log(1 + value)``. The statistics are of the training
    samples only. Conformal prediction takes its intervals from the residuals.
    """

    scaling: str = SCALINGS[0]
    location: float = 0.0
    scale: float = 1.0
    minimum: float = 0.0  # in original units, as the next two
    maximum: float = 1.0
    mean: float = 0.5
    bounded: bool = False
    loss: str = TARGET_LOSSES[0]  # with "quantile" a range is predicted, else one number
    quantile_range: float = 0.9  # fraction of true values that the range is to hold
    # Sorted: by how much, scaled, true values of samples that were predicted without their group
    # lay outside of what was predicted; and how much each counts, all alike if there are none.
    residuals: tuple[float, ...] = ()
    residual_weights: tuple[float, ...] = ()
    # mean fraction of reads that a model fitted on some groups recognizes of samples of the others
    recognized: float = 1.0
    kind: str = field(default=REGRESSION)

    points = 1  # numbers that heads without quantiles predict

    def __post_init__(self):
        super().__post_init__()
        checks.choice("target kind", self.kind, (REGRESSION,))
        checks.choice("target scaling", self.scaling, SCALINGS)
        checks.choice("target loss", self.loss, TARGET_LOSSES)
        for name in ("location", "minimum", "maximum", "mean"):
            checks.finite(f"target {name}", getattr(self, name))
        checks.positive("target scale", self.scale)
        checks.positive("recognized", self.recognized)
        checks.positive("quantile_range", self.quantile_range)
        if self.quantile_range >= 1:
            raise AAMError(f"quantile_range is {self.quantile_range}, but must be below 1.")
        checks.flag("bounded", self.bounded)
        number = len(self.residuals)
        checks.whole("number of residuals", number, 0, MOST_RESIDUALS)
        for value in self.residuals:
            checks.finite("target residuals", value)
        if self.residual_weights:
            checks.whole("number of residual weights", len(self.residual_weights), number, number)
        for value in self.residual_weights:
            checks.positive("residual weight", value)

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


@dataclass(frozen=True)
class ClassificationTarget(_Target):
    """A class of each sample: ``classes`` are sorted; ``counts`` are their training samples."""

    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    kind: str = field(default=CLASSIFICATION)

    def __post_init__(self):
        super().__post_init__()
        checks.choice("target kind", self.kind, (CLASSIFICATION,))
        checks.whole("number of classes", len(self.classes), 2, MOST_CLASSES)
        checks.names("class", self.classes, "The model's config")
        checks.whole("number of class counts", len(self.counts), *2 * (len(self.classes),))
        for count in self.counts:
            checks.whole("class count", count, 0, 2**53)

    @property
    def outputs(self) -> int:
        """Numbers that are predicted: one for each class, by any head."""
        return len(self.classes)

    points = outputs


Target = RegressionTarget | ClassificationTarget
_LISTS = {
    "heads": len(HEADS), "residuals": MOST_RESIDUALS, "residual_weights": MOST_RESIDUALS,
    "classes": MOST_CLASSES, "counts": MOST_CLASSES, "covariates": MOST_COVARIATES,
}  # fmt: skip


def target_from_json(content) -> Target:
    """Build a target from JSON, refusing anything else."""
    kind = content.get("kind") if isinstance(content, dict) else None
    cls = ClassificationTarget if kind == CLASSIFICATION else RegressionTarget
    if isinstance(content, dict):
        content = {"features": FEATURES[0], "hidden_units": 0} | content  # of earlier models
    content = checks.keys(cls, content)
    for name, most in _LISTS.items():
        if name in content:
            content[name] = checks.listed(name, content[name], most)
    content["covariates"] = tuple(map(Covariate.from_json, content["covariates"]))
    return cls(**content)
