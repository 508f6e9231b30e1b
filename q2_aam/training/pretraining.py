"""Pretraining: learn ASV embeddings and branches from UniFrac and from the sequences themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
from accelerate import Accelerator

from ..config import TrainingConfig
from ..data.splits import train_test_split
from ..data.study import Studies
from ..errors import AAMError
from ..model.network import Network
from .calibration import calibrate_lengths
from .loop import Trainer
from .progress import Progress
from .shown_predictions import ShownPredictions, predict_shown
from .steps import Task, weights_of


def pretrain(
    network: Network,
    studies: Studies,
    config: TrainingConfig,
    accelerator: Accelerator,
    journal,
) -> tuple[Progress, str, ShownPredictions]:
    """Train a network on several studies without labels.

    A share of each study's samples is held out; UniFrac among them decides the epoch to keep.

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    shown : ShownPredictions
        What the kept model says of the validation samples, else of the training samples.
    """
    task = pretraining_task(studies, config)
    taught = network.config.distance_state == "trained" and "unifrac" in task.weights
    if taught and calibrate_lengths(network, studies, task.training, config.random_seed):
        journal.say("The lengths of the encoder's branches were fitted to the matrices.")
    progress, reason = Trainer(network, task, config, accelerator, journal).run()
    if "unifrac" in task.weights:
        network.config = dataclasses.replace(network.config, distance_state="trained")
    return progress, reason, predict_shown(network, task)


def pretraining_task(studies: Studies, config: TrainingConfig) -> Task:
    """Say what is learned, and hold a share of each study's samples out.

    Raises
    ------
    AAMError
        If every loss has the weight 0.
    """
    training, validation = [], []
    for study in studies.studies:
        position = {name: index for index, name in enumerate(study.sample_ids)}
        kept, held = list(study.sample_ids), []
        if config.validation_size:
            kept, held = train_test_split(kept, config.validation_size, config.random_seed)
        training.append(np.array([position[name] for name in kept], dtype=np.int64))
        validation.append(np.array([position[name] for name in held], dtype=np.int64))
    weights = weights_of(config, distances=True, target=False)
    if not weights:
        raise AAMError(
            "All loss weights are 0: there is nothing to learn. Raise 'unifrac_weight', "
            "'nucleotide_weight' or 'abundance_weight'."
        )
    monitored = "unifrac_loss" if "unifrac" in weights else "loss"
    return Task(studies, training, validation, None, weights, monitored)
