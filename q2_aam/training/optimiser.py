"""The optimiser and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..config import TrainingConfig

HEAD_FACTOR = 10.0  # the target head starts from zero, the encoders from what they learned


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Build AdamW with weight decay on matrices only, and larger steps for the target head.

    Biases, norms, lengths and embeddings are not decayed: pulling them to zero has no meaning.
    Each group has a ``factor``, by which the learning rate is multiplied.

    References
    ----------
    Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
    """
    embeddings = {
        id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            factor = HEAD_FACTOR if name.startswith("target_head.") else 1.0
            decayed = weight.ndim > 1 and id(weight) not in embeddings
            key = (factor, config.weight_decay if decayed else 0.0)
            groups.setdefault(key, []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "factor": factor, "weight_decay": decay}
            for (factor, decay), weights in groups.items()
        ],
        lr=config.learning_rate,
    )


def learning_rate_at(step: int, steps: int, config: TrainingConfig) -> float:
    """Warm up linearly, then fall along half a cosine to a hundredth.

    Parameters
    ----------
    step : int
        From 0 to steps - 1.
    steps : int
        Of the whole run, if it is not stopped early.
    config : TrainingConfig

    References
    ----------
    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """
    warm = max(1, round(config.warmup * steps))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
