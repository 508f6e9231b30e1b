"""The two that the speed benchmark compares, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from plain_reference import (
    SLOTS,
    PlainReference,
    fitting_loss,
    pad_samples,
    predict,
    pretraining_loss,
)
from simulated_table import SimulatedStudy
from simulated_trees import TREES, fill_trees
from torch import Tensor

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.target_scaling import describe_target
from q2_aam.inference import embed_asvs, predict_samples
from q2_aam.model.network import Network
from q2_aam.training.fit import remember_asvs, with_heads
from q2_aam.training.losses import Step, Task, batch_losses, prepare_step, weights_of

PRETRAIN, FIT, FROZEN, PREDICT = TASKS = ("pretrain", "fit", "fit, frozen encoder", "predict")
OURS, DEFAULTS, REFERENCE = "ours", "ours, default sizes", "reference"
HEADS, LAYERS = 4, 4
ASVS_FOR_STATISTICS = 64  # what they are changes no timing


@dataclass(frozen=True)
class Job:
    """What one process measures.

    Attributes
    ----------
    contender, task : str
    batch_size : int
    computed : int
        Samples of each batch that are computed.
    steps : int
        Timed steps.
    device, precision : str
    threads : int
        Of the CPU; 0 leaves PyTorch's number.
    size : int
        Width of the embeddings, but for the default sizes.
    """

    contender: str
    task: str
    batch_size: int
    computed: int
    steps: int
    device: str
    precision: str
    threads: int
    size: int


class Ours:
    """The package's own steps on the package's own batches.

    With the sizes of the reference it learns what the reference learns: distances of pooled
    samples and nucleotides, or a target. With default sizes, what it learns by default.

    Attributes
    ----------
    encoded : int
        ASVs encoded so far.
    slots : ndarray of int64, (samples,)
        ASVs that are read of each sample.
    """

    def __init__(self, job: Job, study: SimulatedStudy, device: torch.device):
        self.study = study
        self.samples = np.arange(len(study.targets))
        self.slots = np.diff(study.studies.studies[0].abundances.indptr)
        target = None
        if job.task != PRETRAIN:
            target = describe_target(
                "target", study.targets.astype(float), "z-score", len(study.known)
            )
            target = with_heads(target, TREES, len(self.samples), attends=True)
        if job.contender == DEFAULTS:
            model, config = ModelConfig(target=target), TrainingConfig()
        else:
            config = TrainingConfig(nucleotide_weight=1.0)
            model = ModelConfig(
                job.size, HEADS, LAYERS, LAYERS, nucleotides_per_token=1,
                distance_form="euclidean", target=target,
            )  # fmt: skip
        self.network = Network(model).to(device).eval()
        if target is not None:
            remember_asvs(self.network, study.known)
            fill_trees(self.network.target_head)
        self.learned = self._task(weights_of(config, True, False) if target is None else None)
        self.encoded, self._counting, self._embedded = 0, True, None
        self.network.asv_encoder.blocks[0].register_forward_pre_hook(self._count)
        self.network.standardise(self._embed(np.arange(ASVS_FOR_STATISTICS)))

    def _task(self, weights: dict[str, float] | None) -> Task:
        studies = self.study.studies
        if weights is not None:  # pretraining knows no ASV by identity
            studies = replace(studies, known=None)
        return Task(
            studies, [self.samples], [np.arange(0)], self.study.targets,
            weights or {"target": 1.0}, "loss", self.samples,
            np.ones(len(self.samples), dtype=np.float32),
        )  # fmt: skip

    def _count(self, block, inputs) -> None:
        self.encoded += len(inputs[0]) if self._counting else 0

    def _embed(self, chosen: np.ndarray) -> Tensor:
        return embed_asvs(self.network, self.study.studies.asvs, chosen)

    def freeze(self) -> None:
        """Embed all ASVs, once for the whole training."""
        for part in (self.network.asv_encoder, self.network.branches):
            part.requires_grad_(False)
        self._embedded = self._embed(np.arange(len(self.study.studies.asvs)))

    def loss(self, samples: np.ndarray) -> Tensor:
        """Compute the loss of a batch; what a backward pass computes again is not counted."""
        self._counting = True
        step = Step(0, samples)
        prepared = prepare_step(self.learned.studies, step)
        task = replace(self.learned, embedded=self._embedded)
        found = batch_losses(self.network, task, step, prepared)
        self._counting = False
        return found["loss"]

    def finish_epoch(self) -> None:
        """Do what fitting does after the steps of each epoch."""
        self._counting = True
        self._embed(np.arange(len(self.study.studies.asvs)))  # for what is scored

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predict the target of samples."""
        return predict_samples(self.network, self.study.studies, 0, samples)


class Reference:
    """The plain reference on the same batches; attributes as of `Ours`."""

    def __init__(self, job: Job, study: SimulatedStudy, device: torch.device):
        self.study, self.device = study, device
        width = study.studies.asvs.tokens.shape[1]
        self.network = PlainReference(job.size, HEADS, LAYERS, width).to(device)
        self.slots = np.minimum(np.diff(study.studies.studies[0].abundances.indptr), SLOTS)
        self._loss = pretraining_loss if job.task == PRETRAIN else fitting_loss

    @property
    def encoded(self) -> int:
        """ASVs encoded so far."""
        return self.network.encoded

    def freeze(self) -> None:
        """Train what follows the ASV encoder only."""
        self.network.frozen = True
        self.network.asv_encoder.requires_grad_(False)
        self.network.nucleotides.requires_grad_(False)

    def loss(self, samples: np.ndarray) -> Tensor:
        """Compute the loss of a batch."""
        return self._loss(self.network, self._pad(samples))

    def finish_epoch(self) -> None:
        """Nothing follows the steps of an epoch."""

    @torch.no_grad()
    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predict the target of samples."""
        return predict(self.network, self._pad(samples)).cpu().numpy()

    def _pad(self, samples: np.ndarray):
        return pad_samples(self.study.studies, samples, self.study.targets, self.device)
