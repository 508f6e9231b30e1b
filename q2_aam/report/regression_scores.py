"""How good the predictions are, beside a constant and a baseline on the same samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .bootstrap import Estimate, estimate
from .evaluated_samples import EvaluatedSamples
from .metrics import METRICS, mean_absolute_error

MODEL, BASELINE, CONSTANT = "model", "baseline", "constant"


@dataclass(frozen=True)
class PredictorScores:
    """One row of the table of scores: who predicted, on how many samples, how well."""

    predictor: str
    label: str
    n_samples: int
    estimates: dict[str, Estimate]


@dataclass(frozen=True)
class RegressionScores:
    """Everything that the evaluation measures.

    Attributes
    ----------
    rows : list of PredictorScores
        All on the same samples: those with a baseline prediction if there is one. If that leaves
        samples out, the model on all of them comes last.
    differences : dict of str to Estimate
        MAE of the baseline and the constant minus MAE of the model (positive: the model is
        better), paired by sample.
    constant : float
        What the constant predicts.
    constant_is : str
        Where that value comes from.
    coverage, interval_width : Estimate or None
        Share of truths inside their interval, and the median width; None without intervals.
    n_intervals, n_inside : int
    """

    rows: list[PredictorScores]
    differences: dict[str, Estimate]
    constant: float
    constant_is: str
    coverage: Estimate | None
    interval_width: float | None
    n_intervals: int
    n_inside: int

    def row(self, predictor: str) -> PredictorScores | None:
        """Return the first row of a predictor, or None."""
        return next((row for row in self.rows if row.predictor == predictor), None)


def score_regression(
    samples: EvaluatedSamples, training_mean: float | None = None
) -> RegressionScores:
    """Score predictions, baseline and constant with bootstrap intervals.

    Parameters
    ----------
    samples : EvaluatedSamples
    training_mean : float, optional
        Mean of the training samples, which the constant predicts; else the mean of the truth.

    Returns
    -------
    RegressionScores
    """
    frame, groups = samples.frame, samples.group_codes
    if training_mean is None:
        constant, constant_is = float(frame["actual"].mean()), "mean of the samples shown here"
    else:
        constant, constant_is = float(training_mean), "mean of the training samples"
    common = frame["baseline"].notna() if samples.has_baseline else np.ones(len(frame), bool)
    common = np.asarray(common)
    shared, shared_groups = frame[common], None if groups is None else groups[common]
    predicted = {MODEL: shared["predicted"]}
    if samples.has_baseline:
        predicted[BASELINE] = shared["baseline"]
    predicted[CONSTANT] = pd.Series(constant, index=shared.index)
    labels = {MODEL: "this model", BASELINE: "baseline", CONSTANT: f"constant ({constant_is})"}
    rows = [
        _score(name, labels[name], shared["actual"], values, shared_groups)
        for name, values in predicted.items()
    ]
    differences = {
        name: _difference(shared, predicted[name], shared_groups)
        for name in predicted
        if name != MODEL
    }
    if not common.all():
        label = "this model, with the samples that the baseline lacks"
        rows.append(_score(MODEL, label, frame["actual"], frame["predicted"], groups))
    return RegressionScores(
        rows, differences, constant, constant_is, **_score_intervals(frame, groups)
    )


def _score(predictor, label, truth, predicted, groups) -> PredictorScores:
    truth, predicted = truth.to_numpy(float), predicted.to_numpy(float)

    def statistic_of(metric):
        return lambda weights: metric.function(truth, predicted, weights)

    estimates = {
        metric.name: estimate(statistic_of(metric), len(truth), groups) for metric in METRICS
    }
    return PredictorScores(predictor, label, len(truth), estimates)


def _difference(shared, other, groups) -> Estimate:
    truth = shared["actual"].to_numpy()
    model, other = shared["predicted"].to_numpy(), other.to_numpy()
    return estimate(
        lambda weights: (
            mean_absolute_error(truth, other, weights) - mean_absolute_error(truth, model, weights)
        ),
        len(truth),
        groups,
    )


def _score_intervals(frame: pd.DataFrame, groups) -> dict:
    has = frame["lower"].notna().to_numpy()
    if not has.any():
        return {"coverage": None, "interval_width": None, "n_intervals": 0, "n_inside": 0}
    known = frame[has]
    inside = known["actual"].between(known["lower"], known["upper"]).to_numpy(float)
    return {
        "coverage": estimate(
            lambda weights: weights @ inside / weights.sum(axis=1),
            len(inside),
            None if groups is None else groups[has],
        ),
        "interval_width": float((known["upper"] - known["lower"]).median()),
        "n_intervals": int(has.sum()),
        "n_inside": int(inside.sum()),
    }
