"""The format of a model, counted in versions; older models are brought to the present one."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import AAMError
from . import checks

FORMAT_VERSION = 2


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
