"""What a model is: its architecture, the state of its heads and the tensors that follow of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import AAMError
from . import checks
from .target import Target, target_from_json

FORMAT_VERSION = 2
DISTANCE_FORMS = ("branches", "euclidean")
DISTANCE_STATES = ("untrained", "trained", "stale")
VOCABULARY = 8  # padding, A, C, G, T, START, MASK, any other letter
KNOWN_ASVS = "target_head.vocabulary"
_FOREST = "target_head.forest"
_CLADES = "target_head.clades"
_ATTENTION = "target_head.attention"
_POSITIONS_IN_FOREST = (f"{_FOREST}.feature", f"{_FOREST}.child")
_POSITIONS_IN_CLADES = tuple(f"{_CLADES}.{name}" for name in ("parent", "order", "start", "end"))

# Upper limits: a model file from a stranger must not be able to ask for all the memory there is.
LIMITS = {
    "hidden_size": (4, 4096), "heads": (1, 64), "asv_layers": (0, 48), "sample_layers": (0, 48),
    "nucleotides_per_token": (1, 16), "max_sequence_length": (1, 4096), "max_asvs": (1, 65536),
    "branches": (1, 16384), "branch_hidden_size": (0, 8192),
}  # fmt: skip


def _to_version_2(content: dict) -> dict:
    """Name the heads of a model of version 1, which had no choice of them."""
    content = content | {"branch_hidden_size": 0, "asv_tips": False}
    if isinstance(content.get("target"), dict):
        target = content["target"] = dict(content["target"])
        grown = isinstance(target.get("trees"), int) and target["trees"] > 0
        target["heads"] = ["ridge", *(["forest"] if grown else []), "attention"]
        target["random_features"] = 2048
        target["vocabulary_size"] = target.pop("known_asvs", None)
        if target.get("kind") == "regression":
            target |= {"residual_weights": [], "recognized": 1.0}
    return content


# From an older version to what turns its config (JSON) into that of the next one. What a new
# version can do and an old model cannot is a field of the config, so that `expected_tensors` names
# the tensors of both: their values are never changed. An entry, once released, stays forever.
TO_NEXT_VERSION: dict[int, Callable[[dict], dict]] = {1: _to_version_2}

# Beginnings of tensors' names in an older version, and what they are in the next one.
RENAMED_TENSORS: dict[int, dict[str, str]] = {
    1: {
        "target_head.known_asvs": "target_head.vocabulary",
        "target_head.ridge.known": "target_head.ridge.vocabulary",
        "target_head.scaling.known.": "target_head.scaling.vocabulary.",
        "target_head.linear.known.": "target_head.attention.linear.vocabulary.",
        "target_head.linear.": "target_head.attention.linear.",
        "target_head.norm.": "target_head.attention.norm.",
        "target_head.fusion.": "target_head.attention.fusion.",
        "target_head.pooled.": "target_head.attention.pooled.",
        "target_head.attention_share": "target_head.blend.attention",
        "target_head.tree_share": "target_head.blend.forest",
        "target_head.trees.": "target_head.forest.",
    }
}


def to_present_version(content: dict) -> dict:
    """Bring the config of an older model to the present version; refuse a newer one."""
    version = content["format_version"]
    checks.whole("format_version", version, min(TO_NEXT_VERSION, default=FORMAT_VERSION), 10**9)
    if version > FORMAT_VERSION:
        raise AAMError(
            f"The model has format version {version}, but this q2-aam reads versions up to "
            f"{FORMAT_VERSION}. Update q2-aam to read newer models."
        )
    for older in range(version, FORMAT_VERSION):
        content = TO_NEXT_VERSION[older](content) | {"format_version": older + 1}
    return content


def present_tensor_name(name: str, version: int) -> str:
    """Return what a tensor of an older model is called now."""
    for older in range(version, FORMAT_VERSION):
        for old, new in RENAMED_TENSORS[older].items():
            if name.startswith(old):
                name = new + name[len(old) :]
                break
    return name


@dataclass(frozen=True)
class ModelConfig:
    """The architecture of a model and the state of its heads: it fixes all tensors' shapes."""

    hidden_size: int = 96
    heads: int = 4
    asv_layers: int = 1
    sample_layers: int = 1
    nucleotides_per_token: int = 5
    max_sequence_length: int = 150
    max_asvs: int = 1024
    branches: int = 1024
    branch_hidden_size: int = 0
    asv_tips: bool = False
    distance_form: str = "branches"
    distance_state: str = "untrained"
    rarefaction_depth: int | None = None
    target: Target | None = None
    format_version: int = field(default=FORMAT_VERSION)

    def __post_init__(self):
        checks.whole("format_version", self.format_version, FORMAT_VERSION, FORMAT_VERSION)
        for name, (low, high) in LIMITS.items():
            checks.whole(name, getattr(self, name), low, high)
        if self.rarefaction_depth is not None:
            checks.whole("rarefaction_depth", self.rarefaction_depth, 1, 10**9)
        if self.hidden_size % self.heads:
            raise AAMError(
                f"hidden_size ({self.hidden_size}) must be a multiple of heads ({self.heads}): "
                "every attention head reads an equal share of the embedding."
            )
        checks.flag("asv_tips", self.asv_tips)
        checks.choice("distance_form", self.distance_form, DISTANCE_FORMS)
        checks.choice("distance_state", self.distance_state, DISTANCE_STATES)

    @property
    def tokens_per_sequence(self) -> int:
        """Tokens of the longest sequence, START included."""
        return 1 + math.ceil(self.max_sequence_length / self.nucleotides_per_token)

    def to_json(self) -> dict:
        """Return the config as JSON types only."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> ModelConfig:
        """Build a config from `to_json`'s dictionary, of this or an older format; or AAMError."""
        if isinstance(content, dict) and "format_version" in content:
            content = to_present_version(content)
        content = checks.keys(cls, content)
        if content["target"] is not None:
            content["target"] = target_from_json(content["target"])
        return cls(**content)


# --- its tensors ----------------------------------------------------------------------------------


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name every tensor of a model with its shape, without torch; a test holds it to `Network`."""
    size, hidden = config.hidden_size, config.branch_hidden_size
    per_token = config.nucleotides_per_token
    tensors = {
        "asv_encoder.nucleotides.weight": (per_token * VOCABULARY, size),
        "asv_encoder.start": (size,), "asv_mean": (size,), "asv_scale": (size,),
        "asv_encoder.positions.weight": (config.tokens_per_sequence, size),
        "asv_encoder.pooling.score.weight": (1, size),
        "sample_encoder.abundance.hidden": (size,),
        "sample_encoder.pooling.score.weight": (1, size),
    }  # fmt: skip
    layers = {  # those of linear layers (outputs, inputs) and norms, which have a bias as well
        "asv_encoder.norm": (size,),
        "sample_encoder.norm": (size,),
        "sample_encoder.abundance.widen": (size, 1),
        "sample_encoder.abundance.mix": (size, size),
        "nucleotide_head.output": (4 * per_token, size),
        "abundance_head.output": (1, size),
        "branches.membership": (config.branches, hidden or size),
    }
    for encoder, number in (("asv", config.asv_layers), ("sample", config.sample_layers)):
        for index in range(number):
            block = f"{encoder}_encoder.blocks.{index}"
            layers |= {f"{block}.attention_norm": (size,), f"{block}.feed_forward_norm": (size,)}
            layers |= {f"{block}.query_key_value": (3 * size, size)}
            layers |= {f"{block}.attention_output": (size, size)}
            layers |= {f"{block}.widen": (4 * size, size), f"{block}.narrow": (size, 4 * size)}
    if hidden:
        layers |= {"branches.norm": (size,), "branches.widen": (hidden, size)}
    if config.distance_form == "branches":
        tensors["distance_head.log_length"] = (config.branches,)
        if config.asv_tips:
            tensors["distance_head.log_tip_length"] = (1,)
    else:
        tensors["distance_head.projection.weight"] = (size, size)
        tensors["distance_head.log_scale"] = (1,)
    if config.target is not None:
        tensors |= _target_head(config)
        if "attention" in config.target.heads:
            layers |= _attention_layers(config.target, size)
    tensors |= {f"{name}.weight": shape for name, shape in layers.items()}
    return tensors | {f"{name}.bias": shape[:1] for name, shape in layers.items()}


def dtype_of(tensor: str) -> str:
    """Return the type of a tensor as safetensors names it: F32 but for DNA and positions."""
    if tensor in (*_POSITIONS_IN_FOREST, *_POSITIONS_IN_CLADES):
        return "I32"
    return "U8" if tensor == KNOWN_ASVS else "F32"


def largest_positions(config: ModelConfig) -> dict[str, int]:
    """Return the largest value, from 0 on, that each tensor of positions may hold."""
    target, positions = config.target, {}
    if target is not None and target.clades:
        nodes = target.vocabulary_size + target.clades
        largest = (target.clades, nodes - 1, nodes, nodes)
        positions |= zip(_POSITIONS_IN_CLADES, largest, strict=True)
    if target is not None and target.trees:
        inputs = sum(target.forest_blocks(config.branches).values())
        largest = (inputs - 1, target.tree_nodes - 1)
        positions |= zip(_POSITIONS_IN_FOREST, largest, strict=True)
    return positions


def _target_head(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    target, sizes = config.target, config.target.block_sizes(config.branches)
    tensors = {KNOWN_ASVS: (target.vocabulary_size, 1 + config.max_sequence_length)}
    tensors |= {f"target_head.blend.{name}": (1,) for name in target.heads[1:]}
    for name, features in sizes.items():
        tensors[f"target_head.scaling.{name}.mean"] = (features,)
        tensors[f"target_head.scaling.{name}.scale"] = (1,)
    for head in (one for one in ("ridge", "logistic") if one in target.heads):
        for name in target.blocks_of(head):
            tensors[f"target_head.{head}.{name}"] = (target.points, sizes[name])
        tensors[f"target_head.{head}.intercept"] = (target.points,)
    if "ridge" in target.heads and target.random_features:
        tensors["target_head.ridge.random"] = (target.points, target.random_features)
    if target.trees:
        shape = (target.trees, target.tree_nodes)
        tensors |= {f"{_FOREST}.{name}": shape for name in ("feature", "threshold", "child")}
        tensors[f"{_FOREST}.value"] = (*shape, target.points)
    if "attention" in target.heads:
        for name in target.blocks_of("attention"):
            tensors[f"{_ATTENTION}.linear.{name}.weight"] = (target.outputs, sizes[name])
        if target.covariates:
            shape = (config.hidden_size, target.covariate_inputs)
            tensors[f"{_ATTENTION}.fusion.embedding.weight"] = shape
    if target.clades:
        nodes = target.vocabulary_size + target.clades
        tensors[f"{_CLADES}.embedding"] = (target.vocabulary_size, config.hidden_size)
        tensors |= {f"{_CLADES}.{name}": (nodes,) for name in ("parent", "order")}
        tensors |= {f"{_CLADES}.{name}": (target.clades,) for name in ("height", "start", "end")}
    return tensors


def _attention_layers(target, size: int) -> dict[str, tuple[int, ...]]:
    joined = 2 * size if target.covariates else size
    layers = {f"{_ATTENTION}.norm": (size,)}
    if target.covariates and target.covariate_fusion == "gate":
        joined = size
        layers[f"{_ATTENTION}.fusion.gate"] = (size, size)
    return layers | {f"{_ATTENTION}.pooled": (target.outputs, joined)}
