"""The list of a model's files with their sizes and sha256 sums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..errors import AAMError, examples

MANIFEST = "manifest.json"
LARGEST_JSON = 2**22  # what a config with all the residuals that it may have needs
_MOST_TABLES = 2**18  # tables and lists, of which each takes much memory; names may hold brackets
_LONGEST_REASON = 400  # characters
_CHUNK = 2**20


def damaged(name: str, why: str) -> AAMError:
    """Build the error for a file of a model that must not be used."""
    if len(why) > _LONGEST_REASON:  # it may quote the file
        why = f"{why[:_LONGEST_REASON]}…"
    return AAMError(
        f"The model's file {name!r} {why}.\nThe artifact is damaged or was changed by hand: "
        "get it again from where it came, or fit the model again."
    )


def once(pairs: list[tuple[str, object]]) -> dict:
    """Build a table of JSON, refusing a name that stands there twice."""
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands there twice")
    return table


def read_json(path: Path):
    """Read a small JSON file strictly: UTF-8, no repeated names, no NaN or Infinity.

    Raises
    ------
    AAMError
        That names the file.
    """

    def refuse(constant):
        raise ValueError(f"{constant} is not a number of JSON")

    try:
        if path.stat().st_size > LARGEST_JSON:
            raise damaged(path.name, f"is larger than {LARGEST_JSON:,} bytes")
        text = path.read_bytes().decode("utf-8")
        if text.count("[") + text.count("{") > _MOST_TABLES:
            raise ValueError(f"more than {_MOST_TABLES:,} tables and lists")
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError, OSError) as error:
        if isinstance(error, AAMError):
            raise
        raise damaged(path.name, f"is not the JSON that q2-aam writes ({error})") from error


def write_json(path: Path, content) -> None:
    """Write JSON that `read_json` accepts; it fails rather than write NaN."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_manifest(folder: Path, names: tuple[str, ...]) -> None:
    """Write the manifest of the named files."""
    write_json(folder / MANIFEST, {name: describe(folder / name) for name in names})


def read_manifest(folder: Path, names: tuple[str, ...]) -> dict:
    """Read the manifest of a folder that holds exactly the named files, of the sizes it says.

    Returns
    -------
    dict
        For `check_sum`.

    Raises
    ------
    AAMError
        If a file is missing, too many, a link, or of another size.
    """
    found = sorted(path.name for path in folder.iterdir())
    wanted = sorted((*names, MANIFEST))
    for name in found:
        if name not in wanted:
            raise damaged(name, "does not belong to a model")
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise damaged(name, "is not a plain file")
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise damaged(missing[0], "is missing")
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or sorted(manifest) != sorted(names):
        raise damaged(MANIFEST, f"does not list exactly {examples(sorted(names))}")
    for name in names:
        described, size = manifest[name], (folder / name).stat().st_size
        if not isinstance(described, dict) or described.get("bytes") != size:
            raise _differs(name)
    return manifest


def check_sum(folder: Path, name: str, manifest: dict) -> None:
    """Refuse a file that differs from what the manifest says of it."""
    if manifest[name] != describe(folder / name):
        raise _differs(name)


def _differs(name: str) -> AAMError:
    return damaged(name, "differs from what the manifest says of it")


def describe(path: Path) -> dict:
    """Return what a manifest says of a file: its size and its sum."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
