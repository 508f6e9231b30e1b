"""Trees of a given size, as if grown: what it takes to follow them does not depend on the data."""

from __future__ import annotations

import numpy as np
import torch

from q2_aam.model.heads.blend import TargetHead

TREES = 150  # fit-regressor's default


def fill_trees(head: TargetHead) -> None:
    """Fill the tables of a target head's forest with complete binary trees."""
    trees, nodes, outputs = head.forest.value.shape
    random = np.random.default_rng(0)
    children = 2 * np.arange(nodes) + 1
    splits = children + 1 < nodes
    tables = {
        "feature": random.integers(0, len(head.vocabulary), (trees, nodes)),
        "threshold": np.where(splits, random.uniform(0, 5, (trees, nodes)), 1e30),
        "child": np.tile(np.where(splits, children, np.arange(nodes)), (trees, 1)),
        "value": random.standard_normal((trees, nodes, outputs)),
    }
    head.forest.load_state_dict({name: torch.from_numpy(one) for name, one in tables.items()})
