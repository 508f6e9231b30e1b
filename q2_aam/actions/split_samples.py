"""split-samples: hold out samples, whole groups at a time."""

import biom
import numpy as np
import qiime2

from ..data.splits import train_test_split
from ..errors import AAMError
from ..parameters import DEFAULT
from .splittable_samples import find_splittable


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
    found = find_splittable(table, metadata, groups, missing_samples)
    training, test = train_test_split(found.ids, test_size, random_seed, found.groups, found.classes)
    print(f"training samples: {len(training):,}; test samples: {len(test):,}")
    return _keep(table, training), _keep(table, test)


def _keep(table: biom.Table, sample_ids: list[str]) -> biom.Table:
    """Keep samples, in the table's order, and the features that they hold."""
    kept = table.filter(set(sample_ids), axis="sample", inplace=False)
    held = np.asarray(kept.ids(axis="observation"))[kept.matrix_data.getnnz(axis=1) > 0]
    return kept.filter(set(held), axis="observation", inplace=False)
