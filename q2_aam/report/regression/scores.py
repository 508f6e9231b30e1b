"""How good predicted numbers are, beside a dummy and a baseline on the same samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..formatting import format_number
from ..metrics import (
    FIT_METRICS,
    REGRESSION_METRICS,
    Estimate,
    ScoreRow,
    bootstrap,
    fit_line,
    score_numbers,
)
from ..samples import ALL_SAMPLES, BASELINE, DUMMY, MODEL, in_sentence
from .samples import PredictedNumbers


@dataclass(frozen=True)
class RegressionScores:
    """Everything that the evaluation measures.

    Attributes
    ----------
    rows : dict of str to ScoreRow
        By predictor, on the same samples: those with a baseline prediction if there is one. If
        that leaves samples out, the model on all of them comes last, as `ALL_SAMPLES`.
    differences : dict of str to Estimate
        MAE of the baseline and the dummy minus MAE of the model (positive: the model is better),
        paired by sample.
    dummy, dummy_is : float, str
        What the dummy always predicts, and where that value comes from.
    coverage : Estimate or None
        Share of truths inside their interval; None without intervals.
    """

    rows: dict[str, ScoreRow]
    differences: dict[str, Estimate]
    dummy: float
    dummy_is: str
    coverage: Estimate | None
    n_intervals: int
    n_inside: int


def score_regression(
    samples: PredictedNumbers, names: dict[str, str], training_mean: float | None = None
) -> RegressionScores:
    """Score predictions, baseline and dummy with bootstrap intervals.

    Parameters
    ----------
    names : dict of str to str
        Of the model and the baseline.
    training_mean : float, optional
        Mean of the training samples, which the dummy predicts; else the mean of the truth.
    """
    frame, groups = samples.frame, samples.group_codes
    which = "samples shown here" if training_mean is None else "training samples"
    dummy = float(frame["actual"].mean() if training_mean is None else training_mean)
    common, predicted = np.ones(len(frame), bool), {MODEL: frame["predicted"]}
    if samples.has_baseline:
        common, predicted[BASELINE] = frame["baseline"].notna().to_numpy(), frame["baseline"]
    predicted[DUMMY] = pd.Series(dummy, index=frame.index)
    labels = {**names, DUMMY: f"dummy (always {format_number(dummy)}, the mean of the {which})"}
    rows, differences = _score_together(frame, predicted, labels, common, groups)
    if not common.all():
        alone, everyone = {ALL_SAMPLES: frame["predicted"]}, np.ones(len(frame), bool)
        label = f"{names[MODEL]}, with the samples that {in_sentence(names[BASELINE])} lacks"
        labels = {ALL_SAMPLES: label}
        rows |= _score_together(frame, alone, labels, everyone, groups)[0]
    inside, coverage = _inside(frame, groups)
    numbers = dummy, f"the mean of the {which}", coverage, len(inside), int(inside.sum())
    return RegressionScores(rows, differences, *numbers)


def _score_together(frame, predicted: dict[str, pd.Series], labels: dict, chosen, groups):
    """Score predictors on the same samples and resamples; the first is compared with the rest."""
    truth = frame["actual"].to_numpy(float)[chosen]
    columns = np.column_stack([values.to_numpy(float)[chosen] for values in predicted.values()])

    def statistics(rows):
        scores = score_numbers(truth[rows], columns[rows])
        return np.concatenate([scores.T.ravel(), scores[0, 1:] - scores[0, 0]])

    found = iter(bootstrap(statistics, len(truth), None if groups is None else groups[chosen]))
    rows = {}
    for place, name in enumerate(predicted):
        estimates = {metric.name: next(found) for metric in REGRESSION_METRICS}
        line = None if name == DUMMY else fit_line(truth, columns[:, place])
        values = line or [np.nan] * len(FIT_METRICS)
        estimates |= {m.name: Estimate(v) for m, v in zip(FIT_METRICS, values, strict=True)}
        rows[name] = ScoreRow(name, labels[name], len(truth), estimates)
    return rows, {name: next(found) for name in list(predicted)[1:]}


def _inside(frame: pd.DataFrame, groups):
    has = frame["lower"].notna().to_numpy()
    known = frame[has]
    inside = known["actual"].between(known["lower"], known["upper"]).to_numpy(float)
    if not len(inside):
        return inside, None
    codes = None if groups is None else groups[has]
    (coverage,) = bootstrap(lambda rows: inside[rows].mean(keepdims=True), len(inside), codes)
    return inside, coverage


def errors_by_group(samples: PredictedNumbers) -> pd.DataFrame:
    """Return samples, mean_absolute_error and median_error of each group, the worst first."""
    errors = samples.frame["error"]
    table = pd.DataFrame({"error": errors, "absolute": errors.abs()})
    table = table.groupby(samples.frame["group"], sort=True).agg(
        samples=("error", "size"),
        mean_absolute_error=("absolute", "mean"),
        median_error=("error", "median"),
    )
    return table.sort_values("mean_absolute_error", ascending=False, kind="stable")


def share_within_error(samples: PredictedNumbers, dummy: float) -> pd.DataFrame:
    """Tabulate which share of the samples each predictor predicts to within an error.

    Quantiles here and not in the chart, which would need every error of every predictor.
    """
    frame = samples.frame
    if samples.has_baseline:
        frame = frame[frame["baseline"].notna()]
    predicted = {MODEL: frame["predicted"], BASELINE: frame["baseline"], DUMMY: dummy}
    if not samples.has_baseline:
        del predicted[BASELINE]
    shares = np.linspace(0, 1, 101)
    errors = {k: np.quantile((v - frame["actual"]).abs(), shares) for k, v in predicted.items()}
    return pd.concat(
        pd.DataFrame({"predictor": name, "share": shares.round(2), "error": values})
        for name, values in errors.items()
    )
