"""What a model is: its architecture and the state of its heads, strict in JSON both ways."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from ..errors import AAMError
from . import checks
from .target import Target, target_from_json
from .versions import FORMAT_VERSION, to_present_version

DISTANCE_FORMS = ("branches", "euclidean")
DISTANCE_STATES = ("untrained", "trained", "stale")

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
    "branch_hidden_size": (0, 8192),
}


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
        """Build a config from `to_json`'s dictionary, of this or an older version of the format.

        Raises AAMError if a key is missing, unknown or of the wrong type, or a value out of range.
        """
        if isinstance(content, dict) and "format_version" in content:
            content = to_present_version(content)
        content = checks.keys(cls, content)
        if content["target"] is not None:
            content["target"] = target_from_json(content["target"])
        return cls(**content)
