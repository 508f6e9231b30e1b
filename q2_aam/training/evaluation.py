"""Learning from samples, as the training loop asks for it, and scores of those held out."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config.target import Target
from ..config.training import TrainingConfig
from ..data.study import Batch, Studies, epoch_order, held_asvs
from ..errors import examples
from ..inference import SAMPLES_AT_ONCE, predict_distances, sample_states
from ..model.heads.features import SampleState
from ..model.network import Network
from .distributed import gather_rows, own_part
from .init import VALIDATION, embed_held, seed_torch, some
from .losses import EpochPredictions, Step, Task, batch_losses, prepare_step, unifrac_scores
from .objectives import objective_of
from .trainer import Objective

MASKED = ("nucleotide", "abundance")  # losses that predict what was hidden
MOST_COMPARED = 1000  # samples of a study whose distances are shown


class SampleObjective(Objective):
    """Learn from samples: UniFrac, a target, and parts of samples and ASVs that are hidden."""

    def __init__(self, network: Network, task: Task, config: TrainingConfig):
        self.network, self.task, self.config = network, task, config
        self.monitored = task.monitored
        self.sizes = [len(samples) for samples in task.training]
        self.validated = sum(len(samples) for samples in task.validation)

    def batches(self, epoch: int, size: int) -> list[Step]:
        """Shuffle the samples into steps, each of one study, and begin to collect predictions."""
        self.seen = EpochPredictions()  # also where an epoch begins again, as memory ran out
        order = epoch_order(self.task.training, size, self.config.random_seed, epoch)
        return [Step(*one) for one in order]

    def describe(self, step: Step) -> str:
        """Name some samples of a step."""
        ids = self.task.studies.studies[step.study].sample_ids
        return f"the samples {examples([ids[position] for position in step.samples])}"

    def prepare(self, step: Step) -> tuple[Batch, Batch]:
        """Build the batch, a pure function."""
        return prepare_step(self.task.studies, step)

    def losses(self, step: Step, prepared: tuple[Batch, Batch], chunks: int) -> dict[str, Tensor]:
        """Return the losses of the whole step by name, and ``loss``, their weighted sum."""
        return batch_losses(self.network, self.task, step, prepared, chunks, self.seen)

    def epoch_scores(self) -> dict[str, float]:
        """Score what the network predicted for the batches of the epoch."""
        target = self.network.config.target
        return self.seen.scores(target and objective_of(target))

    def validate(self) -> dict[str, float]:
        """Score the validation samples, where there are any."""
        if not self.validated:
            return {}
        return validate(self.network, self.task, self.config.random_seed)

    def inputs(self) -> Iterator[Any]:
        """Yield all that is learned from."""
        task = self.task
        yield [self.network.config.to_json(), sorted(task.weights.items()), task.monitored]
        yield from inputs_of(task.studies)
        yield from (*task.training, *task.validation)
        yield from (task.targets, task.groups, task.sample_weights)


def inputs_of(studies: Studies) -> Iterator[Any]:
    """Yield what is learned from of studies (see `Objective.inputs`)."""
    yield studies.asvs.tokens
    for study in studies.studies:
        yield study.sample_ids
        yield from (study.abundances.data, study.abundances.indices, study.abundances.indptr)
        if study.distances is not None:
            # that of a matrix on disk, which need not be read for this
            yield study.distances.digest or study.distances.matrix
            yield study.distances.rows
        yield study.covariates


@torch.no_grad()
def validate(network: Network, task: Task, seed: int) -> dict[str, float]:
    """Score the validation samples, of which every process reads its share; masks are seeded.

    Returns ``loss`` and each ``…_loss``, UniFrac over all pairs of a study with ``unifrac_r`` and
    ``unifrac_r2``, and the scores of the target (see `objectives`).
    """
    network.eval()
    if task.embedded is None:  # once for all that is scored
        held = held_asvs(task.studies, task.validation)
        task = dataclasses.replace(task, embedded=embed_held(network, task.studies.asvs, held))
    scores = _masked_losses(network, task, seed)
    outputs = forward_samples(network, task, task.validation)
    pairs = unifrac_pairs(network, task, outputs) if "unifrac" in task.weights else None
    if pairs is not None:
        scores["unifrac_loss"] = float(np.square(np.subtract(*pairs)).mean())
        scores |= unifrac_scores(*pairs)
    if "target" in task.weights:
        ((_, samples, _, predicted),) = outputs
        objective = objective_of(network.config.target)
        predictions, actual = predicted.cpu().numpy().astype(np.float64), task.targets[samples]
        weights = task.sample_weights[samples].astype(np.float64)
        scores["target_loss"] = objective.loss_of_predictions(predictions, actual, weights)
        scores |= objective.scores(predictions, actual)
    total = sum(weight * scores.get(f"{name}_loss", 0.0) for name, weight in task.weights.items())
    return {"loss": total} | scores


def _masked_losses(network: Network, task: Task, seed: int) -> dict[str, float]:
    """Average the losses that need masks over batches, weighted by their samples."""
    masked = {name: task.weights[name] for name in MASKED if name in task.weights}
    if not masked:
        return {}
    only = dataclasses.replace(task, weights=masked)
    sums, number = dict.fromkeys((f"{name}_loss" for name in masked), 0.0), 0
    for study, samples in enumerate(task.validation):
        for start in range(0, len(samples), SAMPLES_AT_ONCE):
            step = Step(study, samples[start : start + SAMPLES_AT_ONCE])
            seed_torch(seed, VALIDATION, step=number)  # the same masks in every epoch
            found = batch_losses(network, only, step, prepare_step(task.studies, step))
            for name in sums:
                sums[name] += float(found[name]) * len(step.samples)
            number += len(step.samples)
    return {name: value / number for name, value in sums.items()}


@torch.no_grad()
def forward_samples(network: Network, task: Task, of_studies: list[np.ndarray]) -> list[tuple]:
    """Read samples, by their positions in each study, as far as a task needs them.

    Every process reads its share. Returns for each study with any samples: the study; the samples;
    if distances are learned, the `SampleState` that they are predicted from; and if a target is,
    the predictions of the attention head, (B, O). Features, which are many, are not kept.
    """
    distances, target = "unifrac" in task.weights, "target" in task.weights
    if not (distances or target):
        return []
    needed = network.parts_for(distances, target)
    outputs = []
    for study, samples in enumerate(of_studies):
        if not len(samples):
            continue
        own, state = own_part(samples), None
        kept, predicted = [], []
        for one in sample_states(network, task.studies, study, own, task.embedded, needed):
            if distances:
                kept.append(getattr(one, network.compared))
            if target:
                raw = network.attention_outputs(one)
                predicted.append(network.target_head.attention.predictions(raw))
        if distances:
            whole = gather_rows(torch.cat(kept), len(samples))
            state = SampleState(**{network.compared: whole})
        predictions = gather_rows(torch.cat(predicted), len(samples)) if target else None
        outputs.append((study, samples, state, predictions))
    return outputs


def unifrac_pairs(network: Network, task: Task, outputs: list[tuple]) -> tuple | None:
    """Return predicted and actual UniFrac of all pairs of samples of a study: float64, (pairs,)."""
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


@dataclass(frozen=True)
class FinalPredictions:
    """Predictions beside the truth."""

    part: str  # ``validation``, or ``train`` if no samples validate
    samples: int
    target: Target | None = None
    predictions: np.ndarray | None = None  # (samples, O), see `q2_aam.inference.predict_states`
    targets: np.ndarray | None = None  # (samples,)
    distances: tuple[np.ndarray, np.ndarray] | None = None  # UniFrac of pairs, and the true one


@torch.no_grad()
def predict_final(network: Network, task: Task) -> FinalPredictions:
    """Predict distances among samples that did not train the kept weights, else those that did."""
    validated = any(len(samples) for samples in task.validation)
    of_studies = task.validation if validated else task.training
    part, number = "validation" if validated else "train", sum(map(len, of_studies))
    if "unifrac" not in task.weights:
        return FinalPredictions(part, number)
    chosen = [some(samples, MOST_COMPARED, 0) for samples in of_studies]
    pairs = unifrac_pairs(network, task, forward_samples(network, task, chosen))
    return FinalPredictions(part, number, distances=pairs)
