"""split-samples, and the folds of a cross-validation: whole groups at a time."""

from collections import Counter

import biom
import numpy as np
import pandas as pd
import qiime2

from ..data.alignment import FEWEST_OF_A_CLASS
from ..data.splits import train_test_split
from ..errors import AAMError, counted, examples, verb
from ..parameters import DEFAULT
from .inputs import TrainingSamples, read_training_samples

_DRAWS = 32  # of folds, until every class is left to learn from in each


def split_samples(
    table: biom.Table, metadata: qiime2.MetadataColumn, groups: qiime2.MetadataColumn = None,
    test_size: float = DEFAULT["test_size"], missing_samples: str = DEFAULT["missing_samples"],
    random_seed: int = DEFAULT["random_seed"],
) -> (biom.Table, biom.Table, pd.Series, pd.Series):  # fmt: skip
    """Divide a table into a training and a test table; return their true values too."""
    found = read_training_samples(table, metadata, groups, missing_samples=missing_samples)
    require_test_samples(found, test_size)
    for reason, ids in found.dropped.items():
        print(f"samples left out, {reason}: {len(ids):,}")
    ids = found.samples.sample_ids
    parts = train_test_split(ids, test_size, random_seed, found.groups, found.classes)
    print(f"training samples: {len(parts[0]):,}; test samples: {len(parts[1]):,}")
    tables = [
        table.filter(set(part), inplace=False).remove_empty("observation", inplace=False)
        for part in parts
    ]
    return *tables, *(true_targets(found, part) for part in parts)


def true_targets(training: TrainingSamples, sample_ids: list[str]) -> pd.Series:
    """Return the true values of some samples, as q2-sample-classifier has them."""
    return training.values[sample_ids].rename_axis("id")


def require_test_samples(training: TrainingSamples, test_size: float, remedy: str = "") -> None:
    """Refuse a share that holds out nothing."""
    number = len(training.samples.sample_ids)
    if test_size * number < 1:
        raise AAMError(
            f"A 'test_size' of {test_size:g} holds out no sample of {number:,}. Raise it to at "
            f"least {1 / number:.2g}{remedy}."
        )


def make_folds(
    training: TrainingSamples, folds: int, test_size: float, seed: int
) -> list[tuple[list[str], list[str]]]:
    """Divide samples into parts to fit on and parts to predict, whole groups at a time.

    No folds hold out one share, the `test_size`; several predict every sample once. AAMError if
    there are too few groups, nothing is held out, or a class is left with too few samples.
    """
    ids, groups, classes = training.samples.sample_ids, training.groups, training.classes
    if folds == 0:
        remedy = ", or set 'folds' to 5 to predict every sample once"
        require_test_samples(training, test_size, remedy)
        parts = [train_test_split(ids, test_size, seed, groups, classes)]
    elif folds == 1:
        raise AAMError(
            "'folds' is 1, which would leave nothing to fit on. Set it to 0 for one split, or to "
            "5 to predict every sample once."
        )
    else:
        parts = _folds(np.array(sorted(ids)), folds, seed, groups, classes)
    for number, (kept, _) in enumerate(parts if classes else (), start=1):
        part = f"in fold {number} of {folds}" if folds else "after holding out the test samples"
        _refuse_lost_classes(kept, classes, groups, part)
    return parts


def _folds(ids: np.ndarray, folds: int, seed: int, groups, classes):
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    of_groups = np.array([groups[name] if groups else name for name in ids])
    number, what = len(set(of_groups)), "group" if groups else "sample"
    if number < folds:
        choose = ", or choose other 'groups'" if groups else ""
        raise AAMError(
            f"There are {counted(number, what)} for {folds} folds. Set 'folds' to at most "
            f"{number}{choose}."
        )
    # numbers are one class: samples or groups are then divided by their sizes alone
    of_classes = [classes[name] for name in ids] if classes else np.zeros(len(ids), dtype=int)
    kind = StratifiedGroupKFold if groups else StratifiedKFold
    for draw in range(_DRAWS):  # few groups may all fall into one fold: draw again
        splitter = kind(folds, shuffle=True, random_state=(seed + draw) % 2**32)
        parts = [
            (ids[kept].tolist(), ids[held].tolist())
            for kept, held in splitter.split(ids, of_classes, of_groups)
        ]
        if classes is None or not any(_lost(kept, classes) for kept, _ in parts):
            break
    return parts


def _lost(kept: list[str], classes: dict[str, str]) -> list[str]:
    """Name the classes that are left with too few samples to learn from."""
    left = Counter(classes[name] for name in kept)
    return sorted(one for one in set(classes.values()) if left[one] < FEWEST_OF_A_CLASS)


def _refuse_lost_classes(kept: list[str], classes: dict, groups: dict | None, part: str) -> None:
    left, total, shown = Counter(map(classes.get, kept)), Counter(classes.values()), []
    for one in _lost(kept, classes):
        where = f"{one}: {counted(total[one], 'sample')}"
        if groups:
            of_class = {groups[name] for name in classes if classes[name] == one}
            where += f" in {counted(len(of_class), 'group')}"
        shown.append(f"{where}, of which {left[one]} {verb(left[one], 'remain')} to learn from")
    if shown:
        raise AAMError(
            f"{counted(len(shown), 'class', 'classes')} would have fewer than {FEWEST_OF_A_CLASS} "
            f"samples to learn from {part}: {examples(shown)}.\nJoin classes, blank their cells to "
            "leave these samples out, or choose fewer 'folds', a smaller 'test_size' or other "
            "'groups'."
        )
