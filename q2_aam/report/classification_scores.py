"""How good predicted classes are, beside a constant and a baseline on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .bootstrap import Estimate, estimate_all
from .classification_metrics import (
    BY_CLASS,
    OVERALL,
    accuracy,
    area_under_roc,
    count_classes,
    f1,
    mean_over_classes,
    precision,
    recall,
)
from .classified_samples import ClassifiedSamples

MODEL, BASELINE, CONSTANT = "model", "baseline", "constant"


@dataclass(frozen=True)
class ClassifierScores:
    """The scores of one predictor on one set of samples.

    Attributes
    ----------
    predictor, label : str
    n_samples : int
    overall : dict of str to Estimate
        By the names of `OVERALL`.
    by_class : list of dict of str to Estimate
        For each class, by the names of `BY_CLASS`.
    n_actual, n_predicted : np.ndarray of int, shape (classes,)
    """

    predictor: str
    label: str
    n_samples: int
    overall: dict[str, Estimate]
    by_class: list[dict[str, Estimate]]
    n_actual: np.ndarray
    n_predicted: np.ndarray


@dataclass(frozen=True)
class ClassificationScores:
    """Everything that the evaluation measures.

    Attributes
    ----------
    rows : list of ClassifierScores
        All on the same samples: those with a baseline prediction if there is one. If that leaves
        samples out, the model on all of them comes last.
    differences : dict of str to dict of str to Estimate
        Scores of the model minus those of the baseline and of the constant (positive: the model
        is better), paired by sample; by the names of `OVERALL`.
    constant : str
        The class that the constant always answers.
    constant_is : str
        How it was found, in words.
    """

    rows: list[ClassifierScores]
    differences: dict[str, dict[str, Estimate]]
    constant: str
    constant_is: str

    def row(self, predictor: str) -> ClassifierScores | None:
        """Return the first row of a predictor, or None."""
        return next((row for row in self.rows if row.predictor == predictor), None)


@dataclass(frozen=True)
class _Predictor:
    name: str
    label: str
    predicted: np.ndarray
    probabilities: np.ndarray | None


def score_classification(
    samples: ClassifiedSamples, training_counts: Mapping[str, float] | None = None
) -> ClassificationScores:
    """Score predictions, baseline and constant with bootstrap intervals.

    Parameters
    ----------
    samples : ClassifiedSamples
    training_counts : mapping of str to float, optional
        Samples of each class that the model was trained on: the constant answers the most
        frequent one. Without them it is the most frequent class of the evaluated samples, which
        is a harder rival.

    Returns
    -------
    ClassificationScores
    """
    actual, baseline = samples.codes("actual"), samples.codes("baseline")
    model = _Predictor(MODEL, "this model", samples.codes("predicted"), samples.probabilities)
    common = baseline >= 0 if samples.has_baseline else np.ones(len(actual), bool)
    frequency = np.array([(training_counts or {}).get(name, 0) for name in samples.classes])
    constant_is = "the most frequent class of the training samples"
    if not frequency.any():
        frequency = np.bincount(actual[common], minlength=len(samples.classes))
        constant_is = "the most frequent class"
    constant = int(frequency.argmax())
    predictors = [model]
    if samples.has_baseline:
        predictors.append(
            _Predictor(BASELINE, "baseline", baseline, samples.baseline_probabilities)
        )
    label = f"constant (always '{samples.classes[constant]}')"
    predictors.append(_Predictor(CONSTANT, label, np.full(len(actual), constant), None))
    rows, differences = _score_together(samples, predictors, common)
    if not common.all():
        label = "this model, with the samples that the baseline lacks"
        alone = _Predictor(MODEL, label, model.predicted, model.probabilities)
        rows += _score_together(samples, [alone], np.ones(len(actual), bool))[0]
    return ClassificationScores(rows, differences, samples.classes[constant], constant_is)


def _score_together(samples: ClassifiedSamples, predictors: list[_Predictor], chosen):
    """Score predictors on the same samples and resamples; the first is compared with the rest."""
    actual, n_classes = samples.codes("actual")[chosen], len(samples.classes)
    groups = None if samples.group_codes is None else samples.group_codes[chosen]
    of_each = [
        (
            predictor.predicted[chosen],
            None if predictor.probabilities is None else predictor.probabilities[chosen],
        )
        for predictor in predictors
    ]

    def statistics(weights):
        scores = [_all_scores(actual, *given, n_classes, weights) for given in of_each]
        first = scores[0][:, : len(OVERALL)]
        return np.hstack([*scores, *(first - other[:, : len(OVERALL)] for other in scores[1:])])

    found = iter(estimate_all(statistics, len(actual), groups))
    rows = []
    for predictor, (predicted, _) in zip(predictors, of_each, strict=True):
        overall = {metric.name: next(found) for metric in OVERALL}
        by_class = [{metric.name: next(found) for metric in BY_CLASS} for _ in samples.classes]
        counts = count_classes(actual, predicted, n_classes, np.ones((1, len(actual))))
        rows.append(
            ClassifierScores(
                predictor.name,
                predictor.label,
                len(actual),
                overall,
                by_class,
                counts.actual[0].astype(int),
                counts.predicted[0].astype(int),
            )
        )
    differences = {
        predictor.name: {metric.name: next(found) for metric in OVERALL}
        for predictor in predictors[1:]
    }
    return rows, differences


def _all_scores(actual, predicted, probabilities, n_classes: int, weights) -> np.ndarray:
    """Return (resamples, scores): those of `OVERALL`, then those of `BY_CLASS` class by class."""
    counts = count_classes(actual, predicted, n_classes, weights)
    if probabilities is None:
        areas = np.full((len(weights), n_classes), np.nan)
    else:
        areas = area_under_roc(actual, probabilities, weights)
    overall = [
        accuracy(counts),
        mean_over_classes(recall(counts)),
        mean_over_classes(f1(counts)),
        mean_over_classes(areas),
    ]
    by_class = [precision(counts), recall(counts), f1(counts), areas]
    return np.hstack(
        [np.stack(overall, axis=1), np.stack(by_class, axis=2).reshape(len(weights), -1)]
    )
