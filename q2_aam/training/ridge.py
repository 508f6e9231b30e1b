"""The ridge reader in closed form, its penalty chosen by leaving groups out."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch

from ..inference import all_states
from ..model.network import Network
from .steps import Task

PENALTIES = 10.0 ** np.arange(-4, 2.01, 0.25)  # of features whose total variance is 2
CHOSEN_ON = 2048  # samples to choose the penalty on; more hardly change it
_RELATIVE_FLOOR = 1e-9


@torch.no_grad()
def weigh_readers(network: Network, task: Task, embedded: torch.Tensor | None) -> None:
    """Weigh the target head's readers on the validation samples."""
    network.eval()
    (samples,) = task.validation
    state = all_states(network, task.studies, 0, samples, embedded)
    actual = torch.from_numpy(task.targets[samples]).to(state.pooled.device)
    network.target_head.weigh(state.pooled, state.features, actual)


@torch.no_grad()
def solve_ridge_reader(network: Network, task: Task, samples: np.ndarray, seed: int) -> None:
    """Solve for the target head's ridge reader on some samples, as the branches now are."""
    network.eval()
    head = network.target_head
    features = head.scaled(all_states(network, task.studies, 0, samples).features)
    weights, intercept = fit_ridge(
        features.cpu().double().numpy(),
        task.targets[samples].astype(np.float64),
        task.groups[samples],
        np.random.default_rng([seed, 0x41D6E]),
    )
    head.set_ridge(torch.from_numpy(weights).float(), intercept)


def fit_ridge(
    features: np.ndarray, values: np.ndarray, groups: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Solve for the weights that predict values from features.

    Parameters
    ----------
    features : ndarray of float64, (samples, features)
        Centred, in blocks of total variance 1.
    values : ndarray of float64, (samples,)
    groups : ndarray of int64, (samples,)
        Samples of one group are left out together when the penalty is chosen.
    random : numpy.random.Generator
        Draws the samples to choose the penalty on, if there are more than `CHOSEN_ON`.

    Returns
    -------
    weights : ndarray of float64, (features,)
    intercept : float

    References
    ----------
    Hoerl and Kennard 1970, "Ridge regression"; Golub, Heath and Wahba 1979 for choosing the
    penalty by leaving samples out without solving anew.
    """
    chosen = np.arange(len(values))
    if len(chosen) > CHOSEN_ON:
        chosen = np.sort(random.choice(chosen, CHOSEN_ON, replace=False))
    penalty = choose_penalty(features[chosen], values[chosen], groups[chosen])
    mean = features.mean(axis=0)
    centred, intercept = features - mean, float(values.mean())
    if len(values) <= features.shape[1]:
        gram = centred @ centred.T
        gram[np.diag_indices_from(gram)] += penalty * len(values)
        weights = centred.T @ scipy.linalg.solve(gram, values - intercept, assume_a="pos")
    else:
        gram = centred.T @ centred
        gram[np.diag_indices_from(gram)] += penalty * len(values)
        weights = scipy.linalg.solve(gram, centred.T @ (values - intercept), assume_a="pos")
    return weights, intercept - float(mean @ weights)


def choose_penalty(features: np.ndarray, values: np.ndarray, groups: np.ndarray) -> float:
    """Choose the penalty with the smallest squared error on groups left out.

    Returns
    -------
    float
        To be multiplied by the number of samples.
    """
    centred = features - features.mean(axis=0)
    lengths, vectors = scipy.linalg.eigh(centred @ centred.T)
    lengths = np.maximum(lengths, _RELATIVE_FLOOR)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    centre = values.mean()
    rotated = vectors.T @ (values - centre)
    errors = []
    for penalty in PENALTIES:
        shrinkage = lengths / (lengths + penalty * len(values))
        residuals = values - centre - vectors @ (shrinkage * rotated)
        errors.append(_left_out_error(vectors, shrinkage, residuals, members))
    return float(PENALTIES[int(np.argmin(errors))])


def _left_out_error(vectors, shrinkage, residuals, members: list[np.ndarray]) -> float:
    """Sum squared errors of each group as predicted without it: (I - H)⁻¹ residuals.

    H is the matrix that turns values into fitted values; its blocks say what leaving a group out
    changes.
    """
    total = 0.0
    for rows in members:
        part = vectors[rows]
        hat = (part * shrinkage) @ part.T + 1 / len(vectors)
        kept = np.eye(len(rows)) - hat
        total += float(np.square(np.linalg.lstsq(kept, residuals[rows], rcond=None)[0]).sum())
    return total
