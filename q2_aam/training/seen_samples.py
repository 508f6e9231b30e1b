"""What a network says of samples, read once for all that is weighed, scored and shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..inference import join_states, sample_states
from ..model.network import Network, SampleState
from ..model.target_head import ReaderAnswers
from .steps import Task


class SeenSamples(NamedTuple):
    """What is kept of some samples of a study; features, which are many, are not.

    Attributes
    ----------
    study : int
    samples : ndarray of int64
        Positions in the study.
    state : SampleState or None
        What distances are predicted from, if they are learned.
    said : ReaderAnswers or None
        What the target's readers answer, if a target is learned.
    """

    study: int
    samples: np.ndarray
    state: SampleState | None
    said: ReaderAnswers | None


@torch.no_grad()
def see_samples(
    network: Network, task: Task, of_studies: list[np.ndarray], embedded: Tensor | None = None
) -> list[SeenSamples]:
    """Read samples as far as a task needs them.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    task : Task
    of_studies : list of ndarray of int64
        Positions of samples in each study; studies without any are left out.
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs that they hold, if these are known.
    """
    distances, target = "unifrac" in task.weights, "target" in task.weights
    if not (distances or target):
        return []
    parts = network.parts_for(distances, target)
    compared = network.parts_for(distances, target=False)
    seen = []
    for study, samples in enumerate(of_studies):
        if not len(samples):
            continue
        kept, said = [], []
        for state in sample_states(network, task.studies, study, samples, embedded, parts):
            if distances:
                pooled = state.pooled if compared.attend else None
                kept.append(SampleState(pooled, None, state.presence, None))
            if target:
                said.append(network.read_target(state))
        state = join_states(kept) if distances else None
        seen.append(SeenSamples(study, samples, state, _join(said) if target else None))
    return seen


def final_answers(network: Network, said: ReaderAnswers) -> np.ndarray:
    """Return what the readers answer together, (B, O) float64, as they now weigh."""
    return network.target_head.combine(said).cpu().numpy().astype(np.float64)


def _join(said: list[ReaderAnswers]) -> ReaderAnswers:
    attention, solved = zip(*said, strict=True)
    return ReaderAnswers(torch.cat(attention), None if solved[0] is None else torch.cat(solved))
