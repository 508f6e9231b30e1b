"""Fit the lengths of branches to a study's distances, before anything else of a model changes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..data.study import Studies
from ..inference import device_of, sample_states, to_device
from ..model.branches import shared_asvs
from ..model.losses import unifrac_loss
from ..model.network import Network, Parts

STEPS, SAMPLES, LEARNING_RATE = 120, 64, 0.05
PULL = 2e-3  # of each length towards where it was, as squared errors of distances count
MOST_SAMPLES = 512  # of a study


def calibrate_lengths(
    network: Network, studies: Studies, training: list[np.ndarray], seed: int
) -> bool:
    """Fit the lengths of branches and of tips to the distances of samples, in seconds.

    Which branches an ASV lies under stays as it is; the tree that a study's distances were computed
    with may have other lengths than the tree that taught the encoder.

    Parameters
    ----------
    network : Network
        In evaluation mode; its distance head is changed in place.
    studies : Studies
    training : list of ndarray of int64
        For each study, the positions of its samples to fit to.
    seed : int

    Returns
    -------
    bool
        Whether there was anything to fit: lengths, and two samples of a study with distances.
    """
    random = np.random.default_rng([seed, STEPS])
    known = [
        _known(network, studies, study, _some(samples, random))
        for study, samples in enumerate(training)
        if studies.studies[study].distances is not None and len(samples) > 1
    ]
    if network.config.distance_form != "branches" or not known:
        return False
    head = network.distance_head
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
            shared = shared_asvs(to_device(seen[rows].toarray(), presence.device))
        chosen = to_device(rows, presence.device)
        distances = head(presence.index_select(0, chosen), asvs=shared)
        loss = unifrac_loss(distances, to_device(actual[np.ix_(rows, rows)], presence.device))
        # few samples say little of each length
        loss = loss + PULL / pairs * (head.log_length - before).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return True


def _known(network: Network, studies: Studies, study: int, samples: np.ndarray):
    """Return presence (B, K), the ASVs seen (B, asvs), and the distances (B, B) of samples."""
    parts = Parts(attend=False, detect=True, quantify=False, join=False)
    states = sample_states(network, studies, study, samples, None, parts)
    seen = studies.studies[study].abundances[samples].copy()
    seen.data = network.asvs_seen(torch.from_numpy(seen.data)).numpy()
    presence: Tensor = torch.cat([state.presence for state in states]).to(device_of(network))
    return presence, seen, studies.studies[study].distances.block(samples)


def _some(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if len(samples) <= MOST_SAMPLES:
        return samples
    return np.sort(random.choice(samples, MOST_SAMPLES, replace=False))
