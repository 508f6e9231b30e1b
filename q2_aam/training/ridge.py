"""The ridge reader in closed form; its curvature and penalty are chosen by leaving groups out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
import torch

from ..inference import all_states
from ..model.network import Network
from .objectives import objective_of
from .steps import Task

PENALTIES = 10.0 ** np.arange(-5, 2.01, 0.25)  # of features whose total variance is about 2
CURVATURES = (0.0, 2.0)  # shares of the random features in the kernel, beside the linear one
CHOSEN_ON = 1024  # samples to choose on; more hardly change the choice


class RidgeWeights(NamedTuple):
    """What reads a sample: weights of its features and of their random features, and a constant.

    Attributes
    ----------
    linear : ndarray of float64, (outputs, features)
    random : ndarray of float64, (outputs, random features)
    intercept : ndarray of float64, (outputs,)
    """

    linear: np.ndarray
    random: np.ndarray
    intercept: np.ndarray


@torch.no_grad()
def weigh_readers(network: Network, task: Task, embedded: torch.Tensor | None) -> None:
    """Weigh the target head's readers on the validation samples."""
    network.eval()
    (samples,) = task.validation
    state = all_states(network, task.studies, 0, samples, embedded)
    right = objective_of(network.config.target).right_answers(task.targets[samples])
    right, weights = (
        torch.from_numpy(part).float().to(state.pooled.device)
        for part in (right, task.sample_weights[samples])
    )
    network.target_head.weigh(state.pooled, state.features, right, weights)


@torch.no_grad()
def solve_ridge_reader(
    network: Network,
    task: Task,
    samples: np.ndarray,
    seed: int,
    embedded: torch.Tensor | None = None,
) -> None:
    """Solve for the target head's ridge reader on some samples, as the branches now are."""
    network.eval()
    head = network.target_head
    if head.one_reader:
        return
    features = head.scaled(all_states(network, task.studies, 0, samples, embedded).features)
    solved = fit_ridge(
        features.cpu().double().numpy(),
        head.ridge.random_features(features).cpu().double().numpy(),
        objective_of(network.config.target).right_answers(task.targets[samples]),
        task.sample_weights[samples].astype(np.float64),
        task.groups[samples],
        np.random.default_rng([seed, 0x41D6E]),
    )
    head.ridge.set_weights(*(torch.from_numpy(part).float() for part in solved))


def fit_ridge(
    features: np.ndarray,
    random_features: np.ndarray,
    values: np.ndarray,
    sample_weights: np.ndarray,
    groups: np.ndarray,
    random: np.random.Generator,
) -> RidgeWeights:
    """Solve for the weights that predict values from features and random features of them.

    Parameters
    ----------
    features : ndarray of float64, (samples, features)
        Centred, in blocks of total variance 1.
    random_features : ndarray of float64, (samples, random features)
    values : ndarray of float64, (samples, outputs)
    sample_weights : ndarray of float64, (samples,)
        How much each sample's squared error counts.
    groups : ndarray of int64, (samples,)
        Samples of one group are left out together when curvature and penalty are chosen.
    random : numpy.random.Generator
        Draws the samples to choose on, if there are more than `CHOSEN_ON`.

    Returns
    -------
    RidgeWeights

    References
    ----------
    Hoerl and Kennard 1970, "Ridge regression"; Golub, Heath and Wahba 1979 for choosing the
    penalty by leaving samples out without solving anew.
    """
    chosen = np.arange(len(values))
    if len(chosen) > CHOSEN_ON:
        chosen = np.sort(random.choice(chosen, CHOSEN_ON, replace=False))
    sample_weights = sample_weights / sample_weights.mean()
    curvature, penalty = choose_curvature_and_penalty(
        features[chosen],
        random_features[chosen],
        values[chosen],
        sample_weights[chosen],
        groups[chosen],
    )
    if curvature == 0:
        weights, intercept = solve(features, values, sample_weights, penalty)
        none = np.zeros((values.shape[1], random_features.shape[1]))
        return RidgeWeights(weights.T, none, intercept)
    share = np.sqrt(curvature)
    both = np.hstack([features, share * random_features])
    weights, intercept = solve(both, values, sample_weights, penalty)
    linear, curved = np.split(weights, [features.shape[1]])
    return RidgeWeights(linear.T, share * curved.T, intercept)


def solve(
    features: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve weighted ridge regression with an intercept that is not penalised.

    Returns
    -------
    weights : ndarray of float64, (features, outputs)
    intercept : ndarray of float64, (outputs,)
    """
    mean, intercept = (
        np.average(part, axis=0, weights=sample_weights) for part in (features, values)
    )
    root = np.sqrt(sample_weights)[:, None]
    centred, wanted = root * (features - mean), root * (values - intercept)
    if len(values) <= features.shape[1]:
        gram = centred @ centred.T
        gram[np.diag_indices_from(gram)] += penalty * len(values)
        weights = centred.T @ scipy.linalg.solve(gram, wanted, assume_a="pos")
    else:
        gram = centred.T @ centred
        gram[np.diag_indices_from(gram)] += penalty * len(values)
        weights = scipy.linalg.solve(gram, centred.T @ wanted, assume_a="pos")
    return weights, intercept - mean @ weights


def choose_curvature_and_penalty(
    features: np.ndarray,
    random_features: np.ndarray,
    values: np.ndarray,
    sample_weights: np.ndarray,
    groups: np.ndarray,
) -> tuple[float, float]:
    """Choose the pair with the smallest squared error on groups left out.

    Returns
    -------
    curvature : float
        One of `CURVATURES`; 0 if a linear reader predicts unseen groups best.
    penalty : float
        To be multiplied by the number of samples.
    """
    linear = centred_gram(features, sample_weights)
    curved = centred_gram(random_features, sample_weights)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    errors = np.stack(
        [
            left_out_errors(linear + share * curved, values, sample_weights, members)
            for share in CURVATURES
        ]
    )
    curvature, penalty = np.unravel_index(int(np.argmin(errors)), errors.shape)
    return CURVATURES[curvature], float(PENALTIES[penalty])


def centred_gram(features: np.ndarray, sample_weights: np.ndarray) -> np.ndarray:
    """Return the products of all samples, (samples, samples), features centred and weighted."""
    centred = features - np.average(features, axis=0, weights=sample_weights)
    centred = np.sqrt(sample_weights)[:, None] * centred
    return centred @ centred.T


def left_out_errors(
    gram: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, members: list[np.ndarray]
) -> np.ndarray:
    """Sum the squared errors of groups as predicted without them, for each of `PENALTIES`."""
    lengths, vectors = scipy.linalg.eigh(gram)
    lengths = np.maximum(lengths, 0)[:, None]  # rounding gives values just below 0
    root = np.sqrt(sample_weights)[:, None]
    wanted = root * (values - np.average(values, axis=0, weights=sample_weights))
    of_intercept = root / np.linalg.norm(root)
    rotated = vectors.T @ wanted
    errors = []
    for penalty in PENALTIES:
        shrinkage = lengths / (lengths + penalty * len(values))
        residuals = wanted - vectors @ (shrinkage * rotated)
        errors.append(_left_out_error(vectors, shrinkage, of_intercept, residuals, members))
    return np.array(errors)


def _left_out_error(
    vectors, shrinkage, of_intercept, residuals, members: list[np.ndarray]
) -> float:
    """Sum squared errors of each group as predicted without it: (I - H)⁻¹ residuals.

    H is the matrix that turns values into fitted values; its blocks say what leaving a group out
    changes. Samples that are a group each, as without groups, are done at once.
    """
    alone = np.array([rows[0] for rows in members if len(rows) == 1], dtype=np.int64)
    hat = np.square(vectors[alone]) @ shrinkage + np.square(of_intercept[alone])
    left_out = residuals[alone] / np.where(hat == 1, np.inf, 1 - hat)
    total = float(np.square(left_out).sum())
    for rows in members:
        if len(rows) > 1:
            part, intercept = vectors[rows], of_intercept[rows]
            hat = (part * shrinkage[:, 0]) @ part.T + intercept @ intercept.T
            kept = np.eye(len(rows)) - hat
            total += float(np.square(np.linalg.lstsq(kept, residuals[rows], rcond=None)[0]).sum())
    return total
