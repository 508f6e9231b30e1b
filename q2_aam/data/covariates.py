"""Covariates: metadata columns that a model reads beside the microbes, as numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..config.target import MOST_COVARIATES, MOST_LEVELS, Covariate
from ..errors import AAMError, counted, examples, verb

FARTHEST = 1e6  # standard deviations from the mean of the training samples


def describe_covariates(columns: pd.DataFrame) -> tuple[Covariate, ...]:
    """Describe metadata columns, float64 or text, by what the training samples have in them.

    AAMError if there are too many, or one is constant, infinite or has too many levels.
    """
    if columns.shape[1] > MOST_COVARIATES:
        raise AAMError(
            f"{columns.shape[1]:,} covariates were asked for, but at most {MOST_COVARIATES} can be "
            "read. Name fewer 'covariate_columns'."
        )
    return tuple(_describe(column) for _, column in columns.items())


def _describe(column: pd.Series) -> Covariate:
    present = column.dropna()
    if present.nunique() + (len(present) < len(column)) < 2:
        value = examples(present.unique()) if len(present) else "blank"
        raise AAMError(
            f"The covariate '{column.name}' is {value} in all {len(column):,} training samples: "
            "nothing can be learned of it. Leave it out of 'covariate_columns'."
        )
    if pd.api.types.is_numeric_dtype(column):
        infinite = present.index[np.isinf(present)]
        if len(infinite):
            raise AAMError(
                f"{counted(len(infinite), 'sample')} {verb(len(infinite), 'have')} an infinite "
                f"'{column.name}': {examples(infinite)}. Correct the metadata, or leave the cells "
                "blank."
            )
        spread = float(present.std(ddof=0)) or 1.0
        return Covariate(column.name, (), float(present.mean()), spread)
    levels = sorted(present.unique())
    if len(levels) > MOST_LEVELS:
        raise AAMError(
            f"The covariate '{column.name}' has {len(levels):,} levels, such as "
            f"{examples(levels)}; at most {MOST_LEVELS} can be learned. If these are numbers, "
            "correct the cells that are not; else leave the column out of 'covariate_columns'."
        )
    return Covariate(column.name, tuple(levels))


def encode_covariates(covariates: Sequence[Covariate], columns: pd.DataFrame) -> np.ndarray:
    """Write covariates of any samples as the numbers that a model reads: float32 (samples, inputs).

    A categorical column becomes one number for each level, 1 where the sample has it; a numeric
    one becomes its scaled value, 0 where it is missing. One more number is 1 where the value is
    missing or is a level that the training samples did not have. AAMError if a column has another
    type than in fitting, or a number far from all that the training samples had.
    """
    parts = [_encode(covariate, columns[covariate.name]) for covariate in covariates]
    return np.concatenate(parts, axis=1).astype(np.float32)


def unknown_levels(covariates: Sequence[Covariate], columns: pd.DataFrame) -> dict[str, list[str]]:
    """Find the levels of each categorical column that the training samples did not have."""
    categorical = {one.name: set(one.levels) for one in covariates if one.levels}
    found = {name: set(columns[name].dropna()) - categorical[name] for name in categorical}
    return {name: sorted(levels) for name, levels in found.items() if levels}


def _encode(covariate: Covariate, column: pd.Series) -> np.ndarray:
    numeric = pd.api.types.is_numeric_dtype(column)
    blank = column.isna().to_numpy()
    if numeric == bool(covariate.levels) and not blank.all():
        was, now = ("categorical", "numeric") if numeric else ("numeric", "categorical")
        raise AAMError(
            f"The covariate '{covariate.name}' was {was} when the model was fitted, and is {now} "
            f"here (such as {examples(column.dropna().unique())}). Give the same column as in "
            "fitting; a '#q2:types' line in the metadata says how a column is to be read."
        )
    inputs = np.zeros((len(column), covariate.inputs))
    if covariate.levels:  # an unknown level, -1, is the last input
        inputs[np.arange(len(column)), pd.Index(covariate.levels).get_indexer(column)] = 1
        return inputs
    values = np.nan_to_num(pd.to_numeric(column).to_numpy(dtype=np.float64))
    inputs[:, 0] = np.where(blank, 0.0, (values - covariate.mean) / covariate.scale)
    far = column.index[~(np.abs(inputs[:, 0]) <= FARTHEST)]
    if len(far):
        raise AAMError(
            f"{counted(len(far), 'sample')} of {len(column):,} {verb(len(far), 'have')} a "
            f"'{covariate.name}' that is more than {FARTHEST:,.0f} standard deviations from the "
            f"mean of the training samples, {covariate.mean:g}: {examples(far)}. Correct the "
            "metadata, or leave the cells blank."
        )
    inputs[:, -1] = blank
    return inputs
