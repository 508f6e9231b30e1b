"""Growing clades: average linkage of the known ASVs' embeddings, and which clades are read."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.cluster.hierarchy
import scipy.spatial.distance
import torch

from ..config import Target
from ..data.vocabulary import PREVALENCE
from ..inference import sample_states
from ..model.log_abundance import log_abundance
from ..model.network import Network
from ..model.target_head import CLADES
from .steps import Task

MOST_CLADES = 1024
_CHOSEN_ON = 1024  # samples: more hardly change which clades vary most
_NOTHING = 1e-9  # less is what rounding leaves of a difference of sums
_PURPOSE = 0xC1ADE


def with_clades(target: Target) -> Target:
    """Add clades to what a target is read by: at most one less than ASVs, as each joins two.

    None is read where a range is learned: the attention reader then answers alone.
    """
    if target.outputs != target.ridge_outputs:
        return target
    return dataclasses.replace(target, clades=max(1, min(MOST_CLADES, target.known_asvs - 1)))


@torch.no_grad()
def grow_clades(
    network: Network, task: Task, samples: np.ndarray, seed: int, embedded: torch.Tensor
) -> None:
    """Grow the target head's clades, and keep those that vary most between some samples.

    Parameters
    ----------
    network : Network
    task : Task
        Whose only study knows the ASVs of the target head.
    samples : ndarray of int64
        Positions of samples.
    seed : int
    embedded : Tensor, (asvs, D)
        Embeddings of all ASVs that they hold.

    References
    ----------
    Sokal and Michener 1958, for average linkage (UPGMA).
    """
    if network.target_head.one_reader:
        return
    clades, studies = network.target_head.clades, task.studies
    known = np.full(len(clades.embedding), -1)
    place = studies.known < len(known)
    known[studies.known[place]] = np.flatnonzero(place)
    leaves = embedded[torch.from_numpy(known).to(embedded.device)].float()
    if len(samples) > _CHOSEN_ON:
        random = np.random.default_rng([seed, _PURPOSE])
        samples = np.sort(random.choice(samples, _CHOSEN_ON, replace=False))
    fractions = studies.studies[0].abundances[samples][:, known].toarray()
    tables = clade_tables(leaves.cpu().numpy(), fractions, len(clades.height))
    clades.set_tables(
        embedding=leaves, **{name: torch.from_numpy(table) for name, table in tables.items()}
    )


@torch.no_grad()
def renew_clades(
    network: Network, task: Task, samples: np.ndarray, seed: int, embedded: torch.Tensor
) -> None:
    """Grow the clades anew and scale them, after the encoder has learned (see `grow_clades`)."""
    if network.target_head.one_reader:
        return
    grow_clades(network, task, samples, seed, embedded)
    states = sample_states(network, task.studies, 0, samples, embedded, network.parts_to_solve())
    network.target_head.fit_scaling((state.features for state in states), (CLADES,))


def clade_tables(embedding: np.ndarray, fractions: np.ndarray, most: int) -> dict[str, np.ndarray]:
    """Join ASVs to clades, and write down the clades that vary most.

    Parameters
    ----------
    embedding : ndarray of float32, (N, D)
        Of each ASV.
    fractions : ndarray of float32, (samples, N)
        Relative abundances.
    most : int
        Clades C to keep.

    Returns
    -------
    dict of str to ndarray
        ``parent``, ``height``, ``order``, ``start`` and ``end`` of `q2_aam.model.clades.Clades`.
    """
    number = len(embedding)
    leaves, start, end, height = dendrogram(embedding)
    kept = most_variable(fractions[:, leaves], start, end, most)
    # nodes by where they start; of those that start together, the larger holds the smaller
    starts = np.concatenate([np.argsort(leaves), start[kept]])
    sizes = np.concatenate([np.ones(number, dtype=int), (end - start)[kept]])
    order = np.lexsort([-sizes, starts])
    first, last = np.zeros((2, most), dtype=np.int32)
    place = np.argsort(order)[number:]
    first[: len(kept)] = place
    last[: len(kept)] = np.searchsorted(starts[order], end[kept])
    heights = np.zeros(most, dtype=np.float32)
    heights[: len(kept)] = height[kept]
    empty = np.arange(number + len(kept), number + most)
    return {
        "parent": parents(order, last, number, most),
        "height": heights,
        "order": np.concatenate([order, empty]).astype(np.int32),
        "start": first,
        "end": last,
    }


def dendrogram(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join ASVs by average linkage of Euclidean distances.

    Parameters
    ----------
    embedding : ndarray, (N, D)

    Returns
    -------
    leaves : ndarray of int, (N,)
        The ASVs in an order in which each clade is a range.
    start, end : ndarray of int, (N - 1,)
        The range of each clade.
    height : ndarray of float64, (N - 1,)
        At which its two parts are joined.
    """
    number = len(embedding)
    if number == 1:
        nothing = np.zeros(0, dtype=int)
        return np.zeros(1, dtype=int), nothing, nothing, np.zeros(0)
    linkage = scipy.cluster.hierarchy.average(scipy.spatial.distance.pdist(embedding))
    leaves = scipy.cluster.hierarchy.leaves_list(linkage)
    start, end = np.zeros((2, 2 * number - 1), dtype=int)
    start[:number] = np.argsort(leaves)
    end[:number] = start[:number] + 1
    for clade, (left, right, *_) in enumerate(linkage, start=number):
        both = [int(left), int(right)]
        start[clade], end[clade] = start[both].min(), end[both].max()
    return leaves, start[number:], end[number:], linkage[:, 2]


def most_variable(
    fractions: np.ndarray, start: np.ndarray, end: np.ndarray, most: int
) -> np.ndarray:
    """Choose the prevalent clades whose log abundance varies most.

    Parameters
    ----------
    fractions : ndarray, (samples, N)
        Of ASVs in the order of the dendrogram.
    start, end : ndarray of int
        See `dendrogram`.
    most : int

    Returns
    -------
    ndarray of int
        Positions of up to `most` clades, ascending.
    """
    sums = np.zeros((len(fractions), fractions.shape[1] + 1))
    np.cumsum(fractions, axis=1, dtype=np.float64, out=sums[:, 1:])
    held_by, variance = np.zeros(len(start)), np.zeros(len(start))
    for first in range(0, len(start), most):
        some = slice(first, first + most)
        within = (sums[:, end[some]] - sums[:, start[some]]).clip(0)
        held_by[some] = (within > _NOTHING).sum(axis=0)
        variance[some] = log_abundance(torch.from_numpy(within)).var(dim=0, correction=0)
    prevalent = np.flatnonzero(held_by >= max(1.0, PREVALENCE * len(fractions)))
    chosen = prevalent[np.argsort(-variance[prevalent], kind="stable")[:most]]
    return np.sort(chosen)


def parents(order: np.ndarray, last: np.ndarray, number: int, most: int) -> np.ndarray:
    """Find the smallest clade that each node lies in: (N + C,) int32, C if in none."""
    found = np.full(number + most, most, dtype=np.int32)
    around: list[int] = []
    for place, node in enumerate(order):
        while around and last[around[-1]] <= place:
            around.pop()
        if around:
            found[node] = around[-1]
        if node >= number:
            around.append(node - number)
    return found
