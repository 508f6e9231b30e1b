"""The optimiser and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..config import TrainingConfig


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Build AdamW with weight decay on matrices only.

    Biases, norms, lengths and embeddings are not decayed: pulling them to zero has no meaning.

    References
    ----------
    Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
    """
    embeddings = {
        id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)
    }
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    decayed = [w for w in trained if w.ndim > 1 and id(w) not in embeddings]
    others = [w for w in trained if w.ndim <= 1 or id(w) in embeddings]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


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
