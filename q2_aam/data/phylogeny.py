"""A phylogeny as arrays: which of its clades are learned, and which of these hold a tip."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import AAMError

_TOKEN = re.compile(r"\[[^\]]*\]|[(),:;]|'(?:[^']|'')*'|[^(),:;'\[\]\s]+(?: +[^(),:;'\[\]\s]+)*")
_COUNTED_TIPS = 200
_CHAIN = 1.5  # a clade above that has fewer than so many times the tips says almost the same


@dataclass(frozen=True)
class Phylogeny:
    """A rooted tree; every node stands behind the one above it.

    Attributes
    ----------
    parent : ndarray of int64, (nodes,)
        -1 for the root, which is node 0.
    length : ndarray of float64, (nodes,)
        Of the branch above each node; NaN where there is none.
    names : list of str or None
    """

    parent: np.ndarray
    length: np.ndarray
    names: list[str | None]

    def tips(self) -> dict[str, int]:
        """Return the node of each tip by its name."""
        inner = np.zeros(len(self.parent), dtype=bool)
        inner[self.parent[1:]] = True
        return {self.names[node]: int(node) for node in np.flatnonzero(~inner)}


@dataclass(frozen=True)
class Clades:
    """The clades of a phylogeny that are learned.

    Attributes
    ----------
    nodes : ndarray of int64, (clades,)
        In the order of the phylogeny.
    lengths : ndarray of float32, (clades,)
        Branch above each, together with those of clades that hold almost the same tips.
    tip_length : float
        What is left of the tree's length, in equal parts for the tips that are learned from.
    lineages : ndarray of int32, (tips, deepest)
        The clades that hold each tip, from the smallest on; the rest is filled with `clades`.
    """

    nodes: np.ndarray
    lengths: np.ndarray
    tip_length: float
    lineages: np.ndarray


def parse_newick(text: str) -> Phylogeny:
    """Read a tree in Newick format, whose names may be quoted and hold any letter.

    Raises
    ------
    AAMError
        If the brackets do not close or a length is not a number.
    """
    parent, length, names = [-1], [np.nan], [None]

    def add(above: int) -> int:
        parent.append(above)
        length.append(np.nan)
        names.append(None)
        return len(parent) - 1

    node, is_length = 0, False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] == "[":  # a comment
            continue
        if token == "(":
            node = add(node)
        elif token in ",)":
            if parent[node] < 0:
                raise AAMError("The phylogeny is not a tree in Newick format: brackets are amiss.")
            node = add(parent[node]) if token == "," else parent[node]
        elif token == ";":
            break
        elif token != ":":
            if is_length:
                length[node] = _branch_length(token)
            else:
                names[node] = token[1:-1].replace("''", "'") if token[0] == "'" else token
        is_length = token == ":"
    if node:
        raise AAMError("The phylogeny is not a tree in Newick format: brackets are amiss.")
    return Phylogeny(np.array(parent), np.array(length), names)


def choose_clades(
    phylogeny: Phylogeny, tips: np.ndarray, known: np.ndarray, number: int, smallest: int
) -> Clades:
    """Choose the clades with the longest branches and the most tips.

    Parameters
    ----------
    phylogeny : Phylogeny
    tips : ndarray of int64
        Nodes of the tips that have a sequence.
    known : ndarray of bool, (tips,)
        Those that are learned from; the others are judged only.
    number : int
        Clades at most.
    smallest : int
        Tips of a clade at least.

    Returns
    -------
    Clades
    """
    parent, length = phylogeny.parent, np.nan_to_num(phylogeny.length)
    below = np.zeros(len(parent), dtype=np.int64)
    np.add.at(below, tips[known], 1)
    for node in range(len(parent) - 1, 0, -1):
        below[parent[node]] += below[node]
    candidates = np.flatnonzero((below >= smallest) & (parent >= 0))
    weight = length[candidates] * np.sqrt(np.minimum(below[candidates], _COUNTED_TIPS))
    nodes = np.sort(candidates[np.argsort(-weight, kind="stable")[:number]])
    place = np.full(len(parent), -1)
    place[nodes] = np.arange(len(nodes))
    lengths = length[nodes]
    for clade, node in enumerate(nodes):
        above = parent[node]
        while above > 0 and place[above] < 0 and below[above] < _CHAIN * below[node]:
            lengths[clade] += length[above]
            above = parent[above]
    tip_length = (length[below > 0].sum() - lengths.sum()) / known.sum()
    lineages = _lineages(parent, place, tips, len(nodes))
    return Clades(nodes, lengths.astype(np.float32), float(tip_length), lineages)


def _branch_length(token: str) -> float:
    try:
        return float(token)
    except ValueError:
        raise AAMError(f"The phylogeny has the branch length {token[:40]!r}.") from None


def _lineages(parent: np.ndarray, place: np.ndarray, tips: np.ndarray, number: int) -> np.ndarray:
    """List the clades above each tip: (tips, deepest), filled with `number`."""
    nearest = place.copy()  # the smallest clade that holds each node
    for node in range(1, len(parent)):
        if nearest[node] < 0:
            nearest[node] = nearest[parent[node]]
    nodes = np.flatnonzero(place >= 0)
    above = np.append(nearest[parent[nodes]], -1)
    columns, clade = [], nearest[tips]
    while not columns or (clade >= 0).any():
        columns.append(np.where(clade >= 0, clade, number))
        clade = above[clade]
    return np.stack(columns, axis=1).astype(np.int32)
