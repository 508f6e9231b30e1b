"""Losses and metrics on samples that do not train the weights; every one of them is scored."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from ..inference import SAMPLES_AT_ONCE, predict_distances
from ..model.network import Network
from .objectives import objective_of
from .randomness import seed_validation
from .scores import pearson_r
from .seen_samples import SeenSamples, see_samples
from .steps import Task, batch_losses

MASKED = ("nucleotide", "abundance")  # losses that predict what was hidden


@torch.no_grad()
def validate(
    network: Network,
    task: Task,
    seed: int,
    embedded: Tensor | None = None,
    seen: list[SeenSamples] | None = None,
) -> dict[str, float]:
    """Score the validation samples.

    Parameters
    ----------
    network : Network
    task : Task
    seed : int
        Of the masks, which are the same in every epoch.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if they are known.
    seen : list of SeenSamples, optional
        What the network says of the validation samples, if that is known.

    Returns
    -------
    dict of str to float
        ``loss`` and each ``…_loss``; UniFrac over all pairs of a study, with Pearson's
        ``unifrac_r``; ``mean_absolute_error`` in the target's units, or the ``accuracy`` and
        ``balanced_accuracy`` of the classes.
    """
    network.eval()
    scores = _masked_losses(network, task, seed, embedded)
    if seen is None:
        seen = see_samples(network, task, task.validation, embedded)
    if "unifrac" in task.weights:
        scores |= _unifrac_scores(network, task, seen)
    if "target" in task.weights:
        scores |= _target_scores(network, task, seen)
    network.train()
    total = sum(task.weights[name] * scores.get(f"{name}_loss", 0.0) for name in task.weights)
    return {"loss": total} | scores


def _masked_losses(network, task: Task, seed: int, embedded) -> dict[str, float]:
    """Average the losses that need masks over batches, weighted by their samples."""
    masked = {name: task.weights[name] for name in MASKED if name in task.weights}
    if not masked:
        return {}
    only = dataclasses.replace(task, weights=masked)
    sums, number = dict.fromkeys((f"{name}_loss" for name in masked), 0.0), 0
    for study, samples in enumerate(task.validation):
        for start in range(0, len(samples), SAMPLES_AT_ONCE):
            part = samples[start : start + SAMPLES_AT_ONCE]
            seed_validation(seed, number)
            found = batch_losses(network, only, study, part, embedded)
            for name in sums:
                sums[name] += float(found[name]) * len(part)
            number += len(part)
    return {name: value / number for name, value in sums.items()}


def _unifrac_scores(network, task: Task, seen: list[SeenSamples]) -> dict[str, float]:
    pairs = unifrac_pairs(network, task, seen)
    if pairs is None:
        return {}
    predicted, actual = pairs
    loss = float(np.square(predicted - actual).mean())
    return {"unifrac_loss": loss, "unifrac_r": pearson_r(predicted, actual)}


def unifrac_pairs(
    network: Network, task: Task, seen: list[SeenSamples]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Predict UniFrac of all pairs of samples of a study.

    Parameters
    ----------
    network : Network
    task : Task
    seen : list of SeenSamples

    Returns
    -------
    predicted, actual : ndarray of float64, (pairs,)
        None instead of both if there is no pair.
    """
    predicted, actual = [], []
    for study, samples, state, _ in seen:
        distances = task.studies.studies[study].distances
        if distances is None or len(samples) < 2:
            continue
        upper = np.triu_indices(len(samples), 1)
        held = task.studies.studies[study].abundances[samples]
        predicted.append(predict_distances(network, state, held)[upper].astype(np.float64))
        actual.append(distances.block(samples)[upper].astype(np.float64))
    return (np.concatenate(predicted), np.concatenate(actual)) if predicted else None


def _target_scores(network, task: Task, seen: list[SeenSamples]) -> dict[str, float]:
    ((_, samples, _, predicted),) = seen
    objective = objective_of(network.config.target)
    predictions, actual = predicted.cpu().numpy().astype(np.float64), task.targets[samples]
    weights = task.sample_weights[samples].astype(np.float64)
    loss = objective.loss_of_predictions(predictions, actual, weights)
    return {"target_loss": loss} | objective.scores(predictions, actual)
