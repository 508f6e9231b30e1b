"""Which samples each part of a cross-validation is fitted on, and which it predicts."""

import numpy as np
import qiime2

from ..data.splits import train_test_split
from ..errors import AAMError, counted


def divide(
    sample_ids: list[str],
    folds: int,
    test_size: float,
    seed: int,
    groups: dict[str, str] | None,
    classes: dict[str, str] | None,
) -> list[tuple[list[str], list[str]]]:
    """Divide samples into parts to fit on and parts to predict, whole groups at a time.

    Parameters
    ----------
    sample_ids : list of str
    folds : int
        0 holds out one share; k predicts every sample once.
    test_size : float
        Share to hold out if `folds` is 0.
    seed : int
    groups, classes : dict of str to str or None
        By sample id. Classes are divided as evenly as groups allow.

    Returns
    -------
    list of (fitted on, predicted)

    Raises
    ------
    AAMError
        If there are fewer groups than folds.
    """
    if folds == 0:
        return [train_test_split(sample_ids, test_size, seed, groups, classes)]
    if folds == 1:
        raise AAMError(
            "'folds' is 1, which would leave nothing to fit on. Set it to 0 for one split, or to "
            "5 to predict every sample once."
        )
    ids = np.array(sorted(sample_ids))
    of_groups = np.array([groups[name] if groups else name for name in ids])
    number = len(set(of_groups))
    if number < folds:
        raise AAMError(
            f"There are {counted(number, 'group')} for {folds} folds. Set 'folds' to at most "
            f"{number}, or choose other 'groups'."
        )
    # numbers are one class: samples or groups are then divided by their sizes alone
    of_classes = [classes[name] for name in ids] if classes else np.zeros(len(ids), dtype=int)
    splitter = _splitter(folds, seed, groups is not None)
    return [
        (ids[kept].tolist(), ids[held].tolist())
        for kept, held in splitter.split(ids, of_classes, of_groups)
    ]


def _splitter(folds: int, seed: int, grouped: bool):
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    return kind(folds, shuffle=True, random_state=seed)


def as_metadata(sample_ids: list[str]) -> qiime2.Metadata:
    """Write sample ids as Metadata, as filter-samples takes them."""
    import pandas as pd

    return qiime2.Metadata(pd.DataFrame(index=pd.Index(sample_ids, name="id")))
