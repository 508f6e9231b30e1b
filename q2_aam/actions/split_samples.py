"""split-samples: hold out samples, whole groups at a time."""

import biom
import numpy as np
import qiime2

from ..data.alignment import group_labels, match_samples, require_enough
from ..data.splits import hold_out
from ..data.table import read_table
from ..errors import AAMError
from ..parameters import DEFAULT


def split_samples(
    table: biom.Table,
    metadata: qiime2.MetadataColumn,
    groups: qiime2.MetadataColumn = None,
    test_size: float = DEFAULT["test_size"],
    missing_samples: str = DEFAULT["missing_samples"],
    random_seed: int = DEFAULT["random_seed"],
) -> (biom.Table, biom.Table):
    """Divide a table into a training and a test table."""
    if test_size <= 0:
        raise AAMError("test_size is 0: nothing would be held out. Give a share above 0.")
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
    training, test = hold_out(labelled, test_size, random_seed, group_of, classes)
    print(f"training samples: {len(training):,}; test samples: {len(test):,}")
    return _keep(table, training), _keep(table, test)


def _keep(table: biom.Table, sample_ids: list[str]) -> biom.Table:
    """Keep samples, in the table's order, and the features that they hold."""
    kept = table.filter(set(sample_ids), axis="sample", inplace=False)
    held = np.asarray(kept.ids(axis="observation"))[kept.matrix_data.getnnz(axis=1) > 0]
    return kept.filter(set(held), axis="observation", inplace=False)
