"""Strict JSON, and the list of an artifact's files with their sizes and sha256 sums."""

import hashlib
import json
from pathlib import Path

from ..errors import AAMError, examples

MANIFEST = "manifest.json"
LARGEST_JSON = 2**22  # what a config with all the residuals that it may have needs
_MOST_TABLES = 2**18  # tables and lists, of which each takes much memory; names may hold brackets
_LONGEST_REASON = 400  # characters
_CHUNK = 2**20


def shortened(why: str) -> str:
    """Keep a reason, which may quote a stranger's file, to a length that can be read."""
    return why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}…"


def damaged(name: str, why: str) -> AAMError:
    """Build the error for a file of a model that must not be used."""
    return AAMError(
        f"The model's file {name!r} {shortened(why)}.\nThe artifact is damaged or was changed by "
        "hand: get it again from where it came, or fit the model again."
    )


def parse_json(content: bytes):
    """Parse JSON strictly: UTF-8, no repeated names, no NaN or Infinity; ValueError otherwise."""

    def table(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name stands there twice")
        return dict(pairs)

    def refuse(constant):
        raise ValueError(f"{constant} is not a number of JSON")

    text = content.decode("utf-8")
    if text.count("[") + text.count("{") > _MOST_TABLES:
        raise ValueError(f"more than {_MOST_TABLES:,} tables and lists")
    try:
        return json.loads(text, object_pairs_hook=table, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError(str(error)) from error


def read_json(path: Path, refusal=damaged, largest: int = LARGEST_JSON):
    """Read a JSON file of at most so many bytes; `refusal` builds the error of a name and a why."""
    if path.stat().st_size > largest:
        raise refusal(path.name, f"is larger than {largest:,} bytes")
    try:
        return parse_json(path.read_bytes())
    except (ValueError, OSError) as error:
        raise refusal(path.name, f"is not valid JSON ({error})") from error


def write_json(path: Path, content) -> None:
    """Write JSON that `read_json` accepts; it fails rather than write NaN."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_manifest(folder: Path, names: tuple[str, ...]) -> None:
    """Write the manifest of the named files."""
    write_json(folder / MANIFEST, {name: _describe(folder / name) for name in names})


def read_manifest(folder: Path, names: tuple[str, ...], refusal=damaged) -> dict:
    """Read the manifest of the named files, for `check_sum`, and hold them to their sizes."""
    manifest = read_json(folder / MANIFEST, refusal)
    if not isinstance(manifest, dict) or sorted(manifest) != sorted(names):
        raise refusal(MANIFEST, f"does not list exactly {examples(sorted(names))}")
    for name in names:
        size = (folder / name).stat().st_size
        if not isinstance(manifest[name], dict) or manifest[name].get("bytes") != size:
            raise refusal(name, "differs from what the manifest says of it")
    return manifest


def check_sum(folder: Path, name: str, manifest: dict, refusal=damaged) -> None:
    """Refuse a file that differs from what the manifest says of it."""
    if manifest[name] != _describe(folder / name):
        raise refusal(name, "differs from what the manifest says of it")


def _describe(path: Path) -> dict:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
