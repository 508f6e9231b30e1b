"""Fitting: learn a target from labelled samples, from an encoder or from nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from accelerate import Accelerator

from ..config import ModelConfig, RegressionTarget, TrainingConfig
from ..conformal import kept_scores, nonconformity
from ..data.study import Studies, held_asvs
from ..inference import embed_asvs, embed_held, sample_states
from ..model.network import Network
from .clades import grow_clades, renew_clades
from .loop import Trainer
from .objectives import objective_of
from .progress import Progress
from .reader_choice import choose_readers
from .ridge import solve_ridge_reader
from .shown_predictions import ShownPredictions, predict_shown
from .steps import Task, weights_of
from .trees import grow_tree_reader


@dataclasses.dataclass(frozen=True)
class Labels:
    """What is known of a study's samples, by position.

    Attributes
    ----------
    targets : ndarray, (samples,)
        Scaled numbers (float64), or positions among the classes (int64).
    groups : ndarray of int64, (samples,)
        Samples of one group are never divided.
    training, validation : ndarray of int64
        Positions of the samples that train the weights and of those that do not.
    """

    targets: np.ndarray
    groups: np.ndarray
    training: np.ndarray
    validation: np.ndarray


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


def class_balance(labels: Labels, class_weights: str) -> np.ndarray:
    """Weigh samples so that all classes of the training samples count alike, if so wished.

    Returns
    -------
    ndarray of float32, (samples,)
        All 1 for numbers, and if `class_weights` is ``none``.
    """
    if class_weights == "none":
        return np.ones(len(labels.targets), dtype=np.float32)
    counts = np.bincount(labels.targets[labels.training], minlength=labels.targets.max() + 1)
    wanted = len(labels.training) / (len(counts) * np.maximum(counts, 1))
    return wanted[labels.targets].astype(np.float32)


def fit(
    network: Network,
    studies: Studies,
    labels: Labels,
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str, ShownPredictions]:
    """Train a network that has a target head.

    Parameters
    ----------
    network : Network
    studies : Studies
        One study, of the labelled samples, with the ASVs known by identity.
    labels : Labels
        What is known of its samples.
    config : TrainingConfig
    accelerator : Accelerator
    journal : Journal

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    shown : ShownPredictions
        What the kept model says of the validation samples.
    """
    task = fitting_task(network, studies, labels, config)
    progress, reason = Trainer(network, task, config, accelerator, journal).run()
    everything = np.sort(np.concatenate([labels.training, labels.validation]))
    embedded = _embeddings(network, task, everything)
    choose_readers(network, task, embedded)
    shown = predict_shown(network, task, embedded)  # before the solved readers read them too
    target = with_residuals(shown, labels)
    if task.embedded is None:  # else the clades are as they were
        renew_clades(network, task, everything, config.random_seed, embedded)
    solve_readers(network, task, everything, config.random_seed, embedded)
    network.config = dataclasses.replace(
        network.config,
        distance_state=distance_state_after(network.config, task, config.freeze_encoder),
        target=target,
    )
    return progress, reason, shown


def fitting_task(
    network: Network, studies: Studies, labels: Labels, config: TrainingConfig
) -> Task:
    """Say what is learned, and bring a network to where fitting starts (see `fit`)."""
    objective = objective_of(network.config.target)
    weights = weights_of(config, studies.studies[0].distances is not None, target=True)
    task = Task(
        studies,
        [labels.training],
        [labels.validation],
        labels.targets.astype(objective.dtype),
        weights,
        "target_loss",
        labels.groups,
        class_balance(labels, config.class_weights),
    )
    if config.freeze_encoder:
        freeze_encoder(network)
        everything = np.arange(len(studies.asvs))
        task = dataclasses.replace(
            task, embedded=embed_asvs(network.eval(), studies.asvs, everything)
        )
    start_readers(network, task, config.random_seed)
    return task


def _embeddings(network: Network, task: Task, samples: np.ndarray) -> torch.Tensor:
    """Embed the ASVs of some samples, unless they are as they were."""
    if task.embedded is not None:
        return task.embedded
    return embed_held(network.eval(), task.studies.asvs, held_asvs(task.studies, [samples]))


@torch.no_grad()
def remember_asvs(network: Network, tokens: np.ndarray) -> None:
    """Store the tokens (N, width) of the ASVs that the target head knows by identity."""
    network.target_head.known_asvs.copy_(torch.from_numpy(tokens))


@torch.no_grad()
def start_readers(network: Network, task: Task, seed: int) -> None:
    """Fit the scaling of blocks, start from what is right on average, solve the other readers."""
    head, (samples,) = network.eval().target_head, task.training
    embedded = _embeddings(network, task, samples)
    grow_clades(network, task, samples, seed, embedded)
    states = sample_states(network, task.studies, 0, samples, embedded, network.parts_to_solve())
    head.fit_scaling(state.features for state in states)
    objective = objective_of(network.config.target)
    start = objective.start(task.targets[samples], task.sample_weights[samples])
    head.pooled.bias.copy_(torch.from_numpy(start))
    solve_readers(network, task, samples, seed, embedded)


def solve_readers(
    network: Network, task: Task, samples: np.ndarray, seed: int, embedded: torch.Tensor
) -> None:
    """Solve for the ridge reader and grow the tree reader on some samples."""
    ridge = solve_ridge_reader(network, task, samples, seed, embedded)
    grow_tree_reader(network, task, samples, seed, ridge, embedded)


def with_residuals(shown: ShownPredictions, labels: Labels):
    """Add to a target how far off the model is on samples that did not train the weights."""
    target = shown.target
    if not isinstance(target, RegressionTarget) or not len(labels.validation):
        return target
    residuals = nonconformity(shown.answers, labels.targets[labels.validation])
    return dataclasses.replace(target, residuals=kept_scores(residuals))
