"""The tree as teacher: which clades lie above a read, whatever part of the DNA it is."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..config import TrainingConfig
from ..data.phylogeny import Clades
from ..data.study import Studies
from ..data.tokens import Asvs
from ..errors import examples
from ..inference import device_of
from ..model.network import Network
from . import distributed
from .checkpoint import Progress
from .evaluation import FinalPredictions, predict_final, validate
from .losses import Task
from .references import ReadStep, References, clade_losses, start_from_tree
from .sample_objective import digest_array, digest_study
from .trainer import Trainer

WHOLE_SHARE = 0.5  # of the steps
SHORTEST_SHARE = 0.6  # of the shortest ASV of a step: how much is left of the others' reads
ALIKE = 16  # steps that share their ASVs out by length, so that little is cut
MOST_STANDARDISED = 2048
_ORDER = 0x7EEE


class PhylogenyObjective:
    """Learn which clades lie above the reads of ASVs.

    See `q2_aam.training.trainer.Objective` for what each method is asked for.

    Parameters
    ----------
    network : Network
    references : References
    names : list of str
        Of the ASVs.
    config : TrainingConfig
    task : Task, optional
        Samples whose UniFrac decides which epoch is kept.
    weights : ndarray of float32, (ASVs,), optional
        How much each ASV counts, 1 on average.
    """

    unit = "ASVs"

    def __init__(
        self,
        network: Network,
        references: References,
        names: list[str],
        config: TrainingConfig,
        task: Task | None = None,
        weights: np.ndarray | None = None,
    ):
        self.network, self.references, self.names = network, references, names
        self.config, self.task = config, task
        self.weights = np.ones(len(names), np.float32) if weights is None else weights
        order = np.random.default_rng([config.random_seed, _ORDER]).permutation(len(names))
        held_out = round(config.validation_size * len(names))
        self.held_out, self.learned = np.sort(order[:held_out]), np.sort(order[held_out:])
        self.monitored = "clade_loss" if task is None else "unifrac_loss"

    @property
    def sizes(self) -> list[int]:
        """ASVs that are learned."""
        return [len(self.learned)]

    @property
    def validated(self) -> int:
        """ASVs that are not learned but scored."""
        return len(self.held_out)

    def start(self) -> None:
        """Nothing is done once."""

    def batches(self, epoch: int, size: int) -> list[ReadStep]:
        """Read each ASV once, half of the steps whole and half cut; by seed and epoch alone."""
        random = np.random.default_rng([self.config.random_seed, epoch, _ORDER])
        order, lengths = random.permutation(self.learned), self.references.lengths
        steps = []
        for group in np.array_split(order, -(-len(order) // (ALIKE * size))):
            group = group[np.argsort(lengths[group], kind="stable")]
            steps += np.array_split(group, -(-len(group) // size))
        return [self._cut(steps[number], random) for number in random.permutation(len(steps))]

    def _cut(self, rows: np.ndarray, random: np.random.Generator) -> ReadStep:
        """Draw one length for all reads of a step, and where each of them begins."""
        lengths = self.references.lengths[rows]
        whole, share = random.random() < WHOLE_SHARE, random.uniform(SHORTEST_SHARE, 1)
        length = int(lengths.min()) if whole else max(1, round(share * lengths.min()))
        begin = np.floor(random.random(len(rows)) * (lengths - length + 1)).astype(np.int64)
        return ReadStep(rows, 0 * begin if whole else begin, length)

    def count(self, step: ReadStep) -> int:
        """Count the reads of a step."""
        return len(step.rows)

    def describe(self, step: ReadStep) -> str:
        """Name some ASVs of a step."""
        return f"the ASVs {examples([self.names[row] for row in step.rows])}"

    def prepare(self, step: ReadStep) -> None:
        """Reads are cut on the device."""

    def losses(self, step: ReadStep, prepared: None, chunks: int) -> dict[str, Tensor]:
        """Return the mean cross-entropy of the reads, by how much each ASV counts."""
        share = distributed.own_rows(len(step.rows))
        own = np.arange(share.start, share.stop) if share.stop > share.start else np.zeros(1, int)
        parts = np.array_split(own, min(chunks, len(own)))
        found = []
        for part in parts:
            reads = ReadStep(step.rows[part], step.begin[part], step.length)
            arguments = (self.network, self.references, reads)
            again = len(parts) > 1 and self.network.training  # keep less, compute it again
            found.append(
                checkpoint(clade_losses, *arguments, use_reentrant=False)
                if again
                else clade_losses(*arguments)
            )
        each = torch.cat(found)[: share.stop - share.start]
        each = distributed.gather_rows(each, len(step.rows))
        weights = torch.from_numpy(self.weights[step.rows]).to(each.device)
        loss = (each * weights).mean()
        return {"loss": loss, "clade_loss": loss}

    def epoch_scores(self) -> dict[str, float]:
        """Nothing is predicted in training but what the loss is of."""
        return {}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Score the ASVs that were held out, read whole, and UniFrac of the samples."""
        scores = {}
        if len(self.held_out):
            each = [
                clade_losses(self.network, self.references, self._whole(row))
                for row in self.held_out
            ]
            loss = float(torch.cat(each).mean())
            scores = {"loss": loss, "clade_loss": loss}
        if self.task is None:
            return scores
        found = validate(self.network, self.task, self.config.random_seed)
        return scores | {name: value for name, value in found.items() if name != "loss"}

    def _whole(self, row: int) -> ReadStep:
        return ReadStep(np.array([row]), np.zeros(1, np.int64), int(self.references.lengths[row]))

    def digest(self, digest) -> None:
        """Add all that is learned from."""
        references, task = self.references, self.task
        digest.update(json.dumps([self.network.config.to_json(), self.names]).encode())
        for array in (references.tokens.cpu().numpy(), references.lineages.cpu().numpy()):
            digest_array(digest, array)
        digest_array(digest, references.lengths)
        digest_array(digest, self.weights)
        if task is not None:
            digest_array(digest, task.studies.asvs.tokens)
            for study in task.studies.studies:
                digest_study(digest, study)


def pretrain_from_phylogeny(
    network: Network,
    asvs: Asvs,
    names: list[str],
    clades: Clades,
    config: TrainingConfig,
    accelerator: Accelerator,
    logger,
    samples: Studies | None = None,
    weights: np.ndarray | None = None,
    spread: bool = False,
) -> tuple[Progress, str, FinalPredictions]:
    """Train a network on the clades of a tree.

    Parameters
    ----------
    network : Network
        Its branches are the clades.
    asvs : Asvs
        In the order of the clades' lineages.
    names : list of str
    clades : Clades
    config : TrainingConfig
    accelerator : Accelerator
    logger : TrainingLogger
    samples : Studies, optional
        One study with its UniFrac, which decides which epoch is kept.
    weights : ndarray of float32, (ASVs,), optional
        How much each ASV counts, 1 on average.
    spread : bool
        Whether the network is new.

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    final : FinalPredictions
        What the kept model says of the samples.
    """
    tokens = np.ascontiguousarray(asvs.tokens[:, 1:])
    references = References.on_device(tokens, asvs.lengths, clades, device_of(network))
    task = None
    if samples is not None:
        everything = [np.arange(len(samples.studies[0]))]
        task = Task(samples, [np.zeros(0, int)], everything, None, {"unifrac": 1.0}, "unifrac_loss")
    objective = PhylogenyObjective(network, references, names, config, task, weights)
    reads = objective.batches(0, MOST_STANDARDISED)[0] if spread else None
    start_from_tree(network, references, clades, reads)
    progress, reason = Trainer(objective, config, accelerator, logger).run()
    network.config = dataclasses.replace(network.config, distance_state="trained")
    if task is None:
        return progress, reason, FinalPredictions("train", len(objective.learned))
    return progress, reason, predict_final(network, task)
