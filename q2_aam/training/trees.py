"""The tree reader: decision trees, and how much they count beside the ridge reader."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from ..config import Target
from ..inference import sample_states
from ..model.network import Network, Parts
from ..model.tree_reader import DEPTH
from .objectives import objective_of
from .ridge import SolvedRidge
from .steps import Task
from .tree_tables import tables_of

_MOST_LEAVES = 1024  # of a tree
_MOST_VALUES = 2**23  # of all trees together: 32 MiB
GROWN_ON = 4096  # samples at most: each tree reads all of them
FOLDS, MOST_LEFT_OUT = 5, 30  # what is left out is predicted by so many trees at most
_FEATURES_TRIED, _SMALLEST_LEAF = 1 / 3, 2
_VALUES_TRIED = 2**18  # at the root: larger studies try fewer features, and take no longer
_PURPOSE = 0x7EE5


def with_trees(target: Target, trees: int, samples: int) -> Target:
    """Add trees to what is predicted, with leaves for as many samples as there are.

    There are none where a range is learned: they give one number.
    """
    if not trees or target.outputs != target.ridge_outputs:
        return target
    most = _MOST_VALUES // (2 * trees * target.ridge_outputs)
    leaves = max(2, min(samples // _SMALLEST_LEAF, _MOST_LEAVES, most))
    return dataclasses.replace(target, trees=trees, leaves=leaves)


@torch.no_grad()
def grow_tree_reader(
    network: Network,
    task: Task,
    samples: np.ndarray,
    seed: int,
    ridge: SolvedRidge,
    embedded: torch.Tensor,
) -> None:
    """Grow the target head's trees on some samples, and weigh them against the ridge reader.

    Parameters
    ----------
    network : Network
    task : Task
    samples : ndarray of int64
        Positions of samples.
    seed : int
    ridge : SolvedRidge
        The ridge reader, solved on the same samples.
    embedded : Tensor, (asvs, D)
        Embeddings of all ASVs that they hold.

    References
    ----------
    Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees".
    """
    head = network.eval().target_head
    if head.trees is None:
        return

    def read(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rows = samples[positions]
        parts = Parts(attend=False, detect=False, join=False)
        states = sample_states(network, task.studies, 0, rows, embedded, parts)
        features = np.concatenate([head.for_trees(one.features).cpu().numpy() for one in states])
        right = objective_of(network.config.target).right_answers(task.targets[rows])
        return features, right, task.sample_weights[rows].astype(np.float64), task.groups[rows]

    random = np.random.default_rng([seed, _PURPOSE])
    chosen = np.arange(len(samples))
    if len(chosen) > GROWN_ON:
        chosen = np.sort(random.choice(chosen, GROWN_ON, replace=False))
    trees, nodes = head.trees.threshold.shape
    forest = grow_forest(*read(chosen)[:3], trees, nodes, seed)
    head.trees.set_tables(*map(torch.from_numpy, tables_of(forest, nodes)))
    features, right, weights, groups = read(ridge.chosen_on)
    few = min(trees, MOST_LEFT_OUT)
    left_out = left_out_answers(
        features, right, weights, groups, few, nodes, seed, head.trees.median
    )
    head.tree_share.fill_(share_of_trees(right, ridge.left_out, left_out, weights))


def grow_forest(
    features: np.ndarray,
    values: np.ndarray,
    sample_weights: np.ndarray,
    trees: int,
    nodes: int,
    seed: int,
):
    """Grow trees by least squares; of shares of classes, that is Gini's index.

    Parameters
    ----------
    features : ndarray of float32, (samples, features)
    values : ndarray of float64, (samples, outputs)
    sample_weights : ndarray of float64, (samples,)
    trees : int
    nodes : int
        Most nodes of a tree.
    seed : int

    Returns
    -------
    sklearn.ensemble.ExtraTreesRegressor
    """
    from sklearn.ensemble import ExtraTreesRegressor  # two seconds, which pretraining is spared

    samples, number = features.shape
    tried = min(_FEATURES_TRIED * number, max(_VALUES_TRIED / samples, np.sqrt(number)))
    forest = ExtraTreesRegressor(
        trees,
        max_features=max(1, round(tried)),
        min_samples_leaf=_SMALLEST_LEAF,
        max_leaf_nodes=(nodes + 1) // 2,
        max_depth=DEPTH,
        random_state=seed % 2**32,
    )
    values = values[:, 0] if values.shape[1] == 1 else values  # else scikit-learn warns
    return forest.fit(features, values, sample_weights)


def left_out_answers(
    features: np.ndarray,
    values: np.ndarray,
    sample_weights: np.ndarray,
    groups: np.ndarray,
    trees: int,
    nodes: int,
    seed: int,
    median: bool,
) -> np.ndarray | None:
    """Predict samples by trees that have not seen their group.

    The parameters are those of `grow_forest` and `said_by`.

    Returns
    -------
    ndarray of float64, (samples, outputs)
        None if all samples are of one group.
    """
    from sklearn.model_selection import GroupKFold

    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        return None
    answers = np.empty_like(values)
    for kept, left_out in GroupKFold(folds).split(values, groups=groups):
        seen = (features[kept], values[kept], sample_weights[kept])
        forest = grow_forest(*seen, trees, nodes, seed)
        answers[left_out] = said_by(forest, features[left_out], median)
    return answers


def said_by(forest, features: np.ndarray, median: bool) -> np.ndarray:
    """Return the mean or the median of what trees say of samples: (samples, outputs) float64.

    Where leaves are small, the median of the trees is about the median of a quantile regression
    forest: of training values, weighted by how often they share a leaf with the sample.

    References
    ----------
    Meinshausen 2006, "Quantile regression forests".
    """
    if not median:
        return forest.predict(features).reshape(len(features), -1)
    said = [one.predict(features).reshape(len(features), -1) for one in forest.estimators_]
    return np.median(said, axis=0)


def share_of_trees(
    actual: np.ndarray,
    by_ridge: np.ndarray,
    by_trees: np.ndarray | None,
    sample_weights: np.ndarray,
) -> float:
    """Weigh trees against the ridge reader by what both say of samples that were left out.

    The mean of one half and of the share with the least squared error: the latter alone follows
    the chance of small studies.

    Parameters
    ----------
    actual, by_ridge : ndarray of float64, (samples, outputs)
    by_trees : ndarray of float64, (samples, outputs), or None
        If nothing could be left out.
    sample_weights : ndarray of float64, (samples,)

    Returns
    -------
    float
        From 0.25 to 0.75.

    References
    ----------
    Breiman 1996, "Stacked regressions"; Diebold and Pauly 1990, "The use of prior information in
    forecast combination", for shrinkage towards equal weights.
    """
    if by_trees is None:
        return 0.5
    step = by_trees - by_ridge
    length = (sample_weights[:, None] * np.square(step)).sum()
    along = (sample_weights[:, None] * step * (actual - by_ridge)).sum()
    best = np.clip(along / length, 0, 1) if length > 0 else 0.5
    return float((best + 0.5) / 2)
