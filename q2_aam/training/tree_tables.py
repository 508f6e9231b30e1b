"""Grown trees as tables: children side by side, parents before them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FLOAT = np.float32


class TreeTables(NamedTuple):
    """T trees of up to N nodes; see `q2_aam.model.tree_reader.TreeReader`.

    Attributes
    ----------
    feature : ndarray of int32, (T, N)
    threshold : ndarray of float32, (T, N)
    child : ndarray of int32, (T, N)
    value : ndarray of float32, (T, N, outputs)
    """

    feature: np.ndarray
    threshold: np.ndarray
    child: np.ndarray
    value: np.ndarray


def tables_of(forest, nodes: int) -> TreeTables:
    """Write scikit-learn's trees as tables.

    Parameters
    ----------
    forest : sklearn.ensemble.ExtraTreesRegressor
        Whose trees have at most `nodes` nodes.
    nodes : int
    """
    trees = [one.tree_ for one in forest.estimators_]
    tables = TreeTables(
        np.zeros((len(trees), nodes), dtype=np.int32),
        np.full((len(trees), nodes), np.finfo(_FLOAT).max),
        np.tile(np.arange(nodes, dtype=np.int32), (len(trees), 1)),
        np.zeros((len(trees), nodes, trees[0].n_outputs), dtype=_FLOAT),
    )
    for row, tree in enumerate(trees):
        _fill(tables, row, tree)
    return tables


def _fill(tables: TreeTables, row: int, tree) -> None:
    old, new, number = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), 1
    while len(old):  # one level of the tree after the other
        tables.value[row, new] = tree.value[old, :, 0]
        splits = tree.children_left[old] >= 0
        old, new = old[splits], new[splits]
        tables.feature[row, new] = tree.feature[old]
        tables.threshold[row, new] = _not_above(tree.threshold[old])
        left = number + 2 * np.arange(len(old))
        tables.child[row, new] = left
        old = np.stack([tree.children_left[old], tree.children_right[old]], axis=1).ravel()
        new = np.stack([left, left + 1], axis=1).ravel()
        number += len(old)


def _not_above(thresholds: np.ndarray) -> np.ndarray:
    """Round down: of float32 features, just as many are then at most the threshold."""
    rounded = thresholds.astype(_FLOAT)
    return np.where(rounded > thresholds, np.nextafter(rounded, _FLOAT(-np.inf)), rounded)
