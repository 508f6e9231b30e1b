"""Samples that belong together: one subject, site or cage."""

from __future__ import annotations

import numpy as np
import pandas as pd

NO_GROUP = "(no group)"
FEWEST_GROUPS_TO_DRAW = 8  # resampling two or three groups gives absurdly narrow intervals


def name_groups(groups: pd.Series, shown: pd.Index) -> pd.Series:
    """Return the group of each sample shown as text; a blank is `NO_GROUP`."""
    return (
        as_text(groups).reindex(shown).astype(object).where(lambda names: names.notna(), NO_GROUP)
    )


def as_text(values: pd.Series) -> pd.Series:
    """Write numbers as people do (18, not 18.0); leave text and blanks as they are."""
    if pd.api.types.is_numeric_dtype(values):
        return values.map(lambda value: f"{value:.15g}", na_action="ignore")
    return values


def count_groups(names: pd.Series) -> int:
    """Count the groups, without the samples that have none."""
    return int(names[names != NO_GROUP].nunique())


def code_groups(names: pd.Series) -> np.ndarray | None:
    """Give one whole number per group, a sample without group being a group of its own.

    Parameters
    ----------
    names : pd.Series
        From `name_groups`.

    Returns
    -------
    np.ndarray of int, or None
        None if there are too few groups to be drawn in a bootstrap.
    """
    if count_groups(names) < FEWEST_GROUPS_TO_DRAW:
        return None
    alone = [
        (1, place) if name == NO_GROUP else (0, name) for place, name in enumerate(names.tolist())
    ]
    return pd.factorize(pd.Series(alone, dtype=object))[0]
