"""The two that the speed benchmark compares, behind one interface."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from made_up import TREES, SimulatedStudy, fill_trees
from plain_reference import (
    SLOTS,
    PlainReference,
    fitting_loss,
    pad_samples,
    predict,
    pretraining_loss,
)
from torch import Tensor

from q2_aam.config.model import ModelConfig
from q2_aam.config.training import TrainingConfig
from q2_aam.data.target_scaling import describe_target
from q2_aam.inference import embed_asvs, predict_samples
from q2_aam.model.network import Network
from q2_aam.training.device import compile_encoder
from q2_aam.training.fit import remember_asvs, with_heads
from q2_aam.training.losses import Step, Task, batch_losses, prepare_step, weights_of

PRETRAIN, FIT, FROZEN, PREDICT = TASKS = ("pretrain", "fit", "fit, frozen encoder", "predict")
OURS, DEFAULTS, REFERENCE = "ours", "ours, default sizes", "reference"
HEADS, LAYERS = 4, 4
ASVS_FOR_STATISTICS = 64  # what they are changes no timing


@dataclass(frozen=True)
class Job:
    """What one process measures."""

    contender: str
    task: str
    batch_size: int
    computed: int  # samples of each batch that are computed
    steps: int  # timed ones
    device: str
    precision: str
    threads: int  # of the CPU; 0 leaves PyTorch's number
    size: int  # width of the embeddings, but for the default sizes
    compile: bool = False  # ours alone, as is the next
    checkpointing: bool = False

    @property
    def heads(self) -> int:
        """Attention heads, of at most 64 each."""
        return max(HEADS, self.size // 64)


class Ours:
    """The package's own steps on the package's own batches.

    With the sizes of the reference it learns what the reference learns: distances of pooled
    samples and nucleotides, or a target. With default sizes, what it learns by default. `encoded`
    counts ASVs, `slots` holds how many are read of each sample.
    """

    def __init__(self, job: Job, study: SimulatedStudy, device: torch.device):
        self.study, studies = study, study.studies
        self.slots = np.diff(studies.studies[0].abundances.indptr)
        samples = np.arange(len(self.slots))
        target, weights = None, {"target": 1.0}
        if job.task != PRETRAIN:
            values, known = study.targets.astype(float), len(study.known)
            target = describe_target("target", values, "z-score", known)
            target = with_heads(target, TREES, len(samples), attends=True)
        model, config = ModelConfig(target=target), TrainingConfig()
        if job.contender == OURS:
            config = TrainingConfig(nucleotide_weight=1.0)
            model = ModelConfig(
                job.size, job.heads, LAYERS, LAYERS, nucleotides_per_token=1,
                distance_form="euclidean", target=target,
            )  # fmt: skip
        self.network = Network(model).to(device).eval()
        if target is not None:
            remember_asvs(self.network, study.known)
            fill_trees(self.network.target_head)
        else:  # pretraining knows no ASV by identity
            studies, weights = replace(studies, known=None), weights_of(config, True, False)
        self.learned = Task(
            studies, [samples], [samples[:0]], study.targets, weights, "loss", samples,
            np.ones(len(samples), dtype=np.float32),
        )  # fmt: skip
        self.encoded, self._counting, self._embedded = 0, True, None
        self.network.asv_encoder.norm.register_forward_pre_hook(self._count)
        self.network.standardise(self._embed(np.arange(ASVS_FOR_STATISTICS)))
        self.network.set_checkpointing(job.checkpointing)
        if job.compile:
            compile_encoder(self.network, print)

    def _count(self, norm, inputs) -> None:
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
        """Do what fitting does after the steps of each epoch: embed for what is scored."""
        self._counting = True
        self._embed(np.arange(len(self.study.studies.asvs)))

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predict the target of samples."""
        return predict_samples(self.network, self.study.studies, 0, samples)


class Reference:
    """The plain reference on the same batches; attributes as of `Ours`."""

    def __init__(self, job: Job, study: SimulatedStudy, device: torch.device):
        self.study, self.device = study, device
        width = study.studies.asvs.tokens.shape[1]
        self.network = PlainReference(job.size, job.heads, LAYERS, width).to(device)
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
