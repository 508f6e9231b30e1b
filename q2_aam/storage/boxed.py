"""The encoder that ships with q2-aam: stored in half precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ..config import ModelConfig

BUNDLED = "bundled encoder 1 (Greengenes 13_8)"  # its name in logs, and on pages
BOX = Path(__file__).parents[1] / "encoders"
CONFIG, WEIGHTS = "config.json", "weights.safetensors"


def read_boxed(folder: Path = BOX) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Read the encoder in the box, in single precision."""
    config = ModelConfig.from_json(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    half = load_file(str(folder / WEIGHTS))
    return config, {name: array.astype(np.float32) for name, array in half.items()}
