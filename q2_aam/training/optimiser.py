"""The optimiser: which weights are decayed, and which take larger steps."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from ..config import TrainingConfig

MOMENTUM = 0.9  # of SGD


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Build AdamW, Adam or SGD with momentum; weight decay acts on matrices only.

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
    described = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    build = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": partial(torch.optim.SGD, momentum=MOMENTUM),
    }[config.optimizer]
    on_gpu = all(weight.is_cuda for weight in trained)
    return build(described, lr=config.learning_rate, fused=on_gpu or None)
