"""How good predicted classes are, beside a dummy and a baseline on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from ..metrics import (
    CLASS_METRICS,
    OVERALL_METRICS,
    Estimate,
    ScoreRow,
    area_under_roc,
    bootstrap,
    score_classes,
)
from ..samples import ALL_SAMPLES, BASELINE, DUMMY, MODEL, in_sentence
from .samples import PredictedClasses

MOST_DETAILED = 50  # classes; of more there is no confusion matrix and no interval by class
_MOST_BINS, _SAMPLES_PER_BIN = 10, 12


@dataclass(frozen=True)
class ClassifierScores(ScoreRow):
    """The scores of one predictor, and for each class those of `CLASS_METRICS`.

    Attributes
    ----------
    n_actual, n_predicted : np.ndarray of int, shape (classes,)
    """

    by_class: list[dict[str, Estimate]]
    n_actual: np.ndarray
    n_predicted: np.ndarray


@dataclass(frozen=True)
class ClassificationScores:
    """Everything that the evaluation measures.

    Attributes
    ----------
    rows : dict of str to ClassifierScores
        By predictor, on the same samples: those with a baseline prediction if there is one. If
        that leaves samples out, the model on all of them comes last, as `ALL_SAMPLES`.
    differences : dict of str to dict of str to Estimate
        Scores of the model minus those of the baseline and of the dummy (positive: the model is
        better), paired by sample; by the names of `OVERALL_METRICS`.
    dummy, dummy_is : str
        The class that the dummy always predicts, and how it was found.
    """

    rows: dict[str, ClassifierScores]
    differences: dict[str, dict[str, Estimate]]
    dummy: str
    dummy_is: str


@dataclass(frozen=True)
class _Predictor:
    name: str
    label: str
    predicted: np.ndarray
    probabilities: np.ndarray | None


def numbers_per_sample(samples: PredictedClasses) -> int:
    """Return how many numbers a resample looks at for each sample."""
    has = samples.probabilities is not None and len(samples.classes) <= MOST_DETAILED
    return len(samples.classes) if has else 1


def score_classification(
    samples: PredictedClasses,
    names: dict[str, str],
    training_counts: Mapping[str, float] | None = None,
) -> ClassificationScores:
    """Score predictions, baseline and dummy with bootstrap intervals.

    Parameters
    ----------
    samples : PredictedClasses
    names : dict of str to str
        Of the model and the baseline.
    training_counts : mapping of str to float, optional
        Samples of each class that the model was trained on: the dummy predicts the most frequent
        one. Without them it is the most frequent class of the evaluated samples, which is a harder
        rival.
    """
    actual, baseline = samples.codes("actual"), samples.codes("baseline")
    common = baseline >= 0 if samples.has_baseline else np.ones(len(actual), bool)
    frequency = np.array([(training_counts or {}).get(name, 0) for name in samples.classes])
    of_which = "of the training samples"
    if not frequency.any():
        frequency = np.bincount(actual[common], minlength=len(samples.classes))
        of_which = "of the samples shown here"
    dummy = int(frequency.argmax())
    tied = int((frequency == frequency[dummy]).sum()) > 1
    dummy_is = "one of the most frequent classes" if tied else "the most frequent class"
    predicted = samples.codes("predicted")
    predictors = [_Predictor(MODEL, names[MODEL], predicted, samples.probabilities)]
    if samples.has_baseline:
        other = samples.baseline_probabilities
        predictors.append(_Predictor(BASELINE, names[BASELINE], baseline, other))
    label = f"dummy (always '{samples.classes[dummy]}')"
    predictors.append(_Predictor(DUMMY, label, np.full(len(actual), dummy), None))
    rows, differences = _score_together(samples, predictors, common)
    if not common.all():
        label = f"{names[MODEL]}, with the samples that {in_sentence(names[BASELINE])} lacks"
        alone = _Predictor(ALL_SAMPLES, label, predicted, samples.probabilities)
        everyone = np.ones(len(actual), bool)
        on_all, _ = _score_together(samples, [alone, predictors[-1]], everyone)
        rows[ALL_SAMPLES] = on_all[ALL_SAMPLES]
    return ClassificationScores(rows, differences, samples.classes[dummy], f"{dummy_is} {of_which}")


def _score_together(samples: PredictedClasses, predictors: list[_Predictor], chosen):
    """Score predictors on the same samples and resamples; the first is compared with the rest.

    The last one is the dummy.
    """
    actual, n_classes = samples.codes("actual")[chosen], len(samples.classes)
    groups = None if samples.group_codes is None else samples.group_codes[chosen]
    detailed = n_classes <= MOST_DETAILED
    of_each = [
        (one.predicted[chosen], None if one.probabilities is None else one.probabilities[chosen])
        for one in predictors
    ]

    def statistics(rows):
        given = [(predicted[rows], None if p is None else p[rows]) for predicted, p in of_each]
        overall, by_class = _all_scores(actual[rows], given, n_classes, detailed)
        parts = [overall, overall[0] - overall[1:], *([by_class] if detailed else [])]
        return np.concatenate([part.ravel() for part in parts])

    found = bootstrap(statistics, len(actual), groups, numbers_per_sample(samples))
    n_scores, metrics = len(OVERALL_METRICS), len(CLASS_METRICS)
    scores = iter(found)
    overall = [_named(scores, OVERALL_METRICS) for _ in predictors]
    differences = [_named(scores, OVERALL_METRICS) for _ in predictors[1:]]
    known, by_class = _all_scores(actual, of_each, n_classes, True)
    if detailed:
        by_class = np.array(list(scores), dtype=object).reshape(-1, metrics, n_classes)
    else:  # no intervals by class, and none of areas
        for row, values in zip(overall, known, strict=True):
            of_areas = [k for k in range(n_scores) if OVERALL_METRICS[k].is_area]
            row.update({OVERALL_METRICS[k].name: Estimate(float(values[k])) for k in of_areas})
        by_class = np.vectorize(Estimate, otypes=[object])(by_class)
    rows = {
        one.name: ClassifierScores(
            one.name, one.label, len(actual), overall[place],
            [_named(iter(of_class), CLASS_METRICS) for of_class in by_class[place].T],
            np.bincount(actual, minlength=n_classes),
            np.bincount(of_each[place][0], minlength=n_classes),
        )
        for place, one in enumerate(predictors)
    }  # fmt: skip
    return rows, {one.name: d for one, d in zip(predictors[1:], differences, strict=True)}


def _named(scores, metrics) -> dict[str, Estimate]:
    return {metric.name: next(scores) for metric in metrics}


def _all_scores(actual: np.ndarray, of_each: list, n_classes: int, with_areas: bool):
    """Return scores of `OVERALL_METRICS` and `CLASS_METRICS` for predictors, the dummy last.

    Parameters
    ----------
    of_each : list of (np.ndarray, np.ndarray or None)
        Predicted classes and probabilities.

    Returns
    -------
    np.ndarray of shape (predictors, overall metrics)
    np.ndarray of shape (predictors, class metrics, classes)
    """
    right = [float((predicted == actual).mean()) for predicted, _ in of_each]
    is_class = actual[:, None] == np.arange(n_classes)
    overall, by_class = [], []
    for (predicted, probabilities), accuracy in zip(of_each, right, strict=True):
        scores, areas, micro = score_classes(actual, predicted, n_classes), np.nan, np.nan
        if probabilities is not None and with_areas:
            areas = area_under_roc(is_class, probabilities)
            micro = area_under_roc(is_class.reshape(-1, 1), probabilities.reshape(-1, 1))[0]
        by_class.append(np.vstack([scores, np.broadcast_to(areas, n_classes)]))
        ratio = accuracy / right[-1] if right[-1] else np.nan
        means = [_mean(by_class[-1][place]) for place in (1, 2, 3)]
        overall.append([accuracy, ratio, *means, micro])
    return np.array(overall), np.array(by_class)


def _mean(values: np.ndarray) -> float:
    """Average over the classes where a value is defined."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def tabulate_confusion(samples: PredictedClasses, predictor: str = "predicted") -> pd.DataFrame:
    """Count how often samples of each class were predicted as each class.

    Parameters
    ----------
    predictor : {'predicted', 'baseline'}
        Samples without such a prediction are left out.

    Returns
    -------
    pd.DataFrame
        Columns: actual, predicted, samples, share_of_actual (NaN for a class without samples). All
        pairs of up to `MOST_DETAILED` classes, of more those that occur.
    """
    known = samples.frame[samples.frame[predictor].notna()]
    counts = known.groupby(["actual", predictor]).size()
    totals = known["actual"].value_counts()
    if len(samples.classes) <= MOST_DETAILED:
        pairs = pd.MultiIndex.from_product([samples.classes, samples.classes])
        counts = counts.reindex(pairs, fill_value=0)
    table = counts.rename("samples").rename_axis(["actual", "predicted"]).reset_index()
    table["share_of_actual"] = table["samples"] / table["actual"].map(totals)
    return table


def choose_positive_class(samples: PredictedClasses) -> tuple[str | None, str]:
    """Return the rarer of two classes, for which curves are drawn, and in words how rare it is.

    Returns
    -------
    str or None
        None with more than two classes.
    str
    """
    if len(samples.classes) != 2:
        return None, ""
    first, second = np.bincount(samples.codes("actual"), minlength=2)
    words = "as frequent as the other" if first == second else "the rarer of the two"
    return samples.classes[0 if first < second else 1], words


def probabilities_of(samples: PredictedClasses, predictor: str):
    """Return a predictor's probabilities and for which samples it has any."""
    if predictor == "predicted":
        return samples.probabilities, np.ones(len(samples.frame), bool)
    return samples.baseline_probabilities, samples.codes("baseline") >= 0


def tabulate_calibration(samples: PredictedClasses, names: dict[str, str]) -> pd.DataFrame:
    """Compare probabilities with how often they were right, for the model and the baseline.

    Of two classes it is the probability of the rarer one (see `choose_positive_class`), else the
    probability of the class that was predicted.

    Returns
    -------
    pd.DataFrame
        As `calibration_bins`, with a column ``predictor``.
    """
    actual, (positive, _) = samples.codes("actual"), choose_positive_class(samples)
    tables = []
    for predictor, name in (("predicted", names[MODEL]), ("baseline", names[BASELINE])):
        given, known = probabilities_of(samples, predictor)
        if given is None:
            continue
        if positive is not None:
            place = samples.classes.index(positive)
            probability, happened = given[:, place], actual == place
        else:
            probability = samples.confidence(predictor)
            happened = samples.codes(predictor) == actual
        table = calibration_bins(probability[known], happened[known])
        table.index = pd.Index([f"{name}: {bin}" for bin in table.index], name="id")
        table.insert(0, "predictor", name)
        tables.append(table)
    return pd.concat(tables)


def calibration_bins(probability: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Compare probabilities with how often things happened, in bins of equally many samples.

    scikit-learn's `calibration_curve` does not say how many samples a bin holds.

    Parameters
    ----------
    probability : np.ndarray of shape (samples,)
    happened : np.ndarray of bool, shape (samples,)

    Returns
    -------
    pd.DataFrame
        Index: bin (``id``). Columns: samples, probability (mean), share (that happened), lower and
        upper (95 % Wilson interval of the share, samples taken as independent). Equal
        probabilities are never divided.
    """
    n_bins = int(np.clip(len(probability) // _SAMPLES_PER_BIN, 1, _MOST_BINS))
    edges = np.unique(np.quantile(probability, np.arange(1, n_bins) / n_bins))
    places = np.searchsorted(edges, probability, side="right")
    by_bin = pd.DataFrame({"probability": probability, "share": happened.astype(float)})
    table = by_bin.groupby(places).mean()
    table.insert(0, "samples", by_bin.groupby(places).size())
    counts = (table["share"] * table["samples"]).round().astype(int)
    ends = [
        binomtest(int(k), int(n)).proportion_ci(method="wilson")
        for k, n in zip(counts, table["samples"], strict=True)
    ]
    table["lower"], table["upper"] = [end.low for end in ends], [end.high for end in ends]
    table.index = pd.Index([f"bin {place}" for place in range(1, len(table) + 1)], name="id")
    return table


def calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between probability and share, bins weighted by their samples."""
    return float(np.average((bins["probability"] - bins["share"]).abs(), weights=bins["samples"]))
