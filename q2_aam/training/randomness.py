"""Everything random is a function of (seed, epoch, step), so that nothing need be stored."""

from __future__ import annotations

import numpy as np
import torch

_TRAINING, _VALIDATION, _WEIGHTS = range(3)


def seed_weights(seed: int) -> None:
    """Seed the initialisation of weights."""
    _seed(seed, _WEIGHTS, 0, 0)


def seed_step(seed: int, epoch: int, step: int) -> None:
    """Seed the masks and the dropout of one training step."""
    _seed(seed, _TRAINING, epoch, step)


def seed_validation(seed: int, step: int) -> None:
    """Seed the masks of one validation batch; they are the same in every epoch."""
    _seed(seed, _VALIDATION, 0, step)


def _seed(seed: int, purpose: int, epoch: int, step: int) -> None:
    state = np.random.SeedSequence([seed, purpose, epoch, step]).generate_state(2, np.uint32)
    torch.manual_seed(int(state[0]) << 31 ^ int(state[1]))
