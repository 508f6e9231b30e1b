"""What a step costs: the losses that are on, of a network that reads samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..config import TrainingConfig
from ..data.batches import Batch, asv_tokens, build_batch
from ..data.study import Studies
from ..inference import device_of, to_device, to_tensors
from ..model import losses
from ..model.network import Network
from . import distributed
from .chunking import embed_distinct, embed_samples
from .objectives import objective_of

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


class Step(NamedTuple):
    """The samples of a step: positions in a study."""

    study: int
    samples: np.ndarray


def weights_of(config: TrainingConfig, distances: bool, target: bool) -> dict[str, float]:
    """Choose the losses that are on: those with a weight above 0 that have data."""
    weights = {
        "unifrac": config.unifrac_weight if distances else 0.0,
        "nucleotide": 0.0 if config.freeze_encoder else config.nucleotide_weight,
        "abundance": config.abundance_weight,
        "target": config.target_weight if target else 0.0,
    }
    return {name: weight for name, weight in weights.items() if weight > 0}


def prepare_step(studies: Studies, step: Step) -> tuple[Batch, Batch]:
    """Build the whole batch of a step and this process's share of it, a pure function."""
    batch = build_batch(studies, step.study, step.samples, tokens=False)
    if distributed.size() == 1:
        return batch, batch
    share = distributed.own_rows(len(step.samples))
    # a process without a sample reads one and gives none, so that it takes part all the same
    own = step.samples[share] if share.stop > share.start else step.samples[:1]
    return batch, build_batch(studies, step.study, own, tokens=False)


def batch_losses(
    network: Network,
    task: Task,
    step: Step,
    prepared: tuple[Batch, Batch],
    embedded: Tensor | None = None,
    chunks: int = 1,
    seen: EpochPredictions | None = None,
) -> dict[str, Tensor]:
    """Compute the losses of a batch, each under its name (``unifrac_loss``…), and their sum.

    Parameters
    ----------
    network : Network
    task : Task
    step : Step
    prepared : tuple of Batch
        The whole batch, and this process's share: only that is embedded here.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if the encoder is frozen.
    chunks : int
        In how many chunks to embed; the losses are those of the whole batch.
    seen : EpochPredictions, optional
        Collects what is predicted of the batch.

    Returns
    -------
    dict of str to Tensor
        Scalars; ``loss`` is the weighted sum.
    """
    (batch, own), device = prepared, device_of(network)
    number = len(batch.samples)
    if embedded is None:
        asvs = embed_distinct(network, task.studies, own, chunks)
    else:
        asvs = embedded.index_select(0, to_device(own.asvs, device))
    hidden = own_hidden = None
    if "abundance" in task.weights:
        abundances = to_device(batch.abundances, device)
        hidden = losses.hide_abundances(abundances, to_device(torch.rand(abundances.shape), device))
        first = distributed.own_rows(number).start
        own_hidden = hidden[first : first + len(own.samples), : own.index.shape[1]]
    compared = "unifrac" in task.weights and batch.distances is not None
    state, predicted = embed_samples(
        network, task.studies, step.study, own, asvs, own_hidden, chunks,
        network.parts_to_learn(compared, "target" in task.weights),
    )  # fmt: skip
    found = {}
    if compared:
        distances = _distances(network, batch, state)
        found["unifrac"] = losses.unifrac_loss(distances, to_device(batch.distances, device))
        if seen is not None:
            seen.add_distances(distances, batch.distances)
    if "nucleotide" in task.weights:  # of few ASVs: every process predicts them all
        found["nucleotide"] = masked_nucleotide_loss(network, task.studies, batch)
    if hidden is not None:
        wide = functional.pad(predicted, (0, hidden.shape[1] - predicted.shape[1]))
        found["abundance"] = losses.abundance_loss(gather_own(wide, number), abundances, hidden)
    if "target" in task.weights:
        outputs = gather_own(network.attention_outputs(state), number)
        found["target"] = _target_loss(network, task, step.samples, outputs, seen)
    total = sum(task.weights[name] * value for name, value in found.items())
    return {"loss": total} | {f"{name}_loss": value for name, value in found.items()}


def gather_own(own: Tensor, number: int) -> Tensor:
    """Join what each process computed of its share of `prepare_step`: (number, …)."""
    share = distributed.own_rows(number)
    return distributed.gather_rows(own[: share.stop - share.start], number)


def _distances(network: Network, batch: Batch, state) -> Tensor:
    """Predict UniFrac between all samples of a batch, from the state of this process's share."""
    number = len(batch.samples)
    parts = {
        name: gather_own(getattr(state, name), number)
        for name in ("pooled", "presence")
        if getattr(state, name) is not None and (name == "presence") == _by_branches(network)
    }
    shared = network.share_asvs(to_tensors(batch, device_of(network)), len(batch.asvs))
    return network.distances(state._replace(**parts), asvs=shared)


def _by_branches(network: Network) -> bool:
    return network.config.distance_form == "branches"


def _target_loss(network: Network, task: Task, samples: np.ndarray, outputs: Tensor, seen):
    device = outputs.device
    actual, counts = (
        to_device(part[samples], device) for part in (task.targets, task.sample_weights)
    )
    if seen is not None:
        predictions = network.target_head.attention.predictions(outputs.detach())
        seen.add_predictions(predictions, task.targets[samples])
    return objective_of(network.config.target).loss(outputs, actual, counts)


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


class EpochPredictions:
    """Predictions of an epoch's batches, to score training by what also scores validation.

    They are made while the network trains, of a target by the attention head. Tensors stay on
    their device until `scores`, so that nothing waits for it within the epoch.
    """

    def __init__(self):
        self._predictions: list[Tensor] = []
        self._targets: list[np.ndarray] = []
        self._distances: list[Tensor] = []
        self._actual: list[np.ndarray] = []

    def add_predictions(self, predictions: Tensor, targets: np.ndarray) -> None:
        """Add predictions for a batch, (B, O), and what was to be learned, (B,)."""
        self._predictions.append(predictions.detach())
        self._targets.append(targets)

    def add_distances(self, predicted: Tensor, actual: np.ndarray) -> None:
        """Add the pairs i < j of a batch's distances, both (B, B)."""
        size = len(actual)
        row, column = torch.triu_indices(size, size, 1, device=predicted.device)
        self._distances.append(predicted.detach()[row, column])
        self._actual.append(actual[np.triu_indices(size, 1)])

    def scores(self, objective) -> dict[str, float]:
        """Score UniFrac over pairs within batches, and a target by its objective.

        Parameters
        ----------
        objective : see `q2_aam.training.objectives.objective_of`, or None
        """
        found = {}
        if sum(map(len, self._actual)):
            predicted, actual = _on_cpu(self._distances), np.concatenate(self._actual)
            found |= unifrac_scores(predicted, actual.astype(np.float64))
        if self._predictions:
            found |= objective.scores(_on_cpu(self._predictions), np.concatenate(self._targets))
        return found


def _on_cpu(parts: list[Tensor]) -> np.ndarray:
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def unifrac_scores(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Return Pearson's r and R² of (pairs,) float64 distances."""
    error = float(np.square(predicted - actual).mean())
    explained = 1 - error / max(float(actual.var()), 1e-12)
    return {"unifrac_r": pearson_r(predicted, actual), "unifrac_r2": explained}


def pearson_r(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return Pearson's correlation of (pairs,) float64 values; 0 where one does not vary."""
    spread = predicted.std() * actual.std()
    if not spread:
        return 0.0
    return float(np.mean((predicted - predicted.mean()) * (actual - actual.mean())) / spread)
