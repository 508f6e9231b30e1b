"""What one batch costs: the losses of the heads that are on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import TrainingConfig
from ..data.batches import Batch, asv_tokens, build_batch
from ..data.study import Studies
from ..inference import device_of, to_device, to_tensors
from ..model import losses
from ..model.network import Network
from .epoch_predictions import EpochPredictions
from .objectives import objective_of
from .pieces import embed_distinct, embed_samples

MASKED_ASVS = 64  # ASVs drawn in each step to predict their masked nucleotides


@dataclass(frozen=True)
class Task:
    """What is learned from which samples.

    Attributes
    ----------
    studies : Studies
    training, validation : list of ndarray of int64
        For each study, the positions of its samples.
    targets : ndarray of float32 or int64, optional
        Scaled numbers or class positions of the only study's samples, by position.
    weights : dict of str to float
        Weight of each loss that is on: unifrac, nucleotide, abundance, target.
    monitored : str
        The loss that decides which epoch is kept, such as ``unifrac_loss``.
    groups : ndarray of int64, optional
        Group of each sample of the only study, by position.
    sample_weights : ndarray of float32, optional
        How much each sample's target counts, by position.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if they never change.
    """

    studies: Studies
    training: list[np.ndarray]
    validation: list[np.ndarray]
    targets: np.ndarray | None
    weights: dict[str, float]
    monitored: str
    groups: np.ndarray | None = None
    sample_weights: np.ndarray | None = None
    embedded: Tensor | None = None


def weights_of(config: TrainingConfig, distances: bool, target: bool) -> dict[str, float]:
    """Choose the losses that are on: those with a weight above 0 that have data."""
    weights = {
        "unifrac": config.unifrac_weight if distances else 0.0,
        "nucleotide": 0.0 if config.freeze_encoder else config.nucleotide_weight,
        "abundance": config.abundance_weight,
        "target": config.target_weight if target else 0.0,
    }
    return {name: weight for name, weight in weights.items() if weight > 0}


def batch_losses(
    network: Network,
    task: Task,
    study: int,
    samples: np.ndarray,
    embedded: Tensor | None = None,
    pieces: int = 1,
    seen: EpochPredictions | None = None,
    batch: Batch | None = None,
) -> dict[str, Tensor]:
    """Compute the losses of a batch, each under its name (``unifrac_loss``…), and their sum.

    Parameters
    ----------
    network : Network
    task : Task
    study : int
    samples : ndarray of int64, (B,)
        Positions in the study.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if the encoder is frozen.
    pieces : int
        In how many pieces to embed; the losses are those of the whole batch.
    seen : EpochPredictions, optional
        Collects what is predicted of the batch.
    batch : Batch, optional
        Of these samples, if it is there already.

    Returns
    -------
    dict of str to Tensor
        Scalars; ``loss`` is the weighted sum.
    """
    if batch is None:
        batch = build_batch(task.studies, study, samples, tokens=False)
    device = device_of(network)
    if embedded is None:
        asvs = embed_distinct(network, task.studies, batch, pieces)
    else:
        asvs = embedded.index_select(0, to_device(batch.asvs, device))
    hidden = None
    if "abundance" in task.weights:
        abundances = to_device(batch.abundances, device)
        draw = to_device(torch.rand(abundances.shape), device)
        hidden = losses.hide_abundances(abundances, draw)
    compared = "unifrac" in task.weights and batch.distances is not None
    state, predicted = embed_samples(
        network, task.studies, study, batch, asvs, hidden, pieces,
        network.parts_to_learn(compared, "target" in task.weights),
    )  # fmt: skip
    found = {}
    if compared:
        actual = to_device(batch.distances, device)
        shared = network.share_asvs(to_tensors(batch, device), len(batch.asvs))
        distances = network.distances(state, asvs=shared)
        found["unifrac"] = losses.unifrac_loss(distances, actual)
        if seen is not None:
            seen.add_distances(distances, batch.distances)
    if "nucleotide" in task.weights:
        found["nucleotide"] = masked_nucleotide_loss(network, task.studies, batch)
    if hidden is not None:
        found["abundance"] = losses.abundance_loss(predicted, abundances, hidden)
    if "target" in task.weights:
        actual, counts = (
            to_device(part[samples], device) for part in (task.targets, task.sample_weights)
        )
        objective = objective_of(network.config.target)
        learned = network.attention_outputs(state)
        found["target"] = objective.loss(learned, actual, counts)
        if seen is not None:
            said = network.target_head.attention.predictions(learned.detach())
            seen.add_answers(said, task.targets[samples])
    total = sum(task.weights[name] * value for name, value in found.items())
    return {"loss": total} | {f"{name}_loss": value for name, value in found.items()}


def masked_nucleotide_loss(network: Network, studies: Studies, batch: Batch) -> Tensor:
    """Predict masked nucleotides of a few of the batch's ASVs, apart from all other paths."""
    number = min(MASKED_ASVS, len(batch.asvs))
    chosen = batch.asvs[torch.randperm(len(batch.asvs))[:number].numpy()]
    lengths = studies.asvs.lengths[chosen]
    tokens = torch.from_numpy(asv_tokens(studies.asvs, chosen))
    masked, hidden = losses.hide_nucleotides(tokens, torch.rand(tokens.shape))
    device = device_of(network)
    padded = bool(lengths.min() != lengths.max())
    masked, tokens, hidden = (to_device(part, device) for part in (masked, tokens, hidden))
    return losses.nucleotide_loss(network.predict_nucleotides(masked, padded), tokens, hidden)
