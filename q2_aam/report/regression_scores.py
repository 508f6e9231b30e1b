"""Predicted and true numbers joined by sample id, and how good the predictions are."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples
from . import metrics
from .evaluation import DUMMY, JoinedSamples, Scores, count_without, join_samples, require_shared
from .formatting import format_number
from .recognition import read_shares
from .samples import POINTS, ColorBy, as_records, choose_drawn

LARGEST_NUMBER = 1e100  # its square is finite


@dataclass(frozen=True)
class PredictedNumbers(JoinedSamples):
    """Samples whose numbers can be judged.

    The frame also has error (predicted minus actual), lower and upper (NaN without interval) and,
    if a column colors the points, its values as color_by.
    """

    color_by: ColorBy | None = None

    @property
    def has_intervals(self) -> bool:
        """Whether any sample has a prediction interval."""
        return bool(self.frame["lower"].notna().any())

    @cached_property
    def points(self) -> dict[str, list[dict]]:
        """The data set of the samples drawn, which the charts share."""
        drawn = choose_drawn(self.frame, self.frame["error"])
        return {POINTS: as_records(drawn.drop(columns="color_by", errors="ignore"), self.color_by)}

    @property
    def n_drawn(self) -> int:
        """How many samples are drawn."""
        return len(self.points[POINTS])


def join_numbers(
    predictions: pd.Series,
    truth: pd.Series,
    intervals: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    groups: pd.Series | None = None,
    color_by: pd.Series | None = None,
) -> PredictedNumbers:
    """Join predictions with the truth by sample id; blanks of the truth are NaN.

    Intervals have columns ``lower`` and ``upper``, and perhaps how reads were recognized. Raises
    `AAMError` if no predicted sample has a true value, or if something is not a number.
    """
    predictions, baseline = _numbers(predictions, "The predictions"), None
    if baseline_predictions is not None:
        baseline = _numbers(baseline_predictions, "The baseline predictions")
    joined = join_samples(predictions, truth, baseline, groups)
    frame = joined.frame[["actual", "predicted"]].astype(float)
    frame["error"] = frame["predicted"] - frame["actual"]
    frame["lower"] = frame["upper"] = np.nan
    if intervals is not None:
        frame[["lower", "upper"]] = _bounds(intervals, frame.index)
    frame["baseline"] = joined.frame["baseline"].astype(float)
    values = frame[["actual", "predicted", "baseline"]].abs()
    far = frame.index[values.max(axis=1) > LARGEST_NUMBER]
    if len(far):  # no score could be computed
        raise AAMError(
            f"{counted(len(far), 'sample')} of {len(frame):,} have a value beyond "
            f"{LARGEST_NUMBER:g}: {examples(far)}. Correct these values, or blank their cells."
        )
    frame["group"] = joined.frame["group"]
    if intervals is not None:
        joined.counts.append(count_without("a (finite) interval", frame["lower"]))
    colors = None
    if color_by is not None:
        colors = ColorBy.of(color_by, frame.index)
        joined.counts.append(colors.count_blanks())
        frame["color_by"] = colors.values.to_numpy()
    shares = read_shares(intervals, "The intervals", frame.index)
    fields = vars(joined) | {"frame": frame, "recognition": shares}
    return PredictedNumbers(**fields, color_by=colors)


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


def _bounds(intervals: pd.DataFrame, shown: pd.Index) -> np.ndarray:
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


@dataclass(frozen=True)
class RegressionScores(Scores):
    """Scores, whose differences are of the mean absolute error, and the coverage of intervals."""

    coverage: metrics.Estimate | None
    n_intervals: int
    n_inside: int


def score_regression(
    samples: PredictedNumbers, names: dict[str, str], training_mean: float | None = None
) -> RegressionScores:
    """Score predictions, baseline and the mean (of training, if known) with bootstrap intervals."""
    frame = samples.frame
    which = "samples shown here" if training_mean is None else "training samples"
    dummy = float(frame["actual"].mean() if training_mean is None else training_mean)
    names = {**names, DUMMY: f"dummy (always {format_number(dummy)}, the mean of the {which})"}
    predicted, score_together = predictions_of(samples, dummy), partial(_score_together, samples)
    rows, differences = samples.score(names, predicted, score_together)
    has = frame["lower"].notna().to_numpy()
    known, groups = frame[has], samples.group_codes[has]
    inside, coverage = known["actual"].between(known["lower"], known["upper"]).to_numpy(float), None
    if len(inside):
        (coverage,) = metrics.bootstrap(lambda rows: inside[rows].mean(keepdims=True), groups)
    dummy_is, n_inside = f"the mean of the {which}", int(inside.sum())
    return RegressionScores(rows, differences, dummy, dummy_is, coverage, len(inside), n_inside)


def predictions_of(samples: PredictedNumbers, dummy: float) -> dict[str, pd.Series]:
    """Return what each predictor predicts."""
    known = {key: samples.frame[column] for key, column in samples.predictors.items()}
    return {**known, DUMMY: pd.Series(dummy, samples.frame.index)}


def _score_together(samples, predicted: dict[str, pd.Series], names: dict, chosen: np.ndarray):
    """Score predictors on the same samples and resamples; the first is compared with the rest."""
    truth, groups = samples.frame["actual"].to_numpy(float)[chosen], samples.group_codes[chosen]
    columns = np.column_stack([values.to_numpy(float)[chosen] for values in predicted.values()])

    def statistics(rows):
        scores = metrics.score_numbers(truth[rows], columns[rows])
        return np.concatenate([scores.T.ravel(), scores[0, 1:] - scores[0, 0]])

    found = iter(metrics.bootstrap(statistics, groups))
    rows = {}
    for place, name in enumerate(predicted):
        estimates = {metric.name: next(found) for metric in metrics.REGRESSION_METRICS}
        values = metrics.NO_LINE if name == DUMMY else metrics.fit_line(truth, columns[:, place])
        for metric, value in zip(metrics.FIT_METRICS, values, strict=True):
            estimates[metric.name] = metrics.Estimate(value)
        rows[name] = metrics.ScoreRow(name, names[name], len(truth), estimates)
    return rows, {name: {"mean_absolute_error": next(found)} for name in list(predicted)[1:]}
