"""Trees of a given size, as if grown: what it takes to follow them does not depend on the data."""

from __future__ import annotations

import numpy as np
import torch

from q2_aam.model.target_head import TargetHead
from q2_aam.training.tree_tables import TreeTables

TREES = 150  # fit-regressor's default


def fill_trees(head: TargetHead) -> None:
    """Fill the tables of a target head's trees with complete binary trees."""
    trees, nodes, outputs = head.trees.value.shape
    random = np.random.default_rng(0)
    children = 2 * np.arange(nodes) + 1
    splits = children + 1 < nodes
    tables = TreeTables(
        random.integers(0, len(head.known_asvs), (trees, nodes)).astype(np.int32),
        np.where(splits, random.uniform(0, 5, (trees, nodes)), 1e30).astype(np.float32),
        np.tile(np.where(splits, children, np.arange(nodes)), (trees, 1)).astype(np.int32),
        random.standard_normal((trees, nodes, outputs)).astype(np.float32),
    )
    with torch.no_grad():
        head.trees.set_tables(*map(torch.from_numpy, tables))
