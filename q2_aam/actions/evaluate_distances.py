"""evaluate-distances: how good predicted distances between samples are."""

import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..parameters import DEFAULT


def evaluate_distances(
    output_dir: str,
    predicted: DistanceMatrixDirectoryFormat,
    actual: DistanceMatrixDirectoryFormat,
    color_by: qiime2.MetadataColumn = None,
    random_seed: int = DEFAULT["random_seed"],
) -> None:
    """Write the comparison of predicted with actual distances as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    predicted, actual : DistanceMatrixDirectoryFormat
        Compared on the samples that both have.
    color_by : qiime2.MetadataColumn, optional
        Colors the samples.
    random_seed : int
        Of the bootstrap, of the permutations and of the samples that are ordinated.

    Raises
    ------
    AAMError
        If the matrices share fewer than three samples, or are no distances from 0 to 1.
    """
    import pandas as pd

    from ..report.color_by import ColorBy
    from ..report.distances.page import write_distances_page
    from ..report.distances.samples import compare_distances, read_distances

    compared = compare_distances(
        read_distances(predicted.path / "distance-matrix.tsv", "the predicted distances"),
        read_distances(actual.path / "distance-matrix.tsv", "the actual distances"),
    )
    colors = None
    if color_by is not None:
        colors = ColorBy.of(color_by.to_series(), pd.Index(compared.ids))
    write_distances_page(output_dir, compared, colors, random_seed)
