"""What a network says of samples, read once for all that is weighed, scored and shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..inference import join_states, sample_states
from ..model.network import Network, SampleState
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
    predictions : Tensor, (B, O), or None
        Of the target by its attention head, if a target is learned.
    """

    study: int
    samples: np.ndarray
    state: SampleState | None
    predictions: Tensor | None


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
        kept, predictions = [], []
        for state in sample_states(network, task.studies, study, samples, embedded, parts):
            if distances:
                pooled = state.pooled if compared.attend else None
                kept.append(SampleState(pooled, None, state.presence, None))
            if target:
                raw = network.attention_outputs(state)
                predictions.append(network.target_head.attention.predictions(raw))
        state = join_states(kept) if distances else None
        predicted = torch.cat(predictions) if target else None
        seen.append(SeenSamples(study, samples, state, predicted))
    return seen
