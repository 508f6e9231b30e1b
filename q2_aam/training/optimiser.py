"""The optimiser: which weights are decayed, and which take larger steps."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from ..config import TrainingConfig

MOMENTUM = 0.9  # of SGD
HEAD_FACTOR = 10.0  # the target head starts from zero, the encoders from what they learned


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Build AdamW, Adam or SGD with momentum; the target head takes larger steps.

    Weight decay acts on matrices only.

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
    described = [
        {"params": weights, "factor": factor, "weight_decay": decay}
        for (factor, decay), weights in groups.items()
    ]
    build = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": partial(torch.optim.SGD, momentum=MOMENTUM),
    }[config.optimiser]
    return build(described, lr=config.learning_rate)
