"""What a network learns from samples, as the training loop asks for it."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ..config import TrainingConfig
from ..data.study import Batch, Studies, epoch_order
from ..errors import examples
from ..model.network import Network
from .evaluation import embed_divided, validate
from .losses import EpochPredictions, Step, Task, batch_losses, prepare_step
from .objectives import objective_of
from .trainer import Objective


class SampleObjective(Objective):
    """Learn from samples: UniFrac, a target, and parts of samples and ASVs that are hidden."""

    def __init__(self, network: Network, task: Task, config: TrainingConfig):
        self.network, self.task, self.config = network, task, config
        self.monitored = task.monitored
        self.sizes = [len(samples) for samples in task.training]
        self.validated = sum(len(samples) for samples in task.validation)

    def start(self) -> None:
        """Embed all ASVs once, if their embeddings never change."""
        if self.config.freeze_encoder and self.task.embedded is None:
            asvs = self.task.studies.asvs
            embedded = embed_divided(self.network.eval(), asvs, np.arange(len(asvs)))
            self.task = dataclasses.replace(self.task, embedded=embedded)

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
