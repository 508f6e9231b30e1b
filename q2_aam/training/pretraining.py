"""Pretraining: learn ASV embeddings and branches from UniFrac and from the sequences themselves."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator

from ..config import ModelConfig, TrainingConfig
from ..data.splits import hold_out
from ..data.study import Studies
from ..inference import embed_asvs
from ..model.network import Network
from .loop import Trainer
from .progress import Progress
from .randomness import seed_weights
from .steps import Task, weights_of

STANDARDISED_ASVS = 8192  # more change the statistics of the start by less than 1 %


def new_network(config: ModelConfig, studies: Studies, seed: int, device) -> Network:
    """Draw weights, and spread the embeddings by the statistics of the studies' ASVs.

    Parameters
    ----------
    config : ModelConfig
    studies : Studies
    seed : int
    device : torch.device

    Returns
    -------
    Network
    """
    seed_weights(seed)
    network = Network(config).to(device).eval()
    chosen = np.arange(len(studies.asvs))
    if len(chosen) > STANDARDISED_ASVS:
        random = np.random.default_rng([seed, 0xA5])
        chosen = np.sort(random.choice(chosen, STANDARDISED_ASVS, replace=False))
    network.standardise(embed_asvs(network, studies.asvs, chosen))
    return network


def continued_network(
    config: ModelConfig, arrays: dict[str, np.ndarray], seed: int, device
) -> Network:
    """Build a network whose encoder comes from stored weights; other heads are drawn anew."""
    seed_weights(seed)
    network = Network(config)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network.load_state_dict(network.state_dict() | tensors)
    return network.to(device).eval()


def pretrain(
    network: Network,
    studies: Studies,
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str]:
    """Train a network on several studies without labels.

    A share of each study's samples is held out; UniFrac among them decides the epoch to keep.

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    """
    training, validation = [], []
    for study in studies.studies:
        position = {name: index for index, name in enumerate(study.sample_ids)}
        kept, held = hold_out(study.sample_ids, config.validation_size, config.random_seed)
        training.append(np.array([position[name] for name in kept], dtype=np.int64))
        validation.append(np.array([position[name] for name in held], dtype=np.int64))
    weights = weights_of(config, distances=True, target=False)
    task = Task(studies, training, validation, None, weights, "unifrac_loss")
    progress, reason = Trainer(network, task, config, accelerator, journal).run()
    return progress, reason
