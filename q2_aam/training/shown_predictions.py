"""What the kept model predicts of the validation samples, for the pictures in TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..config import Target
from ..model.network import Network
from .seen_samples import see_samples
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
def predict_shown(
    network: Network, task: Task, embedded: torch.Tensor | None = None
) -> ShownPredictions:
    """Predict distances among samples that did not train the weights, else those that did.

    Parameters
    ----------
    network : Network
        In evaluation mode, with the weights that are kept.
    task : Task
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs that they hold, if these are known.
    """
    validated = any(len(samples) for samples in task.validation)
    of_studies = task.validation if validated else task.training
    part, number = "validation" if validated else "train", sum(map(len, of_studies))
    if "unifrac" not in task.weights:
        return ShownPredictions(part, number)
    seen = see_samples(network, task, [_some(samples) for samples in of_studies], embedded)
    return ShownPredictions(part, number, distances=unifrac_pairs(network, task, seen))


def _some(samples: np.ndarray) -> np.ndarray:
    if len(samples) <= MOST_COMPARED:
        return samples
    return np.sort(np.random.default_rng(0).choice(samples, MOST_COMPARED, replace=False))
