"""A model on disk: config.json, weights.safetensors and manifest.json; the bundled encoder."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ..config import ModelConfig, expected_tensors, largest_positions
from ..errors import AAMError
from . import manifest
from .manifest import damaged, read_json
from .weights import WEIGHTS, check_header, check_values, read_weights, write_weights

CONFIG = "config.json"
FILES = (CONFIG, WEIGHTS)
BUNDLED = "bundled encoder 1 (Greengenes 13_8)"  # its name in logs, and on pages
BOX = Path(__file__).parents[1] / "encoders"


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
    return config, read_weights(Path(folder) / WEIGHTS, version)


def check_model(folder: str | Path) -> tuple[ModelConfig, int]:
    """Check everything about a model that can be known without running it; needs no torch.

    Nothing is read whole before its size is known to be right, so that a refusal is quick and
    takes little memory whatever the files say. Returns the config, as of the present version of
    the format, and the version of the files. Raises AAMError that names the file.
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
