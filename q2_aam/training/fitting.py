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
from .ridge import solve_ridge_reader
from .steps import Task, weights_of


@dataclasses.dataclass(frozen=True)
class Labels:
    """What is known of a study's samples, by position.

    Attributes
    ----------
    values : ndarray of float64, (samples,)
        The target, in its units.
    groups : ndarray of int64, (samples,)
        Samples of one group are never divided.
    training, validation : ndarray of int64
        Positions of the samples that train the weights and of those that do not.
    """

    values: np.ndarray
    groups: np.ndarray
    training: np.ndarray
    validation: np.ndarray


def describe_target(name: str, values: np.ndarray, scaling: str, known_asvs: int) -> TargetConfig:
    """Describe a target by statistics of the training samples.

    Parameters
    ----------
    name : str
        The metadata column.
    values : ndarray of float64, (samples,)
        Of the training samples only; not all equal.
    scaling : str
        ``none``, ``min-max`` or ``z-score``.
    known_asvs : int
        ASVs that are to be read by identity.

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
    return TargetConfig(name, scaling, location, scale, low, high, mean, known_asvs)


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
    labels: Labels,
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str]:
    """Train a network that has a target head.

    Parameters
    ----------
    network : Network
    studies : Studies
        One study, of the labelled samples, with the ASVs known by identity.
    labels : Labelled
        What is known of its samples.
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
    scaled = ((labels.values - target.location) / target.scale).astype(np.float32)
    weights = weights_of(config, studies.studies[0].distances is not None, target=True)
    training, validation = [labels.training], [labels.validation]
    task = Task(studies, training, validation, scaled, weights, "target_loss", labels.groups)
    if config.freeze_encoder:
        freeze_encoder(network)
    start_readers(network, task, config.random_seed)
    progress, reason = Trainer(network, task, config, accelerator, journal).run()
    residuals = validation_residuals(network, studies, labels)
    everything = np.sort(np.concatenate([labels.training, labels.validation]))
    solve_ridge_reader(network, task, everything, config.random_seed)
    network.config = dataclasses.replace(
        network.config,
        distance_state=distance_state_after(network.config, task, config.freeze_encoder),
        target=dataclasses.replace(target, residuals=residuals),
    )
    return progress, reason


@torch.no_grad()
def remember_asvs(network: Network, tokens: np.ndarray) -> None:
    """Store the tokens (N, width) of the ASVs that the target head knows by identity."""
    network.target_head.known_asvs.copy_(torch.from_numpy(tokens))


@torch.no_grad()
def start_readers(network: Network, task: Task, seed: int) -> None:
    """Fit the scaling of both blocks, start from the target's mean, and solve the ridge reader."""
    head, (samples,) = network.target_head, task.training
    state = all_states(network, task.studies, 0, samples)
    head.known_scaling.fit(state.known)
    head.branch_scaling.fit(state.abundance)
    head.pooled.bias.fill_(float(task.targets[samples].mean()))
    solve_ridge_reader(network, task, samples, seed)


def validation_residuals(network: Network, studies: Studies, labels: Labels) -> tuple[float, ...]:
    """Sorted absolute errors of samples that did not train the weights, in the target's units."""
    if not len(labels.validation):
        return ()
    state = all_states(network, studies, 0, labels.validation)
    errors = predict_targets(network, state) - labels.values[labels.validation]
    return tuple(np.sort(np.abs(errors)).tolist())
