"""The samples that a fitting action learns from: labelled, grouped, with distances if given."""

import dataclasses

import numpy as np
import pandas as pd

from ..data.alignment import group_labels, numeric_labels, require_enough, with_distances
from ..data.distances import parse_distances
from ..data.splits import hold_out
from ..data.table import SampleTable, read_table


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Samples that have a value of the target and, if groups are given, a group."""

    samples: SampleTable
    values: pd.Series
    groups: dict[str, str] | None


def read_labelled(table, metadata, groups, missing_samples: str, journal) -> Labelled:
    """Keep the samples of a table that can be learned from, and say why the others cannot."""
    samples = read_table(table)
    labels = numeric_labels(samples, metadata.to_series(), missing_samples)
    journal.dropped(labels.dropped)
    if groups is None:
        return Labelled(samples.select(labels.values.index), labels.values, None)
    grouped = group_labels(samples.select(labels.values.index), groups.to_series(), missing_samples)
    journal.dropped(grouped.dropped)
    journal.found(f"groups in '{groups.name}'", grouped.values.nunique())
    require_enough(len(grouped.values), f"learning '{metadata.name}'")
    kept = samples.select(grouped.values.index)
    return Labelled(kept, labels.values, grouped.values.to_dict())


def read_distances(labelled: Labelled, matrix, missing_samples: str, journal):
    """Find the labelled samples' distances, if a matrix is given."""
    if matrix is None:
        return labelled.samples, None
    with (matrix.path / "distance-matrix.tsv").open(encoding="utf-8-sig") as lines:
        ids, values = parse_distances(lines)
    name = "the distance matrix"
    samples, distances, missing = with_distances(
        labelled.samples, ids, values, name, missing_samples
    )
    journal.dropped({f"not in {name}": missing} if missing else {})
    require_enough(len(samples.sample_ids), "fitting")
    return samples, distances


def split_labels(labelled: Labelled, samples: SampleTable, share: float, seed: int):
    """Divide the samples into those that train the weights and those that validate.

    Returns
    -------
    fitting.Labels
        By position in `samples`.
    """
    from ..training.fitting import Labels

    position = {name: index for index, name in enumerate(samples.sample_ids)}
    parts = hold_out(samples.sample_ids, share, seed, labelled.groups)
    training, validation = (
        np.array([position[name] for name in part], dtype=np.int64) for part in parts
    )
    group_of = labelled.groups or {name: name for name in samples.sample_ids}
    groups = np.unique([group_of[name] for name in samples.sample_ids], return_inverse=True)[1]
    values = labelled.values[list(samples.sample_ids)].to_numpy()
    return Labels(values, groups, training, validation)
