"""The format of a model, counted in versions; older models are brought to the present one."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import AAMError
from .checks import check_whole

FORMAT_VERSION = 2

# From an older version to what turns its config (JSON) into that of the next one. What a new
# version can do and an old model cannot is a field of the config, so that `expected_tensors` names
# the tensors of both: weights are never changed. An entry, once released, stays forever.
TO_NEXT_VERSION: dict[int, Callable[[dict], dict]] = {
    1: lambda config: config | {"branch_hidden_size": 0, "asv_tips": False},
}


def to_present_version(content: dict) -> dict:
    """Bring the config of an older model to the present version.

    Raises
    ------
    AAMError
        If the model is newer than this q2-aam.
    """
    version = content["format_version"]
    check_whole("format_version", version, min(TO_NEXT_VERSION, default=FORMAT_VERSION), 10**9)
    if version > FORMAT_VERSION:
        raise AAMError(
            f"The model has format version {version}, but this q2-aam reads versions up to "
            f"{FORMAT_VERSION}. Update q2-aam to read newer models."
        )
    for older in range(version, FORMAT_VERSION):
        content = TO_NEXT_VERSION[older](content) | {"format_version": older + 1}
    return content
