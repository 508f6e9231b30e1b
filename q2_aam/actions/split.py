"""split-samples: hold out samples, whole groups at a time."""

import biom
import numpy as np
import qiime2

from ..data.splits import train_test_split
from ..errors import AAMError
from ..parameters import DEFAULT
from .inputs import read_training_samples


def split_samples(
    table: biom.Table,
    metadata: qiime2.MetadataColumn,
    groups: qiime2.MetadataColumn = None,
    test_size: float = DEFAULT["test_size"],
    missing_samples: str = DEFAULT["missing_samples"],
    random_seed: int = DEFAULT["random_seed"],
) -> (biom.Table, biom.Table):
    """Divide a table into a training and a test table."""
    found = read_training_samples(table, metadata, groups, missing_samples=missing_samples)
    number = len(found.samples.sample_ids)
    if test_size * number < 1:
        raise AAMError(
            f"A 'test_size' of {test_size:g} holds out no sample of {number:,}. Raise it to at "
            f"least {1 / number:.2g}."
        )
    for reason, ids in found.dropped.items():
        print(f"samples left out, {reason}: {len(ids):,}")
    ids = found.samples.sample_ids
    training, test = train_test_split(ids, test_size, random_seed, found.groups, found.classes)
    print(f"training samples: {len(training):,}; test samples: {len(test):,}")
    return _keep(table, training), _keep(table, test)


def _keep(table: biom.Table, sample_ids: list[str]) -> biom.Table:
    """Keep samples, in the table's order, and the features that they hold."""
    kept = table.filter(set(sample_ids), axis="sample", inplace=False)
    held = np.asarray(kept.ids(axis="observation"))[kept.matrix_data.getnnz(axis=1) > 0]
    return kept.filter(set(held), axis="observation", inplace=False)
