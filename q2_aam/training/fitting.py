"""Fitting: learn a target from labelled samples, from an encoder or from nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from accelerate import Accelerator

from ..config import ModelConfig, TargetConfig, TrainingConfig
from ..data.study import Studies
from ..inference import all_states, predict_targets
from ..model.network import Network
from .loop import Trainer
from .progress import Progress
from .steps import Task, weights_of


def scale_target(name: str, values: np.ndarray, scaling: str) -> TargetConfig:
    """Describe a target by statistics of the training samples.

    Parameters
    ----------
    name : str
        The metadata column.
    values : ndarray of float64, (samples,)
        Of the training samples only; not all equal.
    scaling : str
        ``none``, ``min-max`` or ``z-score``.

    Returns
    -------
    TargetConfig
    """
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    location, scale = {
        "none": (0.0, 1.0),
        "min-max": (low, high - low),
        "z-score": (mean, float(values.std())),
    }[scaling]
    return TargetConfig(name, scaling, location, scale, low, high, mean)


def freeze_encoder(network: Network) -> None:
    """Keep the ASV encoder and the branches as they are, and so the distances that they give."""
    for part in (network.asv_encoder, network.branches, network.distance_head):
        part.requires_grad_(False)


def distance_state_after(config: ModelConfig, task: Task, frozen: bool) -> str:
    """Say whether the distance head still fits the embeddings after training."""
    if "unifrac" in task.weights:
        return "trained"
    kept = frozen and config.distance_form == "branches"
    return "stale" if config.distance_state == "trained" and not kept else config.distance_state


def fit(
    network: Network,
    studies: Studies,
    values: np.ndarray,
    split: tuple[np.ndarray, np.ndarray],
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str]:
    """Train a network that has a target head.

    Parameters
    ----------
    network : Network
    studies : Studies
        One study, of the labelled samples.
    values : ndarray of float64, (samples,)
        The target of each sample, in its units.
    split : tuple of ndarray of int64
        Positions of the training and of the validation samples.
    config : TrainingConfig
    accelerator : Accelerator
    journal : Journal

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    """
    target = network.config.target
    scaled = ((values - target.location) / target.scale).astype(np.float32)
    with torch.no_grad():  # start from the mean
        network.target_head.pooled.bias.fill_((target.mean - target.location) / target.scale)
    if config.freeze_encoder:
        freeze_encoder(network)
    weights = weights_of(config, studies.studies[0].distances is not None, target=True)
    training, validation = split
    task = Task(studies, [training], [validation], scaled, weights, "target_loss")
    progress, reason = Trainer(network, task, config, accelerator, journal).run()
    state = distance_state_after(network.config, task, config.freeze_encoder)
    residuals = validation_residuals(network, studies, values, validation)
    network.config = dataclasses.replace(
        network.config,
        distance_state=state,
        target=dataclasses.replace(target, residuals=residuals),
    )
    return progress, reason


def validation_residuals(
    network: Network, studies: Studies, values: np.ndarray, validation: np.ndarray
) -> tuple[float, ...]:
    """Sorted absolute errors of samples that did not train the weights, in the target's units."""
    if not len(validation):
        return ()
    predicted = predict_targets(network, all_states(network, studies, 0, validation))
    return tuple(np.sort(np.abs(predicted - values[validation])).tolist())
