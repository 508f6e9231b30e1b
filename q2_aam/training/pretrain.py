"""Pretraining: learn ASV embeddings and branches from UniFrac and from the sequences themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from accelerate import Accelerator

from ..config import TrainingConfig
from ..data.splits import train_test_split
from ..data.study import Studies
from ..data.tokens import PADDING
from ..errors import AAMError
from ..inference import embed_asvs
from ..model.network import Network
from .calibration import calibrate_lengths
from .checkpoint import Progress
from .evaluation import FinalPredictions, predict_final
from .losses import Task, weights_of
from .sample_objective import SampleObjective
from .trainer import Trainer

CUT_TO = 2 / 3  # of a read, to see how far embeddings move
_MOST_COMPARED = 512  # ASVs


def pretrain(
    network: Network,
    studies: Studies,
    config: TrainingConfig,
    accelerator: Accelerator,
    logger,
) -> tuple[Progress, str, FinalPredictions]:
    """Train a network on several studies without labels.

    A share of each study's samples is held out; UniFrac among them decides the epoch to keep.

    Returns
    -------
    progress : Progress
    reason : str
        Why training stopped.
    shown : FinalPredictions
        What the kept model says of the validation samples, else of the training samples.
    """
    task = pretraining_task(studies, config)
    taught = network.config.distance_state == "trained" and "unifrac" in task.weights
    if taught and calibrate_lengths(network, studies, task.training, config.random_seed):
        logger.info("The lengths of the encoder's branches were fitted to the matrices.")
    objective = SampleObjective(network, task, config)
    progress, reason = Trainer(objective, config, accelerator, logger).run()
    if "unifrac" in task.weights:
        network.config = dataclasses.replace(network.config, distance_state="trained")
    logger.log_moved(CUT_TO, moved_by_cuts(network, studies, config.random_seed))
    return progress, reason, predict_final(network, task)


@torch.no_grad()
def moved_by_cuts(network: Network, studies: Studies, seed: int) -> float:
    """Measure how far the embeddings of ASVs move when their reads lose their end.

    Returns
    -------
    float
        Mean distance between the embeddings of the whole and the cut read, relative to the mean
        distance between ASVs.
    """
    asvs = studies.asvs
    chosen = np.arange(len(asvs))
    if len(chosen) > _MOST_COMPARED:
        chosen = np.random.default_rng(seed).choice(chosen, _MOST_COMPARED, replace=False)
    lengths = (CUT_TO * asvs.lengths[chosen]).astype(np.int64).clip(1)
    places = np.arange(asvs.tokens.shape[1])
    tokens = np.where(places <= lengths[:, None], asvs.tokens[chosen], PADDING)
    cut = dataclasses.replace(asvs, tokens=tokens, lengths=lengths)
    whole = embed_asvs(network.eval(), asvs, chosen)
    moved = (embed_asvs(network, cut, np.arange(len(chosen))) - whole).norm(dim=1).mean()
    apart = torch.pdist(whole.float()).mean() if len(chosen) > 1 else torch.ones(())
    return float(moved / apart.clamp_min(1e-12))


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
