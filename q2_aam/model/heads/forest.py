"""The forest: decision trees as tables that are quick to follow."""

import torch
from torch import Tensor, nn

DEPTH = 32  # splits from the root at most


class ForestHead(nn.Module):
    """Follow T decision trees of up to N nodes that training grows.

    Every tree has one row in each table. The children of a node lie side by side, the left one at
    ``child``; it is taken where the feature is at most the threshold. A leaf is its own child, and
    its threshold is not exceeded.

    `levels` are those of the quantiles over trees that are returned; none for the mean of trees.
    Each tree reads one of the sets of features `columns`.
    """

    def __init__(
        self, trees: int, nodes: int, outputs: int, levels: tuple[float, ...],
        columns: tuple[list[int], ...],
    ):  # fmt: skip
        super().__init__()
        self.levels, self.columns = levels, columns
        leaf = torch.arange(nodes, dtype=torch.int32).expand(trees, nodes)
        self.register_buffer("feature", torch.zeros(trees, nodes, dtype=torch.int32))
        self.register_buffer("threshold", torch.full((trees, nodes), torch.finfo().max))
        self.register_buffer("child", leaf.clone())
        self.register_buffer("value", torch.zeros(trees, nodes, outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Read features (B, F): (B, R), or a quantile of one number for each level."""
        trees, nodes, outputs = self.value.shape
        first = torch.arange(trees, device=features.device) * nodes  # of each tree, in flat tables
        feature, child = self.feature.flatten().long(), self.child.flatten().long()
        threshold = self.threshold.flatten()
        node = torch.zeros(len(features), trees, dtype=torch.long, device=features.device)
        for _ in range(DEPTH):
            at = first + node
            right = features.gather(1, feature[at]) > threshold[at]
            # a damaged table may point beyond its end
            following = (child[at] + right).clamp_max(nodes - 1)
            if torch.equal(following, node):
                break
            node = following
        values = self.value.view(-1, outputs)
        if self.levels:
            of_trees = values[first + node][..., 0]
            return torch.quantile(of_trees, of_trees.new_tensor(self.levels), dim=1).T
        total = torch.zeros(len(features), outputs, device=features.device)
        for tree in range(trees):  # never all trees at once: classes may be many
            total += values[first[tree] + node[:, tree]]
        return total / trees
