"""What the kept model predicts of the validation samples, for the pictures in TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..config import Target
from ..inference import all_states, predict_answers
from ..model.network import Network, SampleState
from .steps import Task
from .validation import unifrac_pairs

MOST_COMPARED = 1000  # samples of a study whose distances are shown


@dataclass(frozen=True)
class ShownPredictions:
    """Predictions beside the truth.

    Attributes
    ----------
    part : str
        ``validation``, or ``train`` if no samples validate.
    samples : int
        How many there are.
    target : Target or None
    answers : ndarray of float64, (samples, O), or None
        See `q2_aam.inference.predict_answers`.
    targets : ndarray, (samples,), or None
        What was to be learned.
    distances : tuple of two ndarrays of float64, (pairs,), or None
        Predicted and actual UniFrac of the samples of each study.
    """

    part: str
    samples: int
    target: Target | None = None
    answers: np.ndarray | None = None
    targets: np.ndarray | None = None
    distances: tuple[np.ndarray, np.ndarray] | None = None


@torch.no_grad()
def predict_shown(network: Network, task: Task) -> ShownPredictions:
    """Predict the samples that did not train the weights, else those that did.

    Parameters
    ----------
    network : Network
        In evaluation mode, with the weights that are kept.
    task : Task
    """
    validated = any(len(samples) for samples in task.validation)
    of_studies = task.validation if validated else task.training
    part, number = "validation" if validated else "train", sum(map(len, of_studies))
    if not {"unifrac", "target"} & set(task.weights):
        return ShownPredictions(part, number)
    target, answers, targets, states = None, None, None, []
    for study, samples in enumerate(of_studies):
        if not len(samples):
            continue
        if "target" not in task.weights:  # then nothing but distances is shown
            samples = _some(samples)
        state = all_states(network, task.studies, study, samples)
        if "target" in task.weights:
            target, answers = network.config.target, predict_answers(network, state)
            targets = task.targets[samples]
        compared = np.flatnonzero(np.isin(samples, _some(samples)))
        rows = torch.from_numpy(compared).to(state.presence.device)
        parts = (None if part is None else part.index_select(0, rows) for part in state)
        states.append((study, samples[compared], SampleState(*parts)))
    distances = unifrac_pairs(network, task, states) if "unifrac" in task.weights else None
    return ShownPredictions(part, number, target, answers, targets, distances)


def _some(samples: np.ndarray) -> np.ndarray:
    if len(samples) <= MOST_COMPARED:
        return samples
    return np.sort(np.random.default_rng(0).choice(samples, MOST_COMPARED, replace=False))
