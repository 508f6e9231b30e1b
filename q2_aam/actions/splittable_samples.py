"""The samples of a table that can be fitted on or held out: labelled, and grouped if asked for."""

import dataclasses

import qiime2

from ..data.alignment import group_labels, match_samples, require_enough
from ..data.table import read_table


@dataclasses.dataclass(frozen=True)
class SplittableSamples:
    """Ids of samples with a value of the target; their groups and classes by id, if there are."""

    ids: list[str]
    groups: dict[str, str] | None
    classes: dict[str, str] | None


def find_splittable(table, metadata, groups, missing_samples: str) -> SplittableSamples:
    """Find the samples that have a value of the target, and a group if groups are given.

    Parameters
    ----------
    table : biom.Table
    metadata, groups : qiime2.MetadataColumn
        Groups may be None.
    missing_samples : str
        ``error`` or ``ignore``.
    """
    samples = read_table(table)
    column = metadata.to_series()
    name = f"the metadata column '{column.name}'"
    shared, missing = match_samples(samples.sample_ids, column.index, name, missing_samples)
    labelled = list(column.loc[shared].dropna().index)
    blank = len(shared) - len(labelled)
    print(f"samples without a row in {name}: {len(missing):,}; with a blank cell: {blank:,}")
    group_of = None
    if groups is not None:
        labels = group_labels(samples.select(labelled), groups.to_series(), missing_samples)
        group_of = labels.values.to_dict()
        labelled = sorted(group_of)
        for reason, ids in labels.dropped.items():
            print(f"samples left out, {reason}: {len(ids):,}")
    require_enough(len(labelled), "splitting")
    numeric = isinstance(metadata, qiime2.NumericMetadataColumn)
    classes = None if numeric else column.loc[labelled].to_dict()
    return SplittableSamples(labelled, group_of, classes)
