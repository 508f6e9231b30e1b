"""A model on disk: config.json, weights.safetensors and manifest.json; the bundled encoder."""

import errno
import math
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..config.model import (
    ModelConfig,
    dtype_of,
    expected_tensors,
    largest_positions,
    present_tensor_name,
)
from ..errors import AAMError
from . import manifest
from .manifest import damaged, parse_json, read_json

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
FILES = (CONFIG, WEIGHTS)
BUNDLED = "bundled encoder 1 (Greengenes 13_8)"  # its name in logs, and on pages
BOX = Path(__file__).parents[1] / "encoders"
_LARGEST_HEADER = 2**20
_BYTES_AT_ONCE = 2**22
_TYPES = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4"), "U8": np.dtype("u1")}


def write_model(folder: str | Path, config: ModelConfig, arrays: dict[str, np.ndarray]) -> None:
    """Write a model into an empty folder; `arrays` are the tensors of `expected_tensors`.

    AAMError if a value is not finite, the arrays do not fit the config, or there is no space.
    """
    folder = Path(folder)
    try:
        manifest.write_json(folder / CONFIG, config.to_json())
        write_weights(folder / WEIGHTS, arrays)
        manifest.write_manifest(folder, FILES)
    except OSError as error:
        raise AAMError(
            f"The model could not be written: {error.strerror}.\nMake space, or set TMPDIR to a "
            "folder that has some, and run the same command again: it goes on where it ended."
        ) from error
    check_model(folder)


def read_model(folder: str | Path) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Read a model that `check_model` passes; AAMError otherwise."""
    config, version = check_model(folder)
    found = load_file(str(Path(folder) / WEIGHTS))
    return config, {present_tensor_name(name, version): array for name, array in found.items()}


def check_model(folder: str | Path) -> tuple[ModelConfig, int]:
    """Check everything about a model that can be known without running it; needs no torch.

    Nothing is read whole before its size is known to be right, so that a refusal is quick and takes
    little memory. Returns the config, as of the present version of the format, and the version of
    the files. AAMError names the file.
    """
    folder = Path(folder)
    missing = {*FILES, manifest.MANIFEST}
    for path in sorted(folder.iterdir()):
        if path.name not in missing:
            raise damaged(path.name, "does not belong to a model")
        if path.is_symlink() or not path.is_file():
            raise damaged(path.name, "is not a plain file")
        missing.remove(path.name)
    if missing:
        raise damaged(min(missing), "is missing")
    sums = manifest.read_manifest(folder, FILES)
    content = read_json(folder / CONFIG)
    manifest.check_sum(folder, CONFIG, sums)
    try:
        config, version = ModelConfig.from_json(content), content["format_version"]
    except AAMError as error:
        raise damaged(CONFIG, f"is not valid: {error}".rstrip(".")) from error
    spans = check_header(folder / WEIGHTS, expected_tensors(config), version)
    manifest.check_sum(folder, WEIGHTS, sums)
    check_values(folder / WEIGHTS, spans, largest_positions(config))
    return config, version


def read_boxed(folder: Path = BOX) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Read the encoder that ships with q2-aam: stored in half precision, read in single."""
    config = ModelConfig.from_json(read_json(folder / CONFIG))
    half = load_file(str(folder / WEIGHTS))
    return config, {name: array.astype(np.float32) for name, array in half.items()}


# --- weights, held to what the config says before anything is read into memory --------------------


def write_weights(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays; AAMError if a value is not finite, OSError if there is no space, say."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise damaged(path.name, f"would hold values that are not finite, in {name!r}")
    try:
        save_file(arrays, str(path))
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error


def check_header(
    path: Path, expected: dict[str, tuple[int, ...]], version: int
) -> dict[str, tuple[int, int]]:
    """Hold a safetensors file to the tensors expected: names, types, shapes, layout and size.

    Returns where in the file the values of each tensor begin and end. Models of an older format
    `version` may have other names. AAMError names the file.
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
    """Refuse weights that are not finite and positions beyond the largest that may be."""
    with path.open("rb") as file:
        for name, (begin, end) in spans.items():
            file.seek(begin)
            for start in range(begin, end, _BYTES_AT_ONCE):
                content = file.read(min(end - start, _BYTES_AT_ONCE))
                part = np.frombuffer(content, _TYPES[dtype_of(name)])
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
