"""A phylogeny as arrays: which of its clades are learned, and which of these hold a tip."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..errors import AAMError, counted, examples, verb

_TOKEN = re.compile(r"\[[^\]]*\]|[(),:;]|'(?:[^']|'')*'|[^(),:;'\[\]\s]+(?: +[^(),:;'\[\]\s]+)*")
_COUNTED_TIPS = 200
_NODES_AT_ONCE = 8192
_CHAIN = 1.5  # a clade above that has fewer than so many times the tips says almost the same


@dataclass(frozen=True)
class Phylogeny:
    """A rooted tree; every node stands behind the one above it."""

    parent: np.ndarray  # int64 (nodes,); -1 for the root, which is node 0
    length: np.ndarray  # float64 (nodes,): of the branch above; NaN where there is none
    names: list[str | None]

    def tips(self) -> dict[str, int]:
        """Return the node of each tip by its name."""
        inner = np.zeros(len(self.parent), dtype=bool)
        inner[self.parent[1:]] = True
        return {self.names[node]: int(node) for node in np.flatnonzero(~inner)}


@dataclass(frozen=True)
class Clades:
    """The clades of a phylogeny that are learned."""

    nodes: np.ndarray  # int64 (clades,), in the order of the phylogeny
    lengths: np.ndarray  # float32 (clades,): with branches of clades of almost the same tips
    tip_length: float  # the rest of the tree's length, in equal parts for the tips learned from
    lineages: np.ndarray  # int32 (tips, deepest): clades, smallest first, filled with `clades`


def parse_newick(text: str) -> Phylogeny:
    """Read a tree in Newick format, whose names may be quoted and hold any letter; or AAMError."""
    amiss = AAMError("The phylogeny is not a tree in Newick format: brackets are amiss.")
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
                raise amiss
            node = add(parent[node]) if token == "," else parent[node]
        elif token == ";":
            break
        elif token != ":":
            if is_length:
                try:
                    length[node] = float(token)
                except ValueError:
                    raise AAMError(f"The phylogeny has the branch length {token[:40]!r}.") from None
            else:
                names[node] = token[1:-1].replace("''", "'") if token[0] == "'" else token
        is_length = token == ":"
    if node:
        raise amiss
    return Phylogeny(np.array(parent), np.array(length), names)


def read_phylogeny(text: str) -> Phylogeny:
    """Read a tree that UniFrac can be computed with: rooted, with lengths, each tip once."""
    phylogeny = parse_newick(text)
    inner = np.bincount(phylogeny.parent[1:], minlength=len(phylogeny.parent))
    if inner[0] > 2:
        raise AAMError(
            f"The phylogeny is not rooted: its root has {inner[0]} branches. Root it with 'qiime "
            "phylogeny midpoint-root'."
        )
    names = [phylogeny.names[node] or "" for node in np.flatnonzero(inner == 0)]
    twice = len(names) - len(set(names))
    if twice:
        repeated = [name for name, number in Counter(names).items() if number > 1]
        raise AAMError(
            f"{counted(twice, 'tip')} of the phylogeny {verb(twice, 'have')} the name of another "
            f"one: {examples(repeated)}. Give a phylogeny whose tips are feature ids."
        )
    bare = np.isnan(phylogeny.length[1:])
    if bare.any():
        raise AAMError(
            f"{counted(int(bare.sum()), 'branch', 'branches')} of {len(bare):,} in the phylogeny "
            f"{verb(int(bare.sum()), 'have')} no length, and UniFrac is a share of lengths. Give a "
            "tree with branch lengths, such as from 'qiime phylogeny align-to-tree-mafft-fasttree' "
            "or 'qiime fragment-insertion sepp'."
        )
    length = phylogeny.length.clip(min=0)  # programs write 0 as a tiny negative number
    if not length[1:].any():
        raise AAMError("All branches of the phylogeny have the length 0: it says nothing.")
    return Phylogeny(phylogeny.parent, length, phylogeny.names)


def find_tips(phylogeny: Phylogeny, names: Sequence[str]) -> np.ndarray:
    """Return the tips of sequences, int64 (names,); AAMError if the tree lacks some."""
    tips = phylogeny.tips()
    missing = [name for name in names if name not in tips]
    if not missing:
        return np.array([tips[name] for name in names], dtype=np.int64)
    has = f"The phylogeny has {counted(len(tips), 'tip')}, such as {examples(tips)}."
    if len(missing) == len(names):
        raise AAMError(
            f"None of the {counted(len(names), 'sequence')} is a tip of the phylogeny, such as "
            f"{examples(missing)}.\n{has}\nGive the phylogeny of these sequences: its tips must "
            "have their ids."
        )
    raise AAMError(
        f"{counted(len(missing), 'sequence')} of {len(names):,} {verb(len(missing), 'are')} no tip "
        f"of the phylogeny, such as {examples(missing)}.\n{has}\nRemove these sequences with "
        "'qiime feature-table filter-seqs', or give the phylogeny that was made of all of them."
    )


def unweighted_unifrac(
    phylogeny: Phylogeny, tips: np.ndarray, present: scipy.sparse.csr_matrix
) -> np.ndarray:
    """Compute unweighted UniFrac, as scikit-bio does, by products: float32 (samples, samples).

    Of the tips of features, and where samples hold these, `present` (samples, features) above 0.
    """
    rows, nodes, node = [], [], tips
    while (node > 0).any():
        rows.append(np.flatnonzero(node > 0))
        nodes.append(node[node > 0])
        node = np.where(node > 0, phylogeny.parent[node], 0)
    rows, columns = np.concatenate(rows), np.concatenate(nodes)
    nodes, columns = np.unique(columns, return_inverse=True)
    above = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns.ravel())))
    held = ((present > 0).astype(np.float32) @ above).tocsc()
    length = np.nan_to_num(phylogeny.length[nodes])
    shared, own = np.zeros((held.shape[0],) * 2), np.zeros(held.shape[0])
    for start in range(0, len(nodes), _NODES_AT_ONCE):
        part = slice(start, start + _NODES_AT_ONCE)
        dense = (held[:, part].toarray() > 0).astype(np.float64)
        shared += (dense * length[part]) @ dense.T
        own += dense @ length[part]
    total = own[:, None] + own[None] - shared
    distance = 1 - shared / np.maximum(total, np.finfo(float).tiny)
    np.fill_diagonal(distance, 0)
    return distance.clip(0, 1).astype(np.float32)


def choose_clades(
    phylogeny: Phylogeny, tips: np.ndarray, known: np.ndarray, number: int, smallest: int
) -> Clades:
    """Choose at most `number` clades, with the longest branches and the most tips.

    Of `tips`, `known` (tips,) says which are learned from; a clade has at least `smallest` of them.
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
    nearest = place  # the smallest clade that holds each node
    for node in range(1, len(parent)):
        if nearest[node] < 0:
            nearest[node] = nearest[parent[node]]
    above, columns, clade = np.append(nearest[parent[nodes]], -1), [], nearest[tips]
    while not columns or (clade >= 0).any():
        columns.append(np.where(clade >= 0, clade, len(nodes)))
        clade = above[clade]
    lineages = np.stack(columns, axis=1).astype(np.int32)
    return Clades(nodes, lengths.astype(np.float32), float(tip_length), lineages)
