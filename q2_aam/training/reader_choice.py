"""Whether the attention reader is listened to: where it surely lowers the error, else not."""

from __future__ import annotations

import numpy as np
import scipy.special
import torch
from torch import Tensor

from ..model.network import Network
from .objectives import objective_of
from .seen_samples import see_samples
from .steps import Task

CONFIDENCE = 0.975  # of a one-sided test


@torch.no_grad()
def choose_readers(network: Network, task: Task, embedded: Tensor | None = None) -> None:
    """Leave the attention reader out unless it surely lowers the error on validation samples.

    The epoch was chosen on these samples, and the other readers will also learn from them, the
    attention reader not: so an advantage that may be chance is none. Nothing is done if no
    samples validate, or if there is one reader only.

    Parameters
    ----------
    network : Network
        With the weights that are kept; no reader has seen the validation samples.
    task : Task
    embedded : Tensor, (asvs, D), optional
        Embeddings of all ASVs, if they are known.
    """
    head, (samples,) = network.eval().target_head, task.validation
    if head.one_reader or not len(samples):
        return
    ((_, _, _, said),) = see_samples(network, task, task.validation, embedded)
    right = objective_of(network.config.target).right_answers(task.targets[samples])

    def errors(answers: Tensor) -> np.ndarray:
        wrong = answers.cpu().numpy().astype(np.float64) - right
        return task.sample_weights[samples] * np.square(wrong).sum(axis=1)

    gains = errors(said.solved) - errors(head.combine(said))
    if not surely_positive(gains, task.groups[samples]):
        head.attention_share.zero_()


def surely_positive(gains: np.ndarray, groups: np.ndarray) -> bool:
    """Test whether gains are above zero on average over groups, by a one-sided t test.

    Parameters
    ----------
    gains : ndarray of float64, (samples,)
    groups : ndarray of int64, (samples,)
        Samples of one group are not independent: their gains are summed.
    """
    _, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, gains)
    if len(sums) < 2 or sums.mean() <= 0:
        return False
    standard_error = sums.std(ddof=1) / np.sqrt(len(sums))
    return bool(sums.mean() > scipy.special.stdtrit(len(sums) - 1, CONFIDENCE) * standard_error)
