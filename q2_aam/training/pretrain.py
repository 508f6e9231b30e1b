"""Pretraining: learn ASV embeddings and branches from UniFrac and from the sequences themselves."""

import dataclasses

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator

from ..config.training import TrainingConfig
from ..data.splits import train_test_split
from ..data.study import Studies
from ..data.tokens import PADDING, Asvs
from ..errors import AAMError, percent
from ..inference import device_of, embed_asvs, sample_states, to_device
from ..model.branches import shared_asvs
from ..model.network import Network, Parts
from .checkpoint import Progress
from .evaluation import FinalPredictions, SampleObjective, predict_final
from .init import some
from .losses import Task, unifrac_loss, weights_of
from .trainer import Trainer

CUT_TO = 2 / 3  # of a read, to see how far embeddings move
_MOST_COMPARED = 512  # ASVs
STEPS, SAMPLES, LEARNING_RATE = 120, 64, 0.05  # of the lengths of branches
PULL = 2e-3  # of each length towards where it was, as squared errors of distances count
MOST_SAMPLES = 512  # of a study


def pretrain(
    network: Network, task: Task, config: TrainingConfig, accelerator: Accelerator, logger
) -> tuple[Progress, FinalPredictions]:
    """Train a network on several studies without labels (see `pretraining_task`).

    Returns predictions of the samples that decide the epoch to keep, else of those that train.
    """
    taught = network.config.distance_state == "trained" and "unifrac" in task.weights
    if taught and calibrate_lengths(network, task, config.random_seed):
        logger.info("The lengths of the encoder's branches were fitted to the matrices.")
    objective = SampleObjective(network, task, config)
    progress = Trainer(objective, config, accelerator, logger).run()
    if "unifrac" in task.weights:
        network.config = dataclasses.replace(network.config, distance_state="trained")
    logger.moved_by_cuts = moved_by_cuts(network, task.studies.asvs, config.random_seed)
    logger.info(
        f"Reads cut to {percent(CUT_TO)} of their length move embeddings by "
        f"{percent(logger.moved_by_cuts)} of the mean distance between ASVs."
    )
    return progress, predict_final(network, task)


def pretraining_task(studies: Studies, config: TrainingConfig) -> Task:
    """Say what is learned, and hold a share of each study's samples out."""
    training, validation = [], []
    for study in studies.studies:
        ids, kept, held = pd.Index(study.sample_ids), study.sample_ids, []
        if config.validation_size:
            kept, held = train_test_split(kept, config.validation_size, config.random_seed)
        training.append(ids.get_indexer(kept))
        validation.append(ids.get_indexer(held))
    weights = weights_of(config, distances=True, target=False)
    if not weights:
        raise AAMError(
            "All loss weights are 0: there is nothing to learn. Raise 'unifrac_weight', "
            "'nucleotide_weight' or 'abundance_weight'."
        )
    monitored = "unifrac_loss" if "unifrac" in weights else "loss"
    return Task(studies, training, validation, None, weights, monitored)


def calibrate_lengths(network: Network, task: Task, seed: int) -> bool:
    """Fit the lengths of branches and of tips to the distances of the training samples, in seconds.

    These may be of a tree with other lengths than the one that taught the encoder. The network is
    in evaluation mode. Returns whether there was anything to fit.
    """
    random = np.random.default_rng([seed, STEPS])
    known = [
        _known(network, task.studies, number, some(samples, MOST_SAMPLES, random))
        for number, samples in enumerate(task.training)
        if task.studies.studies[number].distances is not None and len(samples) > 1
    ]
    if network.config.distance_form != "branches" or not known:
        return False
    head, device = network.distance_head, device_of(network)
    before = head.log_length.detach().clone()
    pairs = sum(len(actual) * (len(actual) - 1) / 2 for *_, actual in known)
    optimizer = torch.optim.Adam(head.parameters(), lr=LEARNING_RATE)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / STEPS)
        presence, seen, actual = known[step % len(known)]
        rows = np.sort(random.permutation(len(presence))[:SAMPLES])
        shared = None
        if network.config.asv_tips:
            shared = shared_asvs(to_device(seen[rows].toarray(), device))
        distances = head(presence.index_select(0, to_device(rows, device)), asvs=shared)
        loss = unifrac_loss(distances, to_device(actual[np.ix_(rows, rows)], device))
        # few samples say little of each length
        loss = loss + PULL / pairs * (head.log_length - before).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return True


def _known(network: Network, studies: Studies, number: int, samples: np.ndarray):
    """Return presence (B, K), the ASVs seen (B, asvs), and the distances (B, B) of samples."""
    study, parts = studies.studies[number], Parts(attend=False, quantify=False)
    states = sample_states(network, studies, number, samples, None, parts)
    presence = torch.cat([state.branch_presence for state in states])
    seen = study.abundances[samples]
    seen.data = network.asvs_seen(torch.from_numpy(seen.data)).numpy()
    return presence, seen, study.distances.block(samples)


@torch.no_grad()
def moved_by_cuts(network: Network, asvs: Asvs, seed: int) -> float:
    """Measure how far ASVs' embeddings move when reads lose their end, by the mean distance."""
    chosen = some(np.arange(len(asvs)), _MOST_COMPARED, seed)
    lengths = (CUT_TO * asvs.lengths[chosen]).astype(np.int64).clip(1)
    places = np.arange(asvs.tokens.shape[1])
    tokens = np.where(places <= lengths[:, None], asvs.tokens[chosen], PADDING)
    cut = dataclasses.replace(asvs, tokens=tokens, lengths=lengths)
    whole = embed_asvs(network.eval(), asvs, chosen)
    moved = (embed_asvs(network, cut, np.arange(len(chosen))) - whole).norm(dim=1).mean()
    apart = torch.pdist(whole.float()).mean() if len(chosen) > 1 else torch.ones(())
    return float(moved / apart.clamp_min(1e-12))
