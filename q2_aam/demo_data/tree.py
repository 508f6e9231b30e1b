"""Choose one tip for each ASV and cut the tree down to these, for the builder of the demo data."""

from __future__ import annotations

from itertools import combinations

from skbio import TreeNode


def choose_tips(root: TreeNode, references: dict[str, list[str]]) -> dict[str, TreeNode]:
    """Choose the tip that stands for each ASV.

    Where several references hold the same ASV, it is the one closest to all others along the
    tree (ties go to the lowest number), so that a single misplaced reference does no harm.

    Parameters
    ----------
    root : TreeNode
        The tree of all references.
    references : dict
        Names of the tips that hold an ASV, by feature id.

    Returns
    -------
    dict
        The chosen tip, by feature id.
    """
    tips = {tip.name: tip for tip in root.tips()}
    return {
        feature: most_central([tips[name] for name in sorted(names, key=int)])
        for feature, names in references.items()
    }


def most_central(tips: list[TreeNode]) -> TreeNode:
    """Return the tip with the smallest summed distance to all others, the first among equals."""
    paths = [distances_to_ancestors(tip) for tip in tips]
    totals = [0.0] * len(tips)
    for i, j in combinations(range(len(tips)), 2):
        meeting = next(node for node in paths[i] if node in paths[j])
        distance = paths[i][meeting] + paths[j][meeting]
        totals[i] += distance
        totals[j] += distance
    # Rounded, as sums in another order may differ in their last digits.
    return min(zip([round(total, 9) for total in totals], range(len(tips)), tips, strict=True))[2]


def distances_to_ancestors(tip: TreeNode) -> dict[int, float]:
    """Return the distance to each ancestor, by its identity, from the tip upwards."""
    distances, distance, node = {}, 0.0, tip
    while node is not None:
        distances[id(node)] = distance
        distance += node.length or 0.0
        node = node.parent
    return distances


def subtree_newick(root: TreeNode, tips: dict[str, TreeNode]) -> str:
    """Return the tree of the chosen tips alone, named by feature id, as Newick text.

    Branches that no longer fork are joined and their lengths added. Children stand in the order
    of the source, so that the same tips always give the same text.
    """
    names = {id(tip): feature for feature, tip in tips.items()}
    pieces: dict[int, list[tuple[str, float]]] = {}
    for node in root.postorder(include_self=True):
        length = node.length or 0.0
        if id(node) in names:
            piece = (names[id(node)], length)
        else:
            below = [p for child in node.children for p in pieces.pop(id(child), [])]
            if not below:
                continue
            piece = (below[0][0], below[0][1] + length) if len(below) == 1 else join(below, length)
        pieces[id(node)] = [piece]
    ((text, _),) = pieces[id(root)]
    return text + ";\n"


def join(pieces: list[tuple[str, float]], length: float) -> tuple[str, float]:
    """Join subtrees, each a text and the length of the branch above it, under one node."""
    inner = ",".join(f"{text}:{branch:.6g}" for text, branch in pieces)
    return f"({inner})", length
