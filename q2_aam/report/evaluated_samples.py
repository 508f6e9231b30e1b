"""Predictions and what belongs to them, joined by sample id, with a count of what was left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples, no_shared_ids

NO_GROUP = "(no group)"
EXAMPLES_SHOWN = 5
LARGEST_NUMBER = 1e100  # its square is finite
FEWEST_GROUPS_TO_DRAW = 8  # resampling two or three groups gives absurdly narrow intervals


@dataclass(frozen=True)
class SampleCount:
    """How many samples something holds for, with examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluatedSamples:
    """The samples that can be judged.

    Attributes
    ----------
    frame : pd.DataFrame
        Index: sample id. Columns: actual, predicted, error (predicted minus actual), lower, upper
        (NaN without interval), baseline (NaN without) and group (text, or None without groups).
    target, group_name : str
        Names of the metadata columns; group_name is None without groups.
    counts : list of SampleCount
    """

    frame: pd.DataFrame
    target: str
    group_name: str | None
    counts: list[SampleCount]

    @property
    def group_codes(self) -> np.ndarray | None:
        """One whole number per group, a sample without group being a group of its own.

        None if there are no groups, or too few to be drawn in a bootstrap.
        """
        if self.group_name is None or self.n_groups < FEWEST_GROUPS_TO_DRAW:
            return None
        names = self.frame["group"].tolist()
        alone = [(1, place) if name == NO_GROUP else (0, name) for place, name in enumerate(names)]
        return pd.factorize(pd.Series(alone, dtype=object))[0]

    @property
    def n_groups(self) -> int:
        """How many groups there are, not counting samples without one."""
        return int(self.frame["group"][self.frame["group"] != NO_GROUP].nunique())

    @property
    def has_intervals(self) -> bool:
        """Whether any sample has a prediction interval."""
        return bool(self.frame["lower"].notna().any())

    @property
    def has_baseline(self) -> bool:
        """Whether any sample has a baseline prediction."""
        return bool(self.frame["baseline"].notna().any())


def join_evaluated_samples(
    predictions: pd.Series,
    truth: pd.Series,
    intervals: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    groups: pd.Series | None = None,
) -> EvaluatedSamples:
    """Join predictions with the truth by sample id.

    Parameters
    ----------
    predictions : pd.Series
        Index: sample id.
    truth : pd.Series
        Named like its metadata column; blanks are NaN.
    intervals : pd.DataFrame, optional
        Columns ``lower`` and ``upper``.
    baseline_predictions : pd.Series, optional
    groups : pd.Series, optional
        Categorical or numeric, named like its metadata column.

    Returns
    -------
    EvaluatedSamples

    Raises
    ------
    AAMError
        If no predicted sample has a true value, or if something is not a number.
    """
    predictions = _numbers(predictions, "The predictions")
    if not predictions.index.intersection(truth.index).size:
        raise no_shared_ids(
            "the predictions", list(predictions.index), "the metadata", list(truth.index)
        )
    usable = truth.dropna()
    shown = predictions.index[predictions.index.isin(usable.index)]
    if not len(shown):
        raise AAMError(
            f"None of the {counted(len(predictions), 'predicted sample')} has a value in the "
            f"metadata column {truth.name!r}, such as {examples(predictions.index, 5)}. "
            "Fill in the column, or name another one."
        )
    frame = pd.DataFrame({"actual": usable[shown], "predicted": predictions[shown]}, dtype=float)
    frame.index.name = "id"
    frame["error"] = frame["predicted"] - frame["actual"]
    frame[["lower", "upper"]] = _interval_columns(intervals, shown)
    frame["baseline"] = _baseline_column(baseline_predictions, shown)
    _refuse_far_values(frame[["actual", "predicted", "baseline"]])
    frame["group"] = None if groups is None else _group_names(groups, shown)
    counts = _count_samples(predictions, truth, frame)
    counts += _count_missing(frame, intervals, baseline_predictions, groups)
    return EvaluatedSamples(
        frame, str(truth.name), None if groups is None else str(groups.name), counts
    )


def _refuse_far_values(frame: pd.DataFrame) -> None:
    """Refuse values whose squares are not finite: no score could be computed."""
    far = frame.index[frame.abs().max(axis=1) > LARGEST_NUMBER]
    if len(far):
        raise AAMError(
            f"{counted(len(far), 'sample')} of {len(frame):,} have a value beyond "
            f"{LARGEST_NUMBER:g}: {examples(far)}. Correct these values, or blank their cells."
        )


def _numbers(values: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = values[~np.isfinite(numbers)]
    if len(wrong):
        raise AAMError(
            f"{name} hold {counted(len(wrong), 'value')} that are no finite numbers, for the "
            f"samples {examples(wrong.index)} (such as {examples(wrong.unique())}). "
            "Give the predictions of a regressor."
        )
    return numbers


def _interval_columns(intervals: pd.DataFrame | None, shown: pd.Index) -> np.ndarray:
    if intervals is None:
        return np.full((len(shown), 2), np.nan)
    missing = {"lower", "upper"} - set(intervals.columns)
    if missing:
        raise AAMError(
            f"The intervals lack the columns {examples(sorted(missing))}; they have "
            f"{examples(intervals.columns)}. Give the intervals of predict-regression."
        )
    bounds = intervals[["lower", "upper"]].apply(pd.to_numeric, errors="coerce").astype(float)
    # An unbounded interval cannot be drawn and says nothing: it counts as none.
    bounds[~np.isfinite(bounds).all(axis=1)] = np.nan
    reversed_ids = bounds.index[bounds["lower"] > bounds["upper"]]
    if len(reversed_ids):
        raise AAMError(
            f"{counted(len(reversed_ids), 'interval')} have a lower end above the upper one, for "
            f"the samples {examples(reversed_ids)}. Give the intervals of predict-regression."
        )
    if not bounds.index.intersection(shown).size:
        raise no_shared_ids(
            "the intervals", list(bounds.index), "the evaluated samples", list(shown)
        )
    return bounds.reindex(shown).to_numpy()


def _baseline_column(baseline: pd.Series | None, shown: pd.Index) -> np.ndarray:
    if baseline is None:
        return np.full(len(shown), np.nan)
    values = _numbers(baseline, "The baseline predictions")
    if not values.index.intersection(shown).size:
        raise no_shared_ids(
            "the baseline predictions", list(values.index), "the evaluated samples", list(shown)
        )
    return values.reindex(shown).to_numpy()


def _group_names(groups: pd.Series, shown: pd.Index) -> pd.Series:
    if pd.api.types.is_numeric_dtype(groups):
        groups = groups.map(lambda value: f"{value:.15g}", na_action="ignore")
    return groups.reindex(shown).astype(object).where(lambda names: names.notna(), NO_GROUP)


def _count_samples(predictions, truth, frame) -> list[SampleCount]:
    name = str(truth.name)
    unknown = predictions.index[~predictions.index.isin(truth.index)]
    blank = predictions.index[predictions.index.isin(truth.index[truth.isna()])]
    elsewhere = truth.dropna().index.difference(predictions.index, sort=False)
    return [
        SampleCount("samples with a prediction", len(predictions)),
        _count("samples evaluated here: predicted, and with a true value", frame.index),
        _count("samples left out: predicted, but not in the metadata", unknown),
        _count(f"samples left out: predicted, but no value in '{name}'", blank),
        _count(
            f"samples with a value in '{name}' that were not predicted "
            "(used for fitting, or not in the table)",
            elsewhere,
        ),
    ]


def _count_missing(frame, intervals, baseline_predictions, groups) -> list[SampleCount]:
    counts = []
    if intervals is not None:
        without = frame.index[frame["lower"].isna()]
        counts.append(_count("evaluated samples without a (finite) interval", without))
    if baseline_predictions is not None:
        without = frame.index[frame["baseline"].isna()]
        counts.append(_count("evaluated samples without a baseline prediction", without))
    if groups is not None:
        without = frame.index[frame["group"] == NO_GROUP]
        counts.append(_count(f"evaluated samples without a value in '{groups.name}'", without))
    return counts


def _count(what: str, ids: pd.Index) -> SampleCount:
    return SampleCount(what, len(ids), tuple(str(value) for value in ids[:EXAMPLES_SHOWN]))
