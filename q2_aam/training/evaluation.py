"""What a network predicts of samples that do not train it: forward passes, scores, what is kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..config import Target
from ..data.study import held_asvs
from ..data.tokens import Asvs
from ..inference import SAMPLES_AT_ONCE, embed_asvs, join_states, predict_distances, sample_states
from ..model.network import Network, SampleState
from . import distributed
from .init import seed_validation
from .losses import Step, Task, batch_losses, gather_own, prepare_step, unifrac_scores
from .objectives import objective_of

MASKED = ("nucleotide", "abundance")  # losses that predict what was hidden


@torch.no_grad()
def validate(
    network: Network, task: Task, seed: int, embedded: Tensor | None = None
) -> dict[str, float]:
    """Score the validation samples; every process reads its share of them.

    Parameters
    ----------
    network : Network
    task : Task
    seed : int
        Of the masks, which are the same in every epoch.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if they are known.

    Returns
    -------
    dict of str to float
        ``loss`` and each ``…_loss``; UniFrac over all pairs of a study, with Pearson's
        ``unifrac_r`` and ``unifrac_r2``; ``mean_absolute_error`` in the target's units, or the
        ``accuracy`` and ``balanced_accuracy`` of the classes.
    """
    network.eval()
    if embedded is None:  # once for all that is scored
        held = held_asvs(task.studies, task.validation)
        embedded = embed_divided(network, task.studies.asvs, held)
    scores = _masked_losses(network, task, seed, embedded)
    outputs = forward_samples(network, task, task.validation, embedded)
    if "unifrac" in task.weights:
        scores |= _unifrac_scores(network, task, outputs)
    if "target" in task.weights:
        scores |= _target_scores(network, task, outputs)
    total = sum(task.weights[name] * scores.get(f"{name}_loss", 0.0) for name in task.weights)
    return {"loss": total} | scores


@torch.no_grad()
def embed_divided(network: Network, asvs: Asvs, held: np.ndarray) -> Tensor:
    """Embed the ASVs at some positions, each process its share: (asvs, D), zeros for the others."""
    share = distributed.own_rows(len(held))
    own = held[share] if share.stop > share.start else held[:1]
    embedded = embed_asvs(network, asvs, own)[: share.stop - share.start]
    found = distributed.gather_rows(embedded, len(held))
    rows = torch.from_numpy(held).to(found.device)
    return found.new_zeros(len(asvs), found.shape[1]).index_copy(0, rows, found)


def _masked_losses(network, task: Task, seed: int, embedded) -> dict[str, float]:
    """Average the losses that need masks over batches, weighted by their samples."""
    masked = {name: task.weights[name] for name in MASKED if name in task.weights}
    if not masked:
        return {}
    only = dataclasses.replace(task, weights=masked)
    sums, number = dict.fromkeys((f"{name}_loss" for name in masked), 0.0), 0
    for study, samples in enumerate(task.validation):
        for start in range(0, len(samples), SAMPLES_AT_ONCE):
            step = Step(study, samples[start : start + SAMPLES_AT_ONCE])
            seed_validation(seed, number)
            prepared = prepare_step(task.studies, step)
            found = batch_losses(network, only, step, prepared, embedded)
            for name in sums:
                sums[name] += float(found[name]) * len(step.samples)
            number += len(step.samples)
    return {name: value / number for name, value in sums.items()}


def _unifrac_scores(network, task: Task, outputs: list[StudyOutputs]) -> dict[str, float]:
    pairs = unifrac_pairs(network, task, outputs)
    if pairs is None:
        return {}
    predicted, actual = pairs
    loss = float(np.square(predicted - actual).mean())
    return {"unifrac_loss": loss} | unifrac_scores(predicted, actual)


def unifrac_pairs(
    network: Network, task: Task, outputs: list[StudyOutputs]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Predict UniFrac of all pairs of samples of a study.

    Parameters
    ----------
    network : Network
    task : Task
    outputs : list of StudyOutputs

    Returns
    -------
    predicted, actual : ndarray of float64, (pairs,)
        None instead of both if there is no pair.
    """
    predicted, actual = [], []
    for study, samples, state, _ in outputs:
        distances = task.studies.studies[study].distances
        if distances is None or len(samples) < 2:
            continue
        upper = np.triu_indices(len(samples), 1)
        held = task.studies.studies[study].abundances[samples]
        predicted.append(predict_distances(network, state, held)[upper].astype(np.float64))
        actual.append(distances.block(samples)[upper].astype(np.float64))
    return (np.concatenate(predicted), np.concatenate(actual)) if predicted else None


def _target_scores(network, task: Task, outputs: list[StudyOutputs]) -> dict[str, float]:
    ((_, samples, _, predicted),) = outputs
    objective = objective_of(network.config.target)
    predictions, actual = predicted.cpu().numpy().astype(np.float64), task.targets[samples]
    weights = task.sample_weights[samples].astype(np.float64)
    loss = objective.loss_of_predictions(predictions, actual, weights)
    return {"target_loss": loss} | objective.scores(predictions, actual)


class StudyOutputs(NamedTuple):
    """What is kept of some samples of a study; features, which are many, are not.

    Attributes
    ----------
    study : int
    samples : ndarray of int64
        Positions in the study.
    state : SampleState or None
        What distances are predicted from, if they are learned.
    predictions : Tensor, (B, O), or None
        Of the target by its attention head, if a target is learned.
    """

    study: int
    samples: np.ndarray
    state: SampleState | None
    predictions: Tensor | None


@torch.no_grad()
def forward_samples(
    network: Network, task: Task, of_studies: list[np.ndarray], embedded: Tensor | None = None
) -> list[StudyOutputs]:
    """Read samples as far as a task needs them; every process reads its share.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    task : Task
    of_studies : list of ndarray of int64
        Positions of samples in each study; studies without any are left out.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs that they hold, if these are known.
    """
    distances, target = "unifrac" in task.weights, "target" in task.weights
    if not (distances or target):
        return []
    needed = network.parts_for(distances, target)
    compared = network.parts_for(distances, target=False)
    outputs = []
    for study, samples in enumerate(of_studies):
        if not len(samples):
            continue
        share = distributed.own_rows(len(samples))
        own = samples[share] if share.stop > share.start else samples[:1]
        kept, predicted = [], []
        for state in sample_states(network, task.studies, study, own, embedded, needed):
            pooled = state.pooled if compared.attend else None
            kept.append(SampleState(pooled, None, state.presence, None))
            if target:
                raw = network.attention_outputs(state)
                predicted.append(network.target_head.attention.predictions(raw))
        number, state = len(samples), join_states(kept) if distances else None
        if distances:
            parts = (None if part is None else gather_own(part, number) for part in state)
            state = SampleState(*parts)
        predictions = gather_own(torch.cat(predicted), number) if target else None
        outputs.append(StudyOutputs(study, samples, state, predictions))
    return outputs


MOST_COMPARED = 1000  # samples of a study whose distances are shown


@dataclass(frozen=True)
class FinalPredictions:
    """Predictions beside the truth.

    Attributes
    ----------
    part : str
        ``validation``, or ``train`` if no samples validate.
    samples : int
        How many there are.
    target : Target or None
    predictions : ndarray of float64, (samples, O), or None
        See `q2_aam.inference.predict_answers`.
    targets : ndarray, (samples,), or None
        What was to be learned.
    distances : tuple of two ndarrays of float64, (pairs,), or None
        Predicted and actual UniFrac of the samples of each study.
    """

    part: str
    samples: int
    target: Target | None = None
    predictions: np.ndarray | None = None
    targets: np.ndarray | None = None
    distances: tuple[np.ndarray, np.ndarray] | None = None


@torch.no_grad()
def predict_final(
    network: Network, task: Task, embedded: torch.Tensor | None = None
) -> FinalPredictions:
    """Predict distances among samples that did not train the weights, else those that did.

    Parameters
    ----------
    network : Network
        In evaluation mode, with the weights that are kept.
    task : Task
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs that they hold, if these are known.
    """
    validated = any(len(samples) for samples in task.validation)
    of_studies = task.validation if validated else task.training
    part, number = "validation" if validated else "train", sum(map(len, of_studies))
    if "unifrac" not in task.weights:
        return FinalPredictions(part, number)
    some = [_some(samples) for samples in of_studies]
    outputs = forward_samples(network, task, some, embedded)
    return FinalPredictions(part, number, distances=unifrac_pairs(network, task, outputs))


def _some(samples: np.ndarray) -> np.ndarray:
    if len(samples) <= MOST_COMPARED:
        return samples
    return np.sort(np.random.default_rng(0).choice(samples, MOST_COMPARED, replace=False))
