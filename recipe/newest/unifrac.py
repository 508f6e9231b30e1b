"""Unweighted UniFrac as q2-diversity-lib gives it, by scikit-bio: slower, but a wheel of PyPI."""

import argparse

import biom
import skbio
from qiime2 import Artifact


def main() -> None:
    """Read a table and a tree, write their distance matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--i-table", required=True)
    parser.add_argument("--i-phylogeny", required=True)
    parser.add_argument("--o-distance-matrix", required=True)
    chosen = parser.parse_args()
    table = Artifact.load(chosen.i_table).view(biom.Table)
    tree = Artifact.load(chosen.i_phylogeny).view(skbio.TreeNode)
    matrix = skbio.diversity.beta_diversity(
        "unweighted_unifrac",
        table.matrix_data.T.toarray().astype(int),
        table.ids(),
        taxa=table.ids(axis="observation"),
        tree=tree,
    )
    Artifact.import_data("DistanceMatrix", matrix).save(chosen.o_distance_matrix)


if __name__ == "__main__":
    main()
