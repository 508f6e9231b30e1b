"""Weights as safetensors, held to what the config says before anything is read into memory."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..config import dtype_of, present_tensor_name
from .manifest import damaged, once

WEIGHTS = "weights.safetensors"
_LARGEST_HEADER = 2**20
_VALUES_AT_ONCE = 2**20
_BYTES = {"F32": 4, "I32": 4, "U8": 1}


def write_weights(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write float32 arrays.

    Raises
    ------
    AAMError
        If a value is not finite: such a model must never be stored.
    OSError
        If there is no space, for example.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise damaged(path.name, f"would hold values that are not finite, in {name!r}")
    try:
        save_file(arrays, str(path))
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error


def read_weights(path: Path, version: int) -> dict[str, np.ndarray]:
    """Read weights that `check_header` and `check_values` have passed, by their present names."""
    found = load_file(str(path))
    return {present_tensor_name(name, version): array for name, array in found.items()}


def check_header(
    path: Path, expected: dict[str, tuple[int, ...]], version: int
) -> dict[str, tuple[int, int]]:
    """Hold a safetensors file to the tensors expected: names, types, shapes, layout and size.

    Parameters
    ----------
    path : Path
    expected : dict of str to tuple of int
        By the tensors' present names.
    version : int
        Of the model's format, which may have other names.

    Returns
    -------
    dict of str to tuple of int
        Where in the file the values of each tensor begin and end.

    Raises
    ------
    AAMError
        That names the file and what is wrong with it.
    """
    start, header = _read_header(path)
    named = {present_tensor_name(name, version): entry for name, entry in header.items()}
    if len(named) < len(header):
        raise damaged(path.name, "has a tensor twice, by an old and a new name")
    header = named
    missing, extra = sorted(set(expected) - set(header)), sorted(set(header) - set(expected))
    if missing:
        raise damaged(path.name, f"lacks the tensor {missing[0]!r} and {len(missing) - 1} others")
    if extra:
        raise damaged(path.name, f"has the unknown tensor {extra[0]!r}")
    layout = []
    for name, shape in expected.items():
        entry = header[name]
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise damaged(path.name, f"does not describe the tensor {name!r} properly")
        dtype = dtype_of(name)
        if entry["dtype"] != dtype:
            raise damaged(path.name, f"has the tensor {name!r} as {entry['dtype']!r}, not {dtype}")
        found = entry["shape"]
        whole = isinstance(found, list) and all(type(length) is int for length in found)
        if not whole or found != list(shape):
            raise damaged(
                path.name, f"has the tensor {name!r} in shape {found!r}, not {list(shape)}"
            )
        layout.append((entry["data_offsets"], _BYTES[dtype] * math.prod(shape), name))
    _check_layout(path, start, layout)
    return {name: (start + begin, start + end) for (begin, end), _, name in layout}


def check_values(path: Path, layout: dict[str, tuple[int, int]], largest: dict[str, int]) -> None:
    """Refuse weights that are not finite and positions beyond what they point into.

    A part of the file is read at a time.

    Parameters
    ----------
    path : Path
    layout : dict of str to tuple of int
        From `check_header`.
    largest : dict of str to int
        From `q2_aam.config.largest_positions`.
    """
    for name, (begin, end) in layout.items():
        kind = dtype_of(name)
        if kind == "F32":
            for part in _parts(path, begin, end - begin, "<f4"):
                if not np.isfinite(part).all():
                    raise damaged(path.name, "holds values that are not finite")
        elif kind == "I32":
            for part in _parts(path, begin, end - begin, "<i4"):
                if part.min() < 0 or part.max() > largest[name]:
                    raise damaged(path.name, f"has positions out of range in {name!r}")


def _read_header(path: Path) -> tuple[int, dict]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise damaged(path.name, f"announces a header of {length:,} bytes")
        content = file.read(length)
    if len(content) < length:
        raise damaged(path.name, "ends within its header")

    try:
        header = json.loads(content.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise damaged(path.name, f"has a header that is not JSON ({error})") from error
    if not content.startswith(b"{"):
        raise damaged(path.name, "has a header that is not a table")
    return 8 + length, header


def _check_layout(path: Path, start: int, layout: list) -> None:
    position = 0
    whole = all(
        isinstance(offsets, list)
        and len(offsets) == 2
        and all(isinstance(offset, int) and not isinstance(offset, bool) for offset in offsets)
        for offsets, *_ in layout
    )
    if not whole:
        raise damaged(path.name, "has offsets that are not pairs of whole numbers")
    for (begin, end), size, name in sorted(layout):
        if begin != position or end - begin != size:
            raise damaged(path.name, f"has an overlap or a hole at the tensor {name!r}")
        position = end
    if path.stat().st_size != start + position:
        raise damaged(path.name, "is shorter or longer than its header says")


def _parts(path: Path, start: int, size: int, dtype: str) -> Iterator[np.ndarray]:
    """Read values of 4 bytes, so many at a time."""
    with path.open("rb") as file:
        file.seek(start)
        while size:
            chunk = file.read(min(size, 4 * _VALUES_AT_ONCE))
            size -= len(chunk)
            yield np.frombuffer(chunk, dtype=dtype)
