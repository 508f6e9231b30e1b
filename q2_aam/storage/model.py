"""A model on disk: config.json, weights.safetensors and manifest.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..config import ModelConfig, expected_tensors
from ..errors import AAMError
from .manifest import check_manifest, damaged, read_json, write_json, write_manifest
from .weights import WEIGHTS, check_weights, read_weights, write_weights

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
    """
    folder = Path(folder)
    write_json(folder / CONFIG, config.to_json())
    write_weights(folder / WEIGHTS, arrays)
    write_manifest(folder, FILES)
    check_model(folder)


def check_model(folder: str | Path) -> ModelConfig:
    """Check everything about a model that can be known without running it; needs no torch.

    Raises
    ------
    AAMError
        That names the file and what is wrong with it.
    """
    folder = Path(folder)
    check_manifest(folder, FILES)
    config = _read_config(folder)
    check_weights(folder / WEIGHTS, expected_tensors(config))
    return config


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
    folder = Path(folder)
    check_manifest(folder, FILES)
    config = _read_config(folder)
    return config, read_weights(folder / WEIGHTS, expected_tensors(config))


def _read_config(folder: Path) -> ModelConfig:
    try:
        return ModelConfig.from_json(read_json(folder / CONFIG))
    except AAMError as error:
        if CONFIG in str(error):
            raise
        raise damaged(CONFIG, f"is not valid: {error}") from error
