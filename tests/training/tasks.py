"""What a step learns from, for tests of single steps."""

import dataclasses

import numpy as np
import torch
from simulated_study import describe_target, simulate_study

from q2_aam.config.model import ModelConfig
from q2_aam.data.distances import Distances
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.model.network import Network
from q2_aam.training.losses import Step, Task, batch_losses, prepare_step

KNOWN = 6  # ASVs that the target head knows by identity, as fitting makes it


def make_task(samples: int, asvs: int, seed: int, lengths=(60, 60), **fields) -> Task:
    """Learn scaled ages, or what `fields` say, from a simulated study with its UniFrac."""
    study = simulate_study(samples, asvs, seed, lengths, ids_are_dna=True)
    distances = Distances(study.unifrac.data.astype(np.float32), np.arange(samples))
    studies = build_studies([read_table(study.biom)], None, 60, 99, [distances])
    known = np.minimum(np.arange(len(studies.asvs)), KNOWN)
    values = {
        "studies": dataclasses.replace(studies, known=known),
        "training": [np.arange(samples)],
        "validation": [np.arange(0)],
        "targets": (study.ages / 24).to_numpy(dtype=np.float32),
        "weights": {"unifrac": 1.0, "abundance": 0.1, "target": 1.0},
        "monitored": "target_loss",
        "sample_weights": np.ones(samples, np.float32),
    }
    return Task(**values | fields)


def make_network(seed: int = 1, **changes) -> Network:
    torch.manual_seed(seed)
    config = {"hidden_size": 16, "heads": 2, "branches": 24, "max_sequence_length": 60}
    return Network(ModelConfig(**config | {"target": describe_target()} | changes))


def losses_of(network, task, samples, chunks=1, seen=None):
    """Compute the losses of some samples of the first study, as a training step does."""
    step = Step(0, samples)
    return batch_losses(network, task, step, prepare_step(task.studies, step), chunks, seen)


def gradients_of(network, loss) -> dict:
    """Return the gradients of a loss by the names of their weights."""
    network.zero_grad()
    loss.backward()
    named = network.named_parameters()
    return {name: one.grad.clone() for name, one in named if one.grad is not None}
