"""The optimizer, and the learning rate of every step."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..config.training import TrainingConfig

MOMENTUM = 0.9  # of SGD
PERCEPTRON_DECAY = 1.0  # with less it learns its training samples by heart
ONE_CYCLE_START = 0.04  # of the learning rate
LONGEST_WARMUP = 0.1  # of the run


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Build AdamW, Adam or SGD with momentum; weight decay acts on matrices only.

    Biases, norms, lengths and embeddings are not decayed: pulling them to zero has no meaning. The
    attention head's perceptron is decayed more, by AdamW, whose decay is no part of the loss. See
    Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
    """
    embeddings = {id(one.weight) for one in network.modules() if isinstance(one, nn.Embedding)}
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    strong = {id(one) for name, one in network.named_parameters() if ".perceptron." in name}

    def decay_of(weight: nn.Parameter) -> float:
        if weight.ndim <= 1 or id(weight) in embeddings:
            return 0.0
        least = PERCEPTRON_DECAY if config.optimizer == "adamw" else 0.0
        return max(config.weight_decay, least if id(weight) in strong else 0.0)

    groups = [
        {"params": [one for one in trained if decay_of(one) == decay], "weight_decay": decay}
        for decay in sorted({decay_of(one) for one in trained}, reverse=True)
    ]
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    more = {"momentum": MOMENTUM} if config.optimizer == "sgd" else {}
    fused = all(weight.is_cuda for weight in trained) or None
    return kinds[config.optimizer](groups, lr=config.learning_rate, fused=fused, **more)


def learning_rate_at(
    step: int, steps_per_epoch: int, config: TrainingConfig, scores: Sequence[float] = ()
) -> float:
    """Return the learning rate of a step, which counts from 0 over the whole run: a pure function.

    ``plateau`` reads the monitored loss of each epoch so far. See Loshchilov and Hutter 2017,
    "SGDR: stochastic gradient descent with warm restarts"; Smith and Topin 2019,
    "Super-convergence" (one cycle).
    """
    schedule, steps = config.schedule, config.epochs * steps_per_epoch
    one_cycle = schedule == "one-cycle"
    start = ONE_CYCLE_START if one_cycle else 0.0
    share = LONGEST_WARMUP if one_cycle else min(config.warmup, LONGEST_WARMUP)
    warm = max(1, int(share * steps))
    if step < warm:
        return config.learning_rate * (start + (1 - start) * (step + 1) / warm)
    if schedule == "constant":
        return config.learning_rate
    if schedule == "plateau":
        reductions = _count_reductions(scores, config.plateau_patience)
        return config.learning_rate * max(config.min_lr, config.plateau_factor**reductions)
    progress = (step - warm) / max(1, steps - warm)
    if schedule == "cosine-restarts":
        epochs, period = (step - warm) / steps_per_epoch, float(config.restart_epochs)
        while epochs >= period:
            epochs, period = epochs - period, period * config.restart_multiplier
        progress = epochs / period
    factor = (1 + math.cos(math.pi * progress)) / 2
    return config.learning_rate * (config.min_lr + (1 - config.min_lr) * factor)


def _count_reductions(scores: Sequence[float], patience: int) -> int:
    """Count how often the score had not improved for `patience` epochs."""
    best, waited, reductions = math.inf, 0, 0
    for score in scores:
        waited = 0 if score < best else waited + 1
        best = min(best, score)
        if waited >= patience:
            reductions, waited = reductions + 1, 0
    return reductions
