"""Growing the forest, and writing its trees as tables: children side by side, parents first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ...model.heads.forest import DEPTH, ForestHead
from .features import Known

MOST_SAMPLES = 4096  # of more, some are drawn: each tree reads all of them
TREES_OUT_OF_FOLD = 30  # what folds leave out is predicted by so many trees at most
MOST_LEAVES = 1024  # of a tree
MOST_VALUES = 2**23  # of all trees together: 32 MiB
SMALLEST_LEAF = 2
_FEATURES_TRIED = 1 / 3
_VALUES_TRIED = 2**16  # at the root: larger studies try fewer features, and take no longer
_FLOAT = np.float32


def leaves_for(samples: int, trees: int, points: int) -> int:
    """Return the most leaves of a tree, for so many samples, trees and numbers in a leaf."""
    most = MOST_VALUES // (2 * trees * points)
    return max(2, min(samples // SMALLEST_LEAF, MOST_LEAVES, most))


class GrownTree(NamedTuple):
    """A tree of scikit-learn, and the columns of the inputs that it reads."""

    tree: object
    columns: np.ndarray


def grow_forest(
    inputs: np.ndarray, known: Known, trees: int, head: ForestHead, seed: int
) -> list[GrownTree]:
    """Grow trees by least squares; of indicators of classes, that is Gini's index.

    As many trees read each set of columns: where both are read, ASVs and branches.

    Parameters
    ----------
    inputs : ndarray of float32, (samples, features)
    known : Known
    trees : int
    head : ForestHead
        Says how large a tree may become.
    seed : int

    References
    ----------
    Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees".
    """
    from sklearn.ensemble import ExtraTreesRegressor  # two seconds, which pretraining is spared

    values = known.values
    values = values[:, 0] if values.shape[1] == 1 else values  # else scikit-learn warns
    grown = []
    sets = len(head.columns)
    for place, columns in enumerate(map(np.array, head.columns)):
        number = (trees + sets - 1 - place) // sets
        samples, features = len(inputs), len(columns)
        tried = min(_FEATURES_TRIED * features, max(_VALUES_TRIED / samples, np.sqrt(features)))
        forest = ExtraTreesRegressor(
            max(1, number),
            max_features=max(1, round(tried)),
            min_samples_leaf=SMALLEST_LEAF,
            max_leaf_nodes=(head.threshold.shape[1] + 1) // 2,
            max_depth=DEPTH,
            random_state=(seed + place) % 2**32,
        )
        if number:
            forest.fit(inputs[:, columns], values, known.weights)
            grown += [GrownTree(one, columns) for one in forest.estimators_]
    return grown


def out_of_fold(
    head: ForestHead, inputs: np.ndarray, known: Known, held: Sequence[np.ndarray], seed: int
) -> tuple[None, np.ndarray]:
    """Predict what folds leave out, by fewer trees than the head has.

    Returns
    -------
    setting : None
        Nothing is tuned.
    predictions : ndarray of float64, (samples, outputs)
        NaN for samples that no fold leaves out.
    """
    few = min(len(head.threshold), TREES_OUT_OF_FOLD)
    width = len(head.levels) or known.values.shape[1]
    predictions = np.full((len(inputs), width), np.nan)
    for rows in held:
        kept = np.setdiff1d(np.arange(len(inputs)), rows)
        forest = grow_forest(inputs[kept], known.only(kept), few, head, seed)
        predictions[rows] = predict_forest(forest, inputs[rows], head.levels)
    return None, predictions


def fit(head: ForestHead, inputs: np.ndarray, known: Known, setting: None, seed: int) -> None:
    """Grow the head's trees on samples, (samples, F) float32."""
    del setting  # nothing is tuned
    trees, nodes = head.threshold.shape
    forest = grow_forest(inputs, known, trees, head, seed)
    head.set_tables(*map(torch.from_numpy, tables_of(forest, nodes)))


def predict_forest(
    forest: list[GrownTree], inputs: np.ndarray, levels: tuple[float, ...]
) -> np.ndarray:
    """Return the mean, or quantiles, over grown trees: (samples, outputs) float64.

    Where leaves are small, quantiles of the trees are about those of a quantile regression
    forest: of training values, weighted by how often they share a leaf with the sample.

    References
    ----------
    Meinshausen 2006, "Quantile regression forests".
    """
    each = [tree.predict(inputs[:, columns]).reshape(len(inputs), -1) for tree, columns in forest]
    if levels:
        return np.quantile([one[:, 0] for one in each], levels, axis=0).T
    return np.mean(each, axis=0)


class TreeTables(NamedTuple):
    """T trees of up to N nodes; see `q2_aam.model.heads.forest.ForestHead`.

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


def tables_of(forest: list[GrownTree], nodes: int) -> TreeTables:
    """Write grown trees, of at most so many nodes, as tables."""
    trees = [one.tree.tree_ for one in forest]
    tables = TreeTables(
        np.zeros((len(trees), nodes), dtype=np.int32),
        np.full((len(trees), nodes), np.finfo(_FLOAT).max),
        np.tile(np.arange(nodes, dtype=np.int32), (len(trees), 1)),
        np.zeros((len(trees), nodes, trees[0].n_outputs), dtype=_FLOAT),
    )
    for row, (tree, (_, columns)) in enumerate(zip(trees, forest, strict=True)):
        _fill(tables, row, tree, columns)
    return tables


def _fill(tables: TreeTables, row: int, tree, columns: np.ndarray) -> None:
    old, new, number = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), 1
    while len(old):  # one level of the tree after the other
        tables.value[row, new] = tree.value[old, :, 0]
        splits = tree.children_left[old] >= 0
        old, new = old[splits], new[splits]
        tables.feature[row, new] = columns[tree.feature[old]]
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
