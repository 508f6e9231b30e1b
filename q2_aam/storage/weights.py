"""Weights as safetensors, held to what the config says before anything is read into memory."""

import errno
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..config import dtype_of, present_tensor_name
from .manifest import damaged, parse_json

WEIGHTS = "weights.safetensors"
_LARGEST_HEADER = 2**20
_BYTES_AT_ONCE = 2**22
_TYPES = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4"), "U8": np.dtype("u1")}


def write_weights(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays; AAMError if a value is not finite, OSError if there is no space, say."""
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

    Returns where in the file the values of each tensor begin and end. `expected` has the tensors'
    present names; models of an older format `version` may have others. Raises AAMError.
    """
    start, header = _read_header(path)
    named = {present_tensor_name(name, version): entry for name, entry in header.items()}
    if len(named) < len(header):
        raise damaged(path.name, "has a tensor twice, by an old and a new name")
    missing, extra = sorted(set(expected) - set(named)), sorted(set(named) - set(expected))
    if missing:
        raise damaged(path.name, f"lacks the tensor {missing[0]!r} and {len(missing) - 1} others")
    if extra:
        raise damaged(path.name, f"has the unknown tensor {extra[0]!r}")
    spans = {name: _span(path, name, named[name], shape) for name, shape in expected.items()}
    position = 0
    for name, (begin, end) in sorted(spans.items(), key=lambda one: one[1]):
        size = _TYPES[dtype_of(name)].itemsize * math.prod(expected[name])
        if begin != position or end - begin != size:
            raise damaged(path.name, f"has an overlap or a hole at the tensor {name!r}")
        position = end
    if path.stat().st_size != start + position:
        raise damaged(path.name, "is shorter or longer than its header says")
    return {name: (start + begin, start + end) for name, (begin, end) in spans.items()}


def check_values(path: Path, spans: dict[str, tuple[int, int]], largest: dict[str, int]) -> None:
    """Refuse weights that are not finite and positions beyond what they point into.

    A part of the file is read at a time; `spans` are those of `check_header`, `largest` those of
    `q2_aam.config.largest_positions`.
    """
    for name, (begin, end) in spans.items():
        for part in _parts(path, begin, end, dtype_of(name)):
            if not np.isfinite(part).all():
                raise damaged(path.name, "holds values that are not finite")
            if name in largest and (part.min() < 0 or part.max() > largest[name]):
                raise damaged(path.name, f"has positions out of range in {name!r}")


def _read_header(path: Path) -> tuple[int, dict]:
    """Return where the values begin, and what the file says of them."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise damaged(path.name, f"announces a header of {length:,} bytes")
        content = file.read(length)
    if len(content) < length:
        raise damaged(path.name, "ends within its header")
    try:
        header = parse_json(content)
    except ValueError as error:
        raise damaged(path.name, f"has a header that is not JSON ({error})") from error
    if not content.startswith(b"{"):
        raise damaged(path.name, "has a header that is not a table")
    return 8 + length, header


def _span(path: Path, name: str, entry, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return where a tensor says that its values are, and hold its type and shape to the config."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise damaged(path.name, f"does not describe the tensor {name!r} properly")
    dtype, found, offsets = dtype_of(name), entry["shape"], entry["data_offsets"]
    if entry["dtype"] != dtype:
        raise damaged(path.name, f"has the tensor {name!r} as {entry['dtype']!r}, not {dtype}")
    if not _are_whole(found) or found != list(shape):
        raise damaged(path.name, f"has the tensor {name!r} in shape {found!r}, not {list(shape)}")
    if not _are_whole(offsets) or len(offsets) != 2:
        raise damaged(path.name, "has offsets that are not pairs of whole numbers")
    return tuple(offsets)


def _are_whole(numbers) -> bool:
    return isinstance(numbers, list) and all(type(number) is int for number in numbers)


def _parts(path: Path, begin: int, end: int, dtype: str) -> Iterator[np.ndarray]:
    with path.open("rb") as file:
        file.seek(begin)
        for start in range(begin, end, _BYTES_AT_ONCE):
            yield np.frombuffer(file.read(min(end - start, _BYTES_AT_ONCE)), _TYPES[dtype])
