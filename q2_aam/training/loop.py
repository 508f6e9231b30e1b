"""The training loop: epochs of shuffled batches, validation, one best model, early stopping."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from ..config import TrainingConfig
from ..data.batches import epoch_order
from ..errors import AAMError, examples
from ..inference import embed_asvs
from ..model.network import Network
from .optimiser import build_optimiser, learning_rate_at
from .randomness import seed_step
from .steps import Task, batch_losses
from .validation import validate

CHECK_EVERY = 10  # steps between looks at losses, each of which waits for the device


@dataclass
class Progress:
    """What a run has reached at the end of an epoch.

    Attributes
    ----------
    history : list of dict
        One row an epoch: losses, metrics, learning rate, gradient norm, speed.
    best : dict of str to Tensor
        The tensors of the best epoch.
    best_epoch : int
        From 1; 0 before the first.
    best_score : float
        Its monitored loss.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = math.inf


def train(
    network: Network,
    task: Task,
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str]:
    """Train until the epochs are over or validation stops improving; leave the best weights.

    Parameters
    ----------
    network : Network
        Changed in place; ends with the weights of the best epoch, in evaluation mode.
    task : Task
    config : TrainingConfig
    accelerator : Accelerator
        Decides device and precision.
    journal : Journal
        Told of the split, of each step and of each epoch.

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped, in words.

    Raises
    ------
    AAMError
        If a loss, gradient or weight is not finite.
    """
    journal.split(task)
    network.set_dropout(config.dropout)
    optimiser = accelerator.prepare(build_optimiser(network, config))
    embedded = _embed_once(network, task) if config.freeze_encoder else None
    progress = Progress()
    reason = f"all {config.epochs} epochs were trained"
    for epoch in range(config.epochs):
        started = time.perf_counter()
        row = _train_epoch(network, task, config, accelerator, optimiser, embedded, epoch, journal)
        if any(len(samples) for samples in task.validation):
            scores = validate(network, task, config.random_seed, embedded)
            row |= {f"validation_{name}": value for name, value in scores.items()}
        row["seconds"] = time.perf_counter() - started
        _keep_best(progress, network, task, row)
        journal.on_epoch(progress)
        if epoch + 1 - progress.best_epoch >= config.patience:
            reason = f"{task.monitored} had not improved for {config.patience} epochs"
            break
    network.load_state_dict(progress.best)
    network.eval()
    return progress, reason


def _embed_once(network: Network, task: Task) -> Tensor:
    network.eval()
    return embed_asvs(network, task.studies.asvs, np.arange(len(task.studies.asvs)))


def _train_epoch(
    network, task, config, accelerator, optimiser, embedded, epoch: int, journal
) -> dict[str, float]:
    """Train one epoch and return its row of the history."""
    network.train()
    started = time.perf_counter()
    order = epoch_order(task.training, config.batch_size, config.random_seed, epoch)
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    watched: list[tuple[np.ndarray, int, Tensor]] = []
    sums: dict[str, Tensor] = {}
    for step, (study, samples) in enumerate(order):
        seed_step(config.random_seed, epoch, step)
        rate = learning_rate_at(epoch * len(order) + step, config.epochs * len(order), config)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with accelerator.autocast():
            found = batch_losses(network, task, study, samples, embedded)
        accelerator.backward(found["loss"])
        norm = accelerator.clip_grad_norm_(weights, config.gradient_clipping)
        optimiser.step()
        optimiser.zero_grad()
        found["gradient_norm"] = norm
        for name, value in found.items():
            sums[name] = sums.get(name, 0) + value.detach() * len(samples)
        watched.append((samples, study, torch.stack([found["loss"].detach(), norm])))
        if len(watched) == CHECK_EVERY or step + 1 == len(order):
            _check_finite(watched, task, epoch, step, weights, rate)
            watched.clear()
        journal.on_step(step + 1, len(order))
    number = sum(len(samples) for samples in task.training)
    means = {name: float(value) / number for name, value in sums.items()}
    return {
        "epoch": epoch + 1,
        "learning_rate": rate,
        "gradient_norm": means.pop("gradient_norm"),
        "samples_per_second": number / (time.perf_counter() - started),
    } | {f"train_{name}": value for name, value in means.items()}


def _check_finite(watched, task: Task, epoch: int, step: int, weights, rate: float) -> None:
    finite = torch.isfinite(torch.stack([values for *_, values in watched])).all(dim=1)
    sound = all(torch.stack([torch.isfinite(weight).all() for weight in weights]).tolist())
    if sound and bool(finite.all()):
        return
    first = 0 if bool(finite.all()) else int(finite.logical_not().nonzero()[0, 0])
    samples, study, _ = watched[first]
    names = [task.studies.studies[study].sample_ids[position] for position in samples]
    raise AAMError(
        "Training stopped, because a loss, gradient or weight is no longer a finite number "
        f"(epoch {epoch + 1}, step {step + 1 - len(watched) + first + 1}; learning rate {rate:.2g})."
        f"\nThe batch held the samples {examples(names)}.\nNothing of this state is kept. Lower "
        "the learning rate, or check these samples' values."
    )


def _keep_best(progress: Progress, network: Network, task: Task, row: dict[str, float]) -> None:
    progress.history.append(row)
    score = row.get(f"validation_{task.monitored}", row[f"train_{task.monitored}"])
    if score < progress.best_score:
        progress.best_score, progress.best_epoch = score, row["epoch"]
        progress.best = copy.deepcopy(network.state_dict())
