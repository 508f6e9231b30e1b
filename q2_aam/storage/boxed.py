"""The encoder that ships with q2-aam: stored in half precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ..config import ModelConfig

BUNDLED = "bundled encoder 1 (Greengenes 13_8)"  # its name in logs, and on pages
BOX = Path(__file__).parents[1] / "encoders"
_CONFIG, _WEIGHTS = "config.json", "weights.safetensors"


def write_boxed(folder: Path, config: ModelConfig, arrays: dict[str, np.ndarray]) -> None:
    """Write an encoder; half precision costs a thousandth of each weight."""
    content = json.dumps(config.to_json(), indent=1, sort_keys=True)
    (folder / _CONFIG).write_text(content + "\n", encoding="utf-8")
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    save_file(half, str(folder / _WEIGHTS))


def read_boxed(folder: Path = BOX) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Read the encoder in the box, in single precision."""
    config = ModelConfig.from_json(json.loads((folder / _CONFIG).read_text(encoding="utf-8")))
    half = load_file(str(folder / _WEIGHTS))
    return config, {name: array.astype(np.float32) for name, array in half.items()}
