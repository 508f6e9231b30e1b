"""The optimizer, and the learning rate of every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from ..config import TrainingConfig

MOMENTUM = 0.9  # of SGD
ONE_CYCLE_START = 0.04  # of the learning rate
LONGEST_WARMUP = 0.1  # of the run


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
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
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    build = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": partial(torch.optim.SGD, momentum=MOMENTUM),
    }[config.optimizer]
    on_gpu = all(weight.is_cuda for weight in trained)
    return build(groups, lr=config.learning_rate, fused=on_gpu or None)


def learning_rate_at(
    step: int, steps_per_epoch: int, config: TrainingConfig, scores: Sequence[float] = ()
) -> float:
    """Return the learning rate of a step: a pure function of the step and of past scores.

    Parameters
    ----------
    step : int
        From 0, over the whole run.
    steps_per_epoch : int
    config : TrainingConfig
        Each schedule begins with a linear warm-up.
    scores : sequence of float
        Monitored loss of each epoch so far; only ``plateau`` reads them.

    References
    ----------
    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts";
    Smith and Topin 2019, "Super-convergence" (one cycle).
    """
    steps = config.epochs * steps_per_epoch
    warm = max(1, int(min(config.warmup, LONGEST_WARMUP) * steps))
    start = 0.0
    if config.schedule == "one-cycle":
        warm, start = max(1, int(LONGEST_WARMUP * steps)), ONE_CYCLE_START
    if step < warm:
        return config.learning_rate * (start + (1 - start) * (step + 1) / warm)
    after, left = step - warm, max(1, steps - warm)
    factor = {
        "constant": lambda: 1.0,
        "cosine": lambda: _half_cosine(after / left),
        "one-cycle": lambda: _half_cosine(after / left),
        "cosine-restarts": lambda: _restarting(after / steps_per_epoch, config),
        "plateau": lambda: config.plateau_factor ** _reductions(scores, config.plateau_patience),
    }[config.schedule]()
    lowest = config.min_lr if config.schedule != "constant" else 0.0
    if config.schedule == "plateau":
        return config.learning_rate * max(lowest, factor)
    return config.learning_rate * (lowest + (1 - lowest) * factor)


def _half_cosine(progress: float) -> float:
    """Fall from 1 to 0 while progress goes from 0 to 1."""
    return (1 + math.cos(math.pi * progress)) / 2


def _restarting(epochs: float, config: TrainingConfig) -> float:
    """Fall along a cosine and start again; each period is longer by the multiplier."""
    period = float(config.restart_epochs)
    while epochs >= period:
        epochs -= period
        period *= config.restart_multiplier
    return _half_cosine(epochs / period)


def _reductions(scores: Sequence[float], patience: int) -> int:
    """Count how often the score had not improved for `patience` epochs."""
    best, waited, reductions = math.inf, 0, 0
    for score in scores:
        waited = 0 if score < best else waited + 1
        best = min(best, score)
        if waited >= patience:
            reductions, waited = reductions + 1, 0
    return reductions
