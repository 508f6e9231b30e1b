"""Predicted and true numbers joined by sample id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import AAMError, counted, examples
from ..color_by import ColorBy
from ..recognition import read_shares
from ..samples import (
    JoinedSamples,
    choose_evaluated_ids,
    count_evaluated,
    count_ids,
    name_groups,
    require_shared,
)

LARGEST_NUMBER = 1e100  # its square is finite


@dataclass(frozen=True)
class PredictedNumbers(JoinedSamples):
    """Samples whose numbers can be judged.

    Attributes
    ----------
    frame : pd.DataFrame
        Also error (predicted minus actual), lower and upper (NaN without interval) and, if a
        column colors the points, its values as color_by.
    color_by : ColorBy, optional
    """

    color_by: ColorBy | None = None

    @property
    def has_intervals(self) -> bool:
        """Whether any sample has a prediction interval."""
        return bool(self.frame["lower"].notna().any())


def join_numbers(
    predictions: pd.Series,
    truth: pd.Series,
    intervals: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    groups: pd.Series | None = None,
    color_by: pd.Series | None = None,
) -> PredictedNumbers:
    """Join predictions with the truth by sample id.

    Parameters
    ----------
    predictions : pd.Series
        Index: sample id.
    truth : pd.Series
        Named like its metadata column; blanks are NaN.
    intervals : pd.DataFrame, optional
        Columns ``lower`` and ``upper``, and perhaps how reads were recognized.
    baseline_predictions : pd.Series, optional
    groups, color_by : pd.Series, optional
        Categorical or numeric, named like their metadata columns.

    Raises
    ------
    AAMError
        If no predicted sample has a true value, or if something is not a number.
    """
    predictions = _numbers(predictions, "The predictions")
    shown = choose_evaluated_ids(predictions, truth)
    frame = pd.DataFrame({"actual": truth[shown], "predicted": predictions[shown]}, dtype=float)
    frame.index.name = "id"
    frame["error"] = frame["predicted"] - frame["actual"]
    frame[["lower", "upper"]] = _interval_columns(intervals, shown)
    frame["baseline"] = np.nan
    if baseline_predictions is not None:
        baseline = _numbers(baseline_predictions, "The baseline predictions")
        require_shared(baseline.index, "the baseline predictions", shown)
        frame["baseline"] = baseline.reindex(shown)
    _refuse_far_values(frame[["actual", "predicted", "baseline"]])
    frame["group"] = name_groups(groups, shown)
    counts = count_evaluated(predictions, truth, frame, groups)
    for given, column, what in (
        (intervals, "lower", "a (finite) interval"),
        (baseline_predictions, "baseline", "a baseline prediction"),
    ):
        if given is not None:
            without = frame.index[frame[column].isna()]
            counts.append(count_ids(f"evaluated samples without {what}", without))
    colors = None
    if color_by is not None:
        colors = ColorBy.of(color_by, shown)
        counts.append(colors.count_blanks())
        frame["color_by"] = colors.values.to_numpy()
    shares = read_shares(intervals, "The intervals")
    return PredictedNumbers(
        frame,
        str(truth.name),
        None if groups is None else str(groups.name),
        counts,
        None if shares is None else shares.reindex(shown),
        color_by=colors,
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
    require_shared(bounds.index, "the intervals", shown)
    return bounds.reindex(shown).to_numpy()
