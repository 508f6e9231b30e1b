"""The tree as teacher: which clades lie above a read, whatever part of the DNA it is."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config.training import TrainingConfig
from ..data.phylogeny import Clades
from ..data.study import Studies
from ..data.tokens import Asvs
from ..errors import examples
from ..inference import device_of
from ..model.network import Network
from . import distributed
from .checkpoint import Progress
from .evaluation import FinalPredictions, inputs_of, predict_final, validate
from .losses import Task, run
from .references import ReadStep, References, clade_losses, start_from_tree
from .trainer import Objective, Trainer

WHOLE_SHARE = 0.5  # of the steps
SHORTEST_SHARE = 0.6  # of the shortest ASV of a step: how much is left of the others' reads
ALIKE = 16  # steps that share their ASVs out by length, so that little is cut
MOST_STANDARDISED = 2048
READS_AT_ONCE = 64
_ORDER = 0x7EEE


@dataclass(frozen=True)
class Lesson:
    """The ASVs of a tree, in the order of the clades' lineages, and what is asked beside them."""

    asvs: Asvs
    names: list[str]
    clades: Clades
    samples: Studies | None = None  # one study: its UniFrac decides which epoch is kept
    weights: np.ndarray | None = None  # (ASVs,) float32: how much each counts, 1 on average
    spread: bool = False  # whether the embeddings of a new network are to be spread


class PhylogenyObjective(Objective):
    """Learn which clades, the network's branches, lie above the reads of ASVs."""

    unit = "ASVs"

    def __init__(self, network: Network, lesson: Lesson, config: TrainingConfig):
        self.network, self.config, self.names = network, config, lesson.names
        tokens = np.ascontiguousarray(lesson.asvs.tokens[:, 1:])
        lengths, device = lesson.asvs.lengths, device_of(network)
        self.references = References.on_device(tokens, lengths, lesson.clades, device)
        given = lesson.weights
        self.weights = np.ones(len(lengths), np.float32) if given is None else given
        order = np.random.default_rng([config.random_seed, _ORDER]).permutation(len(lengths))
        held_out = round(config.validation_size * len(lengths))
        self.held_out, self.learned = np.sort(order[:held_out]), np.sort(order[held_out:])
        self.sizes, self.validated = [len(self.learned)], len(self.held_out)
        self.task, self.monitored = None, "clade_loss"
        if lesson.samples is not None:
            self.monitored, every = "unifrac_loss", np.arange(len(lesson.samples.studies[0]))
            weights = {"unifrac": 1.0}
            self.task = Task(lesson.samples, [every[:0]], [every], None, weights, self.monitored)

    def batches(self, epoch: int, size: int) -> list[ReadStep]:
        """Read each ASV once, half of the steps whole and half cut."""
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

    def losses(self, step: ReadStep, prepared: None, chunks: int) -> dict[str, Tensor]:
        """Return the mean cross-entropy of the reads, by how much each ASV counts."""
        number, found = len(step.rows), []
        own = distributed.own_part(np.arange(number))
        parts = np.array_split(own, min(chunks, len(own)))
        for part in parts:
            reads = ReadStep(step.rows[part], step.begin[part], step.length)
            again = len(parts) > 1  # to keep less
            found.append(run(clade_losses, again, self.network, self.references, reads))
        each = distributed.gather_rows(torch.cat(found), number)
        weights = torch.from_numpy(self.weights[step.rows]).to(each.device)
        loss = (each * weights).mean()
        return {"loss": loss, "clade_loss": loss}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Score the ASVs that were held out, read whole, and UniFrac of the samples."""
        scores, lengths, each = {}, self.references.lengths[self.held_out], []
        for length in np.unique(lengths):
            alike = self.held_out[lengths == length]
            for rows in np.array_split(alike, -(-len(alike) // READS_AT_ONCE)):
                step = ReadStep(rows, 0 * rows, int(length))
                each.append(clade_losses(self.network, self.references, step))
        if each:
            scores["loss"] = scores["clade_loss"] = float(torch.cat(each).mean())
        if self.task is not None:
            found = validate(self.network, self.task, self.config.random_seed)
            scores |= {name: value for name, value in found.items() if name != "loss"}
        return scores

    def inputs(self) -> Iterator[Any]:
        """Yield all that is learned from."""
        references = self.references
        yield [self.network.config.to_json(), self.names]
        yield from (references.tokens.cpu().numpy(), references.lineages.cpu().numpy())
        yield from (references.lengths, self.weights)
        if self.task is not None:
            yield from inputs_of(self.task.studies)


def pretrain_from_phylogeny(
    network: Network, lesson: Lesson, config: TrainingConfig, accelerator, logger
) -> tuple[Progress, FinalPredictions]:
    """Train a network on the clades of a tree; return what the kept one says of the samples too."""
    objective = PhylogenyObjective(network, lesson, config)
    reads = objective.batches(0, MOST_STANDARDISED)[0] if lesson.spread else None
    start_from_tree(network, objective.references, lesson.clades, reads)
    progress = Trainer(objective, config, accelerator, logger).run()
    network.config = dataclasses.replace(network.config, distance_state="trained")
    if objective.task is None:
        return progress, FinalPredictions("train", len(objective.learned))
    return progress, predict_final(network, objective.task)
