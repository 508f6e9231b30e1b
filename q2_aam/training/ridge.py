"""The ridge reader in closed form; its penalty is chosen by leaving groups out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import torch

from ..data.study import held_asvs
from ..inference import embed_held, sample_states
from ..model.network import Network
from .objectives import objective_of
from .ridge_equations import solve
from .seen_samples import SeenSamples
from .steps import Task

PENALTIES = 10.0 ** np.arange(-5, 2.01, 0.25)  # of features whose total variance is about 4
CHOSEN_ON = 1024  # samples to choose on; more hardly change the choice
FEWEST_GROUPS = 2  # of that many, none can say what penalty is best for another


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


class RidgeChoice(NamedTuple):
    """What predicts groups that were left out best, or about so.

    Attributes
    ----------
    penalty : float
        One of `PENALTIES`, to be multiplied by the number of samples.
    left_out : ndarray of float64, (samples, outputs)
        What is then predicted of each sample without its group.
    """

    penalty: float
    left_out: np.ndarray


class SolvedRidge(NamedTuple):
    """Weights, and what was predicted of the samples that they were chosen on.

    Attributes
    ----------
    weights : RidgeWeights
    chosen_on : ndarray of int64, (chosen,)
        Positions among the samples.
    left_out : ndarray of float64, (chosen, outputs)
        Of each of them without its group.
    """

    weights: RidgeWeights
    chosen_on: np.ndarray
    left_out: np.ndarray


@torch.no_grad()
def weigh_readers(network: Network, task: Task, seen: list[SeenSamples]) -> None:
    """Weigh the target head's readers by what they say of the validation samples."""
    ((_, samples, _, said),) = seen
    right = objective_of(network.config.target).right_answers(task.targets[samples])
    right, weights = (
        torch.from_numpy(part).float().to(said.attention.device)
        for part in (right, task.sample_weights[samples])
    )
    network.target_head.weigh(said, right, weights)


@torch.no_grad()
def solve_ridge_reader(
    network: Network,
    task: Task,
    samples: np.ndarray,
    seed: int,
    embedded: torch.Tensor | None = None,
) -> SolvedRidge | None:
    """Solve for the target head's ridge reader on some samples, as the clades now are.

    Returns
    -------
    SolvedRidge
        None if the head has no such reader.
    """
    network.eval()
    head = network.target_head
    if head.one_reader:
        return None
    if embedded is None:
        embedded = embed_held(network, task.studies.asvs, held_asvs(task.studies, [samples]))

    def read(rows: np.ndarray) -> Iterator[np.ndarray]:
        for state in sample_states(
            network, task.studies, 0, samples[rows], embedded, network.parts_to_solve()
        ):
            features = head.scaled(state.features)
            both = torch.cat([features, head.ridge.random_features(features)], dim=1)
            yield both.cpu().double().numpy()

    solved = fit_ridge(
        read,
        sum(head.ridge.blocks.values()),
        objective_of(network.config.target).right_answers(task.targets[samples]),
        task.sample_weights[samples].astype(np.float64),
        task.groups[samples],
        np.random.default_rng([seed, 0x41D6E]),
    )
    head.ridge.set_weights(*(torch.from_numpy(part).float() for part in solved.weights))
    return solved


def fit_ridge(
    read: Callable[[np.ndarray], Iterator[np.ndarray]],
    features: int,
    values: np.ndarray,
    sample_weights: np.ndarray,
    groups: np.ndarray,
    random: np.random.Generator,
) -> SolvedRidge:
    """Solve for the weights that predict values from features and random features of them.

    Parameters
    ----------
    read : callable
        From positions of samples to blocks of float64, (some of them, features + random features),
        in their order; no more than a block is held of all samples. The features come first, in
        blocks of total variance 1.
    features : int
        How many of the columns are not random features.
    values : ndarray of float64, (samples, outputs)
    sample_weights : ndarray of float64, (samples,)
        How much each sample's squared error counts.
    groups : ndarray of int64, (samples,)
        Samples of one group are left out together when the penalty is chosen.
    random : numpy.random.Generator
        Draws the samples to choose on, if there are more than `CHOSEN_ON`.

    Returns
    -------
    SolvedRidge

    References
    ----------
    Hoerl and Kennard 1970, "Ridge regression"; Golub, Heath and Wahba 1979 for choosing the
    penalty by leaving samples out without solving anew.
    """
    chosen = np.arange(len(values))
    if len(chosen) > CHOSEN_ON:
        chosen = np.sort(random.choice(chosen, CHOSEN_ON, replace=False))
    sample_weights = sample_weights / sample_weights.mean()
    rows = np.concatenate(list(read(chosen)))
    penalty, left_out = choose_penalty(rows, values[chosen], sample_weights[chosen], groups[chosen])
    blocks = (rows,) if len(chosen) == len(values) else read(np.arange(len(values)))
    weights, intercept = solve(blocks, rows.shape[1], values, sample_weights, penalty)
    linear, random_ones = np.split(weights.T, [features], axis=1)
    return SolvedRidge(RidgeWeights(linear, random_ones, intercept), chosen, left_out)


def choose_penalty(
    features: np.ndarray, values: np.ndarray, sample_weights: np.ndarray, groups: np.ndarray
) -> RidgeChoice:
    """Choose the penalty with the smallest squared error on groups left out.

    What two or three groups say of each other is mostly chance, and each leaves out much of all
    samples: penalties then come out too large. So the choice goes a part of the way, on the scale
    of logarithms, to what is best if single samples are left out: all of it for two groups, a
    ninth for six. Single samples tell nothing where all of a group have one value, so the way is
    as much shorter as groups explain of the values.

    The parameters are those of `fit_ridge`, all features and random features beside each other.
    """
    left_out = LeftOut(centred_gram(features, sample_weights), values, sample_weights)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    by_group, by_sample = (
        int(np.argmin([np.square(left_out.residuals(one, parts)).sum() for one in PENALTIES]))
        for parts in (members, np.arange(len(values))[:, None])
    )
    way = min(1.0, (FEWEST_GROUPS / len(members)) ** 2)
    way *= share_within(members, values, sample_weights)
    penalty = float(PENALTIES[round((1 - way) * by_group + way * by_sample)])
    residuals = left_out.residuals(penalty, members)
    return RidgeChoice(penalty, values - residuals / np.sqrt(sample_weights)[:, None])


def share_within(
    members: Sequence[np.ndarray], values: np.ndarray, sample_weights: np.ndarray
) -> float:
    """Return how much of the values' variance, in [0, 1], is within groups of samples."""

    def spread(rows: np.ndarray) -> float:
        weights = sample_weights[rows, None]
        centred = values[rows] - np.average(values[rows], axis=0, weights=sample_weights[rows])
        return float((weights * np.square(centred)).sum())

    total = spread(np.arange(len(values)))
    return min(1.0, sum(map(spread, members)) / total) if total > 0 else 0.0


def centred_gram(features: np.ndarray, sample_weights: np.ndarray) -> np.ndarray:
    """Return the products of all samples, (samples, samples), features centred and weighted."""
    centred = features - np.average(features, axis=0, weights=sample_weights)
    centred = np.sqrt(sample_weights)[:, None] * centred
    return centred @ centred.T


class LeftOut:
    """Tells how far groups of samples are off, as predicted without them, at any penalty.

    Parameters
    ----------
    gram : ndarray of float64, (samples, samples)
        See `centred_gram`.
    values : ndarray of float64, (samples, outputs)
    sample_weights : ndarray of float64, (samples,)
    """

    def __init__(self, gram: np.ndarray, values: np.ndarray, sample_weights: np.ndarray):
        lengths, self._vectors = scipy.linalg.eigh(gram)
        self._lengths = np.maximum(lengths, 0)[:, None]  # rounding gives values just below 0
        root = np.sqrt(sample_weights)[:, None]
        self._wanted = root * (values - np.average(values, axis=0, weights=sample_weights))
        self._of_intercept = root / np.linalg.norm(root)
        self._rotated = self._vectors.T @ self._wanted

    def residuals(self, penalty: float, members: Sequence[np.ndarray]) -> np.ndarray:
        """Return residuals, (samples, outputs), times the roots of the samples' weights.

        Parameters
        ----------
        penalty : float
            To be multiplied by the number of samples.
        members : sequence of ndarray of int
            The samples of each group.
        """
        shrinkage = self._lengths / (self._lengths + penalty * len(self._wanted))
        residuals = self._wanted - self._vectors @ (shrinkage * self._rotated)
        return _without_own_group(self._vectors, shrinkage, self._of_intercept, residuals, members)


def _without_own_group(
    vectors, shrinkage, of_intercept, residuals, members: Sequence[np.ndarray]
) -> np.ndarray:
    """Return residuals of each group as predicted without it: (I - H)⁻¹ residuals.

    H is the matrix that turns values into fitted values; its blocks say what leaving a group out
    changes. Samples that are a group each, as without groups, are done at once.
    """
    alone = np.array([rows[0] for rows in members if len(rows) == 1], dtype=np.int64)
    hat = np.square(vectors[alone]) @ shrinkage + np.square(of_intercept[alone])
    left_out = np.empty_like(residuals)
    left_out[alone] = residuals[alone] / np.where(hat == 1, np.inf, 1 - hat)
    for rows in members:
        if len(rows) > 1:
            part, intercept = vectors[rows], of_intercept[rows]
            hat = (part * shrinkage[:, 0]) @ part.T + intercept @ intercept.T
            kept = np.eye(len(rows)) - hat
            left_out[rows] = np.linalg.lstsq(kept, residuals[rows], rcond=None)[0]
    return left_out
