"""Growing the forest, and writing its trees as tables: children side by side, parents first."""

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
    """Grow trees by least squares on (samples, F) float32; of classes, that is Gini's index.

    As many trees read each set of the head's columns: where both are read, ASVs and branches. See
    Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees".
    """
    from sklearn.ensemble import ExtraTreesRegressor  # two seconds, which pretraining is spared

    values = known.values
    values = values[:, 0] if values.shape[1] == 1 else values  # else scikit-learn warns
    grown, sets = [], len(head.columns)
    for place, columns in enumerate(map(np.array, head.columns)):
        number = (trees + sets - 1 - place) // sets
        samples, features = len(inputs), len(columns)
        tried = min(_FEATURES_TRIED * features, max(_VALUES_TRIED / samples, np.sqrt(features)))
        forest = ExtraTreesRegressor(
            max(1, number), max_features=max(1, round(tried)), min_samples_leaf=SMALLEST_LEAF,
            max_leaf_nodes=(head.threshold.shape[1] + 1) // 2, max_depth=DEPTH,
            random_state=(seed + place) % 2**32,
        )  # fmt: skip
        if number:
            forest.fit(inputs[:, columns], values, known.weights)
            grown += [GrownTree(one, columns) for one in forest.estimators_]
    return grown


def out_of_fold(
    head: ForestHead, inputs: np.ndarray, known: Known, held: Sequence[np.ndarray], seed: int
) -> tuple[None, np.ndarray]:
    """Predict what folds leave out, (samples, outputs), NaN for others, by few of the trees."""
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
    trees, nodes, outputs = head.value.shape
    tables = tables_of(grow_forest(inputs, known, trees, head, seed), nodes, outputs)
    head.load_state_dict({name: torch.from_numpy(table) for name, table in tables.items()})


def predict_forest(
    forest: list[GrownTree], inputs: np.ndarray, levels: tuple[float, ...]
) -> np.ndarray:
    """Return the mean, or quantiles, over grown trees: (samples, outputs) float64.

    Where leaves are small, quantiles of the trees are about those of training values, weighted by
    how often they share a leaf: see Meinshausen 2006, "Quantile regression forests".
    """
    each = [tree.predict(inputs[:, columns]).reshape(len(inputs), -1) for tree, columns in forest]
    if levels:
        return np.quantile([one[:, 0] for one in each], levels, axis=0).T
    return np.mean(each, axis=0)


def tables_of(forest: list[GrownTree], nodes: int, outputs: int) -> dict[str, np.ndarray]:
    """Write grown trees as the head's tables (T, nodes), one level after the other."""
    shape = (len(forest), nodes)
    feature, child = np.zeros(shape, np.int32), np.indices(shape, np.int32)[1]
    threshold, value = np.full(shape, np.finfo(_FLOAT).max), np.zeros((*shape, outputs), _FLOAT)
    for row, (grown, columns) in enumerate(forest):
        tree, old, new, number = grown.tree_, np.zeros(1, int), np.zeros(1, int), 1
        while len(old):
            value[row, new] = tree.value[old, :, 0]
            splits = tree.children_left[old] >= 0
            old, new = old[splits], new[splits]
            feature[row, new] = columns[tree.feature[old]]
            threshold[row, new] = _not_above(tree.threshold[old])
            left = number + 2 * np.arange(len(old))
            child[row, new] = left
            old = np.stack([tree.children_left[old], tree.children_right[old]], axis=1).ravel()
            new = np.stack([left, left + 1], axis=1).ravel()
            number += len(old)
    return {"feature": feature, "threshold": threshold, "child": child, "value": value}


def _not_above(thresholds: np.ndarray) -> np.ndarray:
    """Round down: of float32 features, just as many are then at most the threshold."""
    rounded = thresholds.astype(_FLOAT)
    return np.where(rounded > thresholds, np.nextafter(rounded, _FLOAT(-np.inf)), rounded)
