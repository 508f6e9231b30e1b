"""A model on disk: config.json, weights.safetensors and manifest.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..config import ModelConfig, expected_tensors, largest_positions
from ..errors import AAMError
from .manifest import check_sum, damaged, read_json, read_manifest, write_json, write_manifest
from .weights import WEIGHTS, check_header, check_values, read_weights, write_weights

CONFIG = "config.json"
FILES = (CONFIG, WEIGHTS)


def write_model(folder: str | Path, config: ModelConfig, arrays: dict[str, np.ndarray]) -> None:
    """Write a model into an empty folder.

    Parameters
    ----------
    folder : str or Path
    config : ModelConfig
    arrays : dict of str to ndarray of float32
        Exactly the tensors of ``expected_tensors(config)``.

    Raises
    ------
    AAMError
        If a value is not finite, the arrays do not fit the config, or there is no space.
    """
    folder = Path(folder)
    try:
        write_json(folder / CONFIG, config.to_json())
        write_weights(folder / WEIGHTS, arrays)
        write_manifest(folder, FILES)
    except OSError as error:
        raise AAMError(
            f"The model could not be written: {error.strerror}.\nMake space, or set TMPDIR to a "
            "folder that has some, and run the same command again: it goes on where it ended."
        ) from error
    check_model(folder)


def check_model(folder: str | Path) -> ModelConfig:
    """Check everything about a model that can be known without running it; needs no torch.

    Nothing is read whole before its size is known to be right, so that a refusal is quick and
    takes little memory whatever the files say.

    Raises
    ------
    AAMError
        That names the file and what is wrong with it.
    """
    return _check(Path(folder))[0]


def read_model(folder: str | Path) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Read a model, strictly.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray of float32

    Raises
    ------
    AAMError
        As `check_model`.
    """
    config, version = _check(Path(folder))
    return config, read_weights(Path(folder) / WEIGHTS, version)


def _check(folder: Path) -> tuple[ModelConfig, int]:
    """Check everything, and return the version of the format beside the present config."""
    manifest = read_manifest(folder, FILES)
    config, version = _read_config(folder, manifest)
    layout = check_header(folder / WEIGHTS, expected_tensors(config), version)
    check_sum(folder, WEIGHTS, manifest)
    check_values(folder / WEIGHTS, layout, largest_positions(config))
    return config, version


def _read_config(folder: Path, manifest: dict) -> tuple[ModelConfig, int]:
    content = read_json(folder / CONFIG)
    check_sum(folder, CONFIG, manifest)
    try:
        return ModelConfig.from_json(content), content["format_version"]
    except AAMError as error:
        raise damaged(CONFIG, f"is not valid: {error}".rstrip(".")) from error
