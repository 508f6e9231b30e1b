"""How many samples were evaluated, and how many were left out and why."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..errors import AAMError, counted, examples, no_shared_ids

EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class SampleCount:
    """How many samples something holds for, with examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


def count_ids(what: str, ids) -> SampleCount:
    """Count ids and keep the first few as examples."""
    return SampleCount(what, len(ids), tuple(str(value) for value in ids[:EXAMPLES_SHOWN]))


def choose_evaluated_ids(predictions: pd.Series, truth: pd.Series) -> pd.Index:
    """Return the ids that are predicted and have a true value, in the order of the predictions.

    Parameters
    ----------
    predictions : pd.Series
        Index: sample id.
    truth : pd.Series
        Named like its metadata column; blanks are NaN.

    Returns
    -------
    pd.Index

    Raises
    ------
    AAMError
        If there are none.
    """
    if not predictions.index.intersection(truth.index).size:
        raise no_shared_ids(
            "the predictions", list(predictions.index), "the metadata", list(truth.index)
        )
    shown = predictions.index[predictions.index.isin(truth.dropna().index)]
    if not len(shown):
        raise AAMError(
            f"None of the {counted(len(predictions), 'predicted sample')} has a value in the "
            f"metadata column {truth.name!r}, such as {examples(predictions.index, 5)}. "
            "Fill in the column, or name another one."
        )
    return shown


def count_evaluated(predictions: pd.Series, truth: pd.Series, shown: pd.Index) -> list[SampleCount]:
    """Count the samples evaluated, and those that only one side knows."""
    name = str(truth.name)
    unknown = predictions.index[~predictions.index.isin(truth.index)]
    blank = predictions.index[predictions.index.isin(truth.index[truth.isna()])]
    elsewhere = truth.dropna().index.difference(predictions.index, sort=False)
    return [
        SampleCount("samples with a prediction", len(predictions)),
        count_ids("samples evaluated here: predicted, and with a true value", shown),
        count_ids("samples left out: predicted, but not in the metadata", unknown),
        count_ids(f"samples left out: predicted, but no value in '{name}'", blank),
        count_ids(
            f"samples with a value in '{name}' that were not predicted "
            "(used for fitting, or not in the table)",
            elsewhere,
        ),
    ]


def counts_table(counts: list[SampleCount]) -> pd.DataFrame:
    """Write the counts of samples as a table to download."""
    records = [
        {"id": entry.what, "count": entry.count, "examples": ", ".join(entry.examples)}
        for entry in counts
    ]
    return pd.DataFrame.from_records(records, index="id")
