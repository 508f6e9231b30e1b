"""What a network learns from samples, as the training loop asks for it."""

from __future__ import annotations

import json

import numpy as np
from torch import Tensor

from ..config import TrainingConfig
from ..data.batches import Batch, epoch_order
from ..data.study import Study
from ..errors import examples
from ..model.network import Network
from .evaluation import embed_divided, validate
from .losses import EpochPredictions, Step, Task, batch_losses, prepare_step
from .objectives import objective_of


class SampleObjective:
    """Learn from samples: UniFrac, a target, and parts of samples and ASVs that are hidden.

    See `q2_aam.training.trainer.Objective` for what each method is asked for.

    Parameters
    ----------
    network : Network
    task : Task
    config : TrainingConfig
    """

    def __init__(self, network: Network, task: Task, config: TrainingConfig):
        self.network, self.task, self.config = network, task, config
        self.monitored = task.monitored
        self.embedded = task.embedded
        self.seen = EpochPredictions()

    @property
    def sizes(self) -> list[int]:
        """Training samples of each study: a step holds samples of one study only."""
        return [len(samples) for samples in self.task.training]

    @property
    def validated(self) -> int:
        """Samples that do not train but are scored."""
        return sum(len(samples) for samples in self.task.validation)

    def start(self) -> None:
        """Embed all ASVs once, if their embeddings never change."""
        if self.config.freeze_encoder and self.embedded is None:
            everything = np.arange(len(self.task.studies.asvs))
            self.embedded = embed_divided(self.network.eval(), self.task.studies.asvs, everything)

    def batches(self, epoch: int, size: int) -> list[Step]:
        """Shuffle the samples into steps, a pure function of seed and epoch."""
        seed = self.config.random_seed
        order = epoch_order(self.task.training, size, seed, epoch)
        return [Step(*one) for one in order]

    def count(self, step: Step) -> int:
        """Count the samples of a step."""
        return len(step.samples)

    def describe(self, step: Step) -> str:
        """Name some samples of a step."""
        ids = self.task.studies.studies[step.study].sample_ids
        return f"the samples {examples([ids[position] for position in step.samples])}"

    def prepare(self, step: Step) -> tuple[Batch, Batch]:
        """Build the batch, a pure function."""
        return prepare_step(self.task.studies, step)

    def losses(self, step: Step, prepared: tuple[Batch, Batch], chunks: int) -> dict[str, Tensor]:
        """Return the losses of the whole step by name, and ``loss``, their weighted sum."""
        return batch_losses(
            self.network, self.task, step, prepared, self.embedded, chunks, self.seen
        )

    def epoch_scores(self) -> dict[str, float]:
        """Score what the network predicted for the batches since this was asked last."""
        target, seen = self.network.config.target, self.seen
        self.seen = EpochPredictions()
        return seen.scores(target and objective_of(target))

    def validate(self) -> dict[str, float]:
        """Score the validation samples, where there are any."""
        if not self.validated:
            return {}
        return validate(self.network, self.task, self.config.random_seed, self.embedded)

    def digest(self, digest) -> None:
        """Add all that is learned from."""
        task = self.task
        settings = [self.network.config.to_json(), sorted(task.weights.items()), task.monitored]
        digest.update(json.dumps(settings).encode())
        digest_array(digest, task.studies.asvs.tokens)
        for study in task.studies.studies:
            digest_study(digest, study)
        for positions in (*task.training, *task.validation):
            digest_array(digest, positions)
        for of_samples in (task.targets, task.groups, task.sample_weights):
            if of_samples is not None:
                digest_array(digest, of_samples)


def digest_study(digest, study: Study) -> None:
    """Add a study to a hash."""
    digest.update(json.dumps(study.sample_ids).encode())
    for array in (study.abundances.data, study.abundances.indices, study.abundances.indptr):
        digest_array(digest, array)
    if study.distances is not None:
        if study.distances.digest:  # of a matrix on disk, which need not be read for this
            digest.update(study.distances.digest.encode())
        else:
            digest_array(digest, study.distances.matrix)
        digest_array(digest, study.distances.rows)
    if study.covariates is not None:
        digest_array(digest, study.covariates)


def digest_array(digest, array: np.ndarray) -> None:
    """Add an array to a hash."""
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
