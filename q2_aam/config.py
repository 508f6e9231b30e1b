"""What a model is and how it was trained: frozen settings, strict in JSON both ways."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from .errors import AAMError, examples

FORMAT_VERSION = 1
VOCABULARY = 8  # padding, A, C, G, T, START, MASK, any other letter
KNOWN_ASVS = "target_head.known_asvs"
RANDOM_FEATURES = 2048  # of the ridge reader
DISTANCE_FORMS = ("branches", "euclidean")
DISTANCE_STATES = ("untrained", "trained", "stale")
OPTIMISERS = ("adamw", "adam", "sgd")
SCHEDULES = ("cosine", "cosine-restarts", "plateau", "one-cycle", "constant")
ATTENTIONS = ("sdpa", "flash", "mem_efficient", "math")
AUTO = "auto"  # of a value that is chosen when training starts
SCALINGS = ("none", "min-max", "z-score")

# Upper limits: a model file from a stranger must not be able to ask for all the memory there is.
LIMITS = {
    "hidden_size": (4, 4096),
    "heads": (1, 64),
    "asv_layers": (0, 48),
    "sample_layers": (0, 48),
    "nucleotides_per_token": (1, 16),
    "max_sequence_length": (1, 4096),
    "max_asvs": (1, 65536),
    "branches": (1, 16384),
}


@dataclass(frozen=True)
class TargetConfig:
    """What a regressor predicts, and how its output becomes the original units.

    ``value = output * scale + location``; the statistics are of the training samples only.
    ``known_asvs`` is the number of ASVs whose abundance is read by identity.
    ``residuals`` are sorted absolute errors on samples that did not train the weights, in
    original units; split conformal prediction reads its intervals from them.
    """

    name: str
    scaling: str
    location: float
    scale: float
    minimum: float
    maximum: float
    mean: float
    known_asvs: int
    residuals: tuple[float, ...] = ()

    def __post_init__(self):
        _check_choice("target scaling", self.scaling, SCALINGS)
        for name in ("location", "scale", "minimum", "maximum", "mean"):
            _check_finite(f"target {name}", getattr(self, name))
        _check_whole("known_asvs", self.known_asvs, 1, 2**16)
        for value in self.residuals:
            _check_finite("target residuals", value)
        if self.scale <= 0:
            raise AAMError(f"The target's scale is {self.scale}, but must be above 0.")


@dataclass(frozen=True)
class ModelConfig:
    """The architecture of a model and the state of its heads.

    Two models of one config have the same tensors (see `expected_tensors`).
    """

    hidden_size: int = 96
    heads: int = 4
    asv_layers: int = 1
    sample_layers: int = 1
    nucleotides_per_token: int = 5
    max_sequence_length: int = 150
    max_asvs: int = 1024
    branches: int = 1024
    distance_form: str = "branches"
    distance_state: str = "untrained"
    rarefaction_depth: int | None = None
    target: TargetConfig | None = None
    format_version: int = field(default=FORMAT_VERSION)

    def __post_init__(self):
        if self.format_version != FORMAT_VERSION:
            raise AAMError(
                f"The model has format version {self.format_version!r}, but this q2-aam reads "
                f"version {FORMAT_VERSION}. Update q2-aam to read newer models."
            )
        for name, (low, high) in LIMITS.items():
            _check_whole(name, getattr(self, name), low, high)
        if self.rarefaction_depth is not None:
            _check_whole("rarefaction_depth", self.rarefaction_depth, 1, 10**9)
        if self.hidden_size % self.heads:
            raise AAMError(
                f"hidden_size ({self.hidden_size}) must be a multiple of heads ({self.heads}): "
                "every attention head reads an equal share of the embedding."
            )
        _check_choice("distance_form", self.distance_form, DISTANCE_FORMS)
        _check_choice("distance_state", self.distance_state, DISTANCE_STATES)

    @property
    def tokens_per_sequence(self) -> int:
        """Tokens of the longest sequence, START included."""
        return 1 + math.ceil(self.max_sequence_length / self.nucleotides_per_token)

    def to_json(self) -> dict:
        """Return the config as JSON types only."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> ModelConfig:
        """Build a config from `to_json`'s dictionary, refusing anything else.

        Raises
        ------
        AAMError
            If a key is missing, unknown or of the wrong type, or a value is out of its range.
        """
        content = _checked_keys(cls, content)
        if content["target"] is not None:
            target = _checked_keys(TargetConfig, content["target"])
            if not isinstance(target["residuals"], (list, tuple)):
                raise AAMError("The model's config has residuals that are not a list.")
            target["residuals"] = tuple(target["residuals"])
            if not isinstance(target["name"], str):
                raise AAMError("The model's config has a target name that is not text.")
            content["target"] = TargetConfig(**target)
        return cls(**content)


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; everything random follows from `random_seed`."""

    epochs: int = 100
    batch_size: int | str = 32
    gradient_accumulation: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    optimiser: str = "adamw"
    schedule: str = "cosine"
    warmup: float = 0.05
    minimum_rate: float = 0.01
    restart_epochs: int = 10
    restart_multiplier: float = 2.0
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    patience: int = 10
    settling: float = 0.0
    gradient_clipping: float = 1.0
    dropout: float = 0.0
    validation_size: float = 0.1
    unifrac_weight: float = 1.0
    nucleotide_weight: float = 0.0
    abundance_weight: float = 0.0
    target_weight: float = 1.0
    freeze_encoder: bool = False
    compile: bool = False
    gradient_checkpointing: bool = False
    attention: str = "sdpa"
    precision: str = "fp32"
    device: str = "cpu"
    random_seed: int = 0

    def __post_init__(self):
        names = ("epochs", "gradient_accumulation")
        for name in names if self.batch_size == AUTO else (*names, "batch_size"):
            _check_whole(name, getattr(self, name), 1, 10**9)
        _check_whole("patience", self.patience, 1, 10**9)
        _check_choice("optimiser", self.optimiser, OPTIMISERS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("attention", self.attention, ATTENTIONS)
        for name in ("learning_rate", "gradient_clipping"):
            _check_finite(name, getattr(self, name))
            if getattr(self, name) <= 0:
                raise AAMError(f"{name} is {getattr(self, name)}, but must be above 0.")

    def to_json(self) -> dict:
        """Return the settings as JSON types only."""
        return dataclasses.asdict(self)


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name every tensor of a model and give its shape, without building it.

    Parameters
    ----------
    config : ModelConfig

    Returns
    -------
    dict of str to tuple of int
        A test holds this to `q2_aam.model.network.Network`.
    """
    size, per_token = config.hidden_size, config.nucleotides_per_token
    tensors = {
        "asv_encoder.nucleotides.weight": (per_token * VOCABULARY, size),
        "asv_encoder.start": (size,),
        "asv_encoder.positions.weight": (config.tokens_per_sequence, size),
        "asv_encoder.pooling.score.weight": (1, size),
        "asv_mean": (size,),
        "asv_scale": (size,),
        "sample_encoder.abundance.hidden": (size,),
        "sample_encoder.pooling.score.weight": (1, size),
    }
    for index in range(config.asv_layers):
        tensors |= _block(f"asv_encoder.blocks.{index}", size)
    for index in range(config.sample_layers):
        tensors |= _block(f"sample_encoder.blocks.{index}", size)
    tensors |= _norm("asv_encoder.norm", size) | _norm("sample_encoder.norm", size)
    tensors |= _linear("sample_encoder.abundance.widen", 1, size)
    tensors |= _linear("sample_encoder.abundance.mix", size, size)
    tensors |= _linear("nucleotide_head.output", size, 4 * per_token)
    tensors |= _linear("abundance_head.output", size, 1)
    tensors |= _linear("branches.membership", size, config.branches)
    if config.distance_form == "branches":
        tensors["distance_head.log_length"] = (config.branches,)
    else:
        tensors |= {"distance_head.projection.weight": (size, size)}
        tensors |= {"distance_head.log_scale": (1,)}
    if config.target is not None:
        tensors |= _target_head(config)
    return tensors


def dtype_of(tensor: str) -> str:
    """Return the type of a tensor as safetensors names it: all are F32 but stored DNA."""
    return "U8" if tensor == KNOWN_ASVS else "F32"


def _target_head(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    known, branches = config.target.known_asvs, config.branches
    tensors = {KNOWN_ASVS: (known, 1 + config.max_sequence_length)}
    tensors |= _norm("target_head.norm", config.hidden_size)
    tensors |= _linear("target_head.pooled", config.hidden_size, 1)
    for name, number in (("known", known), ("branches", branches)):
        tensors[f"target_head.{name}.weight"] = (1, number)
        tensors[f"target_head.ridge_{name}"] = (number,)
    for name, number in (("known_scaling", known), ("branch_scaling", branches)):
        tensors[f"target_head.{name}.mean"] = (number,)
        tensors[f"target_head.{name}.scale"] = (1,)
    tensors["target_head.ridge_random"] = (RANDOM_FEATURES,)
    return tensors | {"target_head.ridge_intercept": (1,), "target_head.attention_share": (1,)}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _block(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return (
        _norm(f"{name}.attention_norm", size)
        | _linear(f"{name}.query_key_value", size, 3 * size)
        | _linear(f"{name}.attention_output", size, size)
        | _norm(f"{name}.feed_forward_norm", size)
        | _linear(f"{name}.widen", size, 4 * size)
        | _linear(f"{name}.narrow", 4 * size, size)
    )


def _checked_keys(cls, content) -> dict:
    if not isinstance(content, dict):
        raise AAMError(f"The model's config holds {type(content).__name__} where a table belongs.")
    names = {item.name for item in dataclasses.fields(cls)}
    for what, keys in (("lacks", names - set(content)), ("has unknown", set(content) - names)):
        if keys:
            raise AAMError(
                f"The model's config {what} {examples(sorted(keys))}. "
                "It was written by another version of q2-aam or was changed by hand."
            )
    return dict(content)


def _check_whole(name: str, value, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise AAMError(f"{name} is {value!r}, but must be a whole number from {low} to {high}.")


def _check_finite(name: str, value) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise AAMError(f"{name} is {value!r}, but must be a finite number.")


def _check_choice(name: str, value, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise AAMError(f"{name} is {value!r}, but must be one of {', '.join(choices)}.")
