"""The samples that a fitting action learns from: labelled, grouped, with covariates, distances."""

import dataclasses

import numpy as np
import pandas as pd
import qiime2

from ..data.alignment import (
    class_labels,
    group_labels,
    numeric_labels,
    require_classes,
    require_enough,
    with_distances,
)
from ..data.distances import parse_distances
from ..data.splits import train_test_split
from ..data.table import SampleTable, read_table
from .covariate_columns import read_covariates, refuse_target_as_covariate


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Samples that have a value of the target and, if asked for, a group, covariates, distances.

    Attributes
    ----------
    samples : SampleTable
    values : pd.Series
        Numbers or class names, by sample id.
    groups : dict of str to str, or None
        Group by sample id.
    covariates : pd.DataFrame or None
        By sample id.
    distances : Distances or None
    """

    samples: SampleTable
    values: pd.Series
    groups: dict[str, str] | None
    covariates: pd.DataFrame | None
    distances: object


@dataclasses.dataclass(frozen=True)
class Split:
    """Positions of samples that train the weights, of those that validate, and group numbers."""

    training: np.ndarray
    validation: np.ndarray
    groups: np.ndarray


def read_labelled(
    table, metadata, groups, covariates, columns, matrix, missing_samples: str, journal
) -> Labelled:
    """Keep the samples of a table that can be learned from, and say why the others cannot.

    Parameters
    ----------
    table : biom.Table
    metadata : qiime2.NumericMetadataColumn or qiime2.CategoricalMetadataColumn
        The target.
    groups : qiime2.MetadataColumn or None
    covariates : qiime2.Metadata or None
    columns : list of str or None
        Of the covariates.
    matrix : DistanceMatrixDirectoryFormat or None
    missing_samples : str
        ``error`` or ``ignore``.
    journal : Journal
        Is told what was dropped, and why.
    """
    refuse_target_as_covariate(metadata.name, columns)
    samples = read_table(table)
    numeric = isinstance(metadata, qiime2.NumericMetadataColumn)
    read_labels = numeric_labels if numeric else class_labels
    labels = read_labels(samples, metadata.to_series(), missing_samples)
    journal.dropped(labels.dropped)
    samples, of_groups = samples.select(labels.values.index), None
    if groups is not None:
        grouped = group_labels(samples, groups.to_series(), missing_samples)
        journal.dropped(grouped.dropped)
        journal.found(f"groups in '{groups.name}'", grouped.values.nunique())
        samples, of_groups = samples.select(grouped.values.index), grouped.values.to_dict()
    read, missing = read_covariates(samples, covariates, columns, missing_samples)
    journal.dropped({"not in the covariates": missing} if missing else {})
    samples = samples if read is None else samples.select(read.index)
    samples, distances = _find_distances(samples, matrix, missing_samples, journal)
    values = labels.values[list(samples.sample_ids)]
    if numeric:
        require_enough(len(values), f"learning '{metadata.name}'")
    else:
        require_classes(values, metadata.name)  # of the samples left
    read = None if read is None else read.loc[list(samples.sample_ids)]
    return Labelled(samples, values, of_groups, read, distances)


def _find_distances(samples: SampleTable, matrix, missing_samples: str, journal):
    if matrix is None:
        return samples, None
    with (matrix.path / "distance-matrix.tsv").open(encoding="utf-8-sig") as lines:
        ids, values = parse_distances(lines)
    name = "the distance matrix"
    samples, distances, missing = with_distances(samples, ids, values, name, missing_samples)
    journal.dropped({f"not in {name}": missing} if missing else {})
    return samples, distances


def split_labelled(labelled: Labelled, share: float, seed: int) -> Split:
    """Divide the samples into those that train the weights and those that validate.

    Classes are held out alike, and whole groups at a time. A share of 0 holds nothing out.
    """
    ids = labelled.samples.sample_ids
    position = {name: index for index, name in enumerate(ids)}
    numeric = pd.api.types.is_numeric_dtype(labelled.values)
    classes = None if numeric else labelled.values.to_dict()
    parts = train_test_split(ids, share, seed, labelled.groups, classes) if share else (ids, ())
    training, validation = (
        np.array([position[name] for name in part], dtype=np.int64) for part in parts
    )
    group_of = labelled.groups or {name: name for name in ids}
    groups = np.unique([group_of[name] for name in ids], return_inverse=True)[1]
    return Split(training, validation, groups)
