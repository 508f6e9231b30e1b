"""Predicted and true classes joined by sample id, and how good the predictions are.

q2-sample-classifier's own reader takes a class called NA or nan for a missing value and turns
the classes 01 and 1.0 into the number 1. Here a class is text, whatever it looks like.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from ..errors import AAMError, counted, examples
from . import metrics
from .evaluation import DUMMY, JoinedSamples, Scores, join_samples, require_shared
from .formatting import natural_order
from .recognition import read_shares

MOST_DETAILED = 50  # classes; of more there is no confusion matrix and no interval by class
_MOST_BINS, _SAMPLES_PER_BIN = 10, 12
_SUM_TOLERANCE, _ROUNDING = 0.01, 1e-6


@dataclass(frozen=True)
class PredictedClasses(JoinedSamples):
    """Samples whose classes can be judged; probabilities of unknown classes are 0."""

    classes: tuple[str, ...] = ()  # true or predicted ones, in the order of tables and charts
    probabilities: np.ndarray | None = None
    baseline_probabilities: np.ndarray | None = None

    def codes(self, column: str) -> np.ndarray:
        """Return a column as places in `classes`; -1 where it is blank."""
        return pd.Index(self.classes).get_indexer(self.frame[column])

    def probabilities_of(self, predictor: str) -> np.ndarray | None:
        """Return the probabilities of a predictor, ``predicted`` or ``baseline``."""
        return self.probabilities if predictor == "predicted" else self.baseline_probabilities

    def given_to(self, column: str, predictor: str = "predicted") -> np.ndarray:
        """Return the probability that a predictor gave to the class in a column."""
        return _take(self.probabilities_of(predictor), np.maximum(self.codes(column), 0))

    @property
    def n_numbers(self) -> int:
        """How many numbers a resample looks at for each sample."""
        has = self.probabilities is not None and len(self.classes) <= MOST_DETAILED
        return len(self.classes) if has else 1

    @property
    def positive_class(self) -> str | None:
        """The rarer of two classes, for which curves are drawn; None with more of them."""
        if len(self.classes) != 2:
            return None
        first, second = np.bincount(self.codes("actual"), minlength=2)
        return self.classes[0 if first < second else 1]


def _take(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return np.take_along_axis(probabilities, classes[:, None], axis=1)[:, 0]


def join_classes(
    predictions: pd.Series,
    truth: pd.Series,
    probabilities: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    baseline_probabilities: pd.DataFrame | None = None,
    groups: pd.Series | None = None,
    recognition: pd.DataFrame | None = None,
) -> PredictedClasses:
    """Join predicted classes with the true ones by sample id.

    Raises `AAMError` if no predicted sample has a true value, the classes are others, or the
    probabilities lack a sample or a class that was predicted.
    """
    if baseline_predictions is None and baseline_probabilities is not None:
        raise AAMError(
            "There are baseline probabilities but no baseline predictions. Give both, or neither."
        )
    joined = join_samples(predictions, truth, baseline_predictions, groups)
    frame, warnings = joined.frame, joined.warnings
    true, predicted = sorted(truth.dropna().unique()), sorted(predictions.unique())
    if not set(true) & set(predicted):
        raise AAMError(
            f"No predicted class occurs in the metadata column {truth.name!r}.\n"
            f"  predicted: {counted(len(predicted), 'class', 'classes')}, such as "
            f"{examples(predicted)}\n"
            f"  in the column: {counted(len(true), 'class', 'classes')}, such as {examples(true)}\n"
            "Name the column that the classifier was fitted on; the spelling must be the same."
        )
    found = set(frame["actual"]) | set(frame["predicted"]) | set(frame["baseline"].dropna())
    classes = sorted(found, key=natural_order)
    own = _align(probabilities, frame["predicted"], classes, "the model", warnings)
    other = _align(baseline_probabilities, frame["baseline"], classes, "the baseline", warnings)
    if recognition is not None:
        require_shared(recognition.index, "the recognition", frame.index)
    shares = read_shares(recognition, "The recognition", frame.index)
    fields = vars(joined) | {"recognition": shares, "classes": tuple(classes)}
    return PredictedClasses(**fields, probabilities=own, baseline_probabilities=other)


def _align(probabilities, predicted: pd.Series, classes: list[str], whose: str, warnings: list):
    """Check probabilities and order them like the page (samples, classes); NaN if not predicted."""
    if probabilities is None:
        return None
    known = predicted.dropna()
    require_shared(probabilities.index, f"the probabilities of {whose}", known.index)
    missing = known.index.difference(probabilities.index, sort=False)
    if len(missing):
        raise AAMError(
            f"The probabilities of {whose} lack {counted(len(missing), 'evaluated sample')}, such "
            f"as {examples(missing)}. Give the probabilities that came with the predictions."
        )
    unknown = sorted(set(known) - set(probabilities.columns))
    if unknown:
        raise AAMError(
            f"The probabilities of {whose} have no column for "
            f"{counted(len(unknown), 'class', 'classes')} that it predicted: {examples(unknown)}.\n"
            f"Their columns are {examples(probabilities.columns)}. Give the probabilities that "
            "came with the predictions."
        )
    new = [name for name in classes if name not in probabilities.columns]
    if new:
        warnings.append(
            f"{whose.capitalize()} does not know {counted(len(new), 'class', 'classes')} of the "
            f"samples shown here: {examples(new)}. It cannot predict them; they count all the same."
        )
    values = probabilities.loc[known.index].to_numpy(float)
    chosen = _take(values, probabilities.columns.get_indexer(known))
    less = int((chosen < values.max(axis=1) - _ROUNDING).sum())
    if less:
        warnings.append(
            f"For {counted(less, 'sample')}, {whose} predicted another class than its most "
            "probable one: check that predictions and probabilities come from one run."
        )
    aligned = probabilities.reindex(columns=classes, fill_value=0.0).reindex(known.index)
    return aligned.reindex(predicted.index).to_numpy(float)


def read_classes(path: str | Path, name: str = "The predictions") -> pd.Series:
    """Read the class predicted for each sample id, of predictions that the user calls by the name.

    Raises `AAMError` if the file is no such table, a sample comes twice or has no class.
    """
    header, cells = _read_table(path, name)
    if len(header) != 1:
        raise AAMError(
            f"{name} have {counted(len(header) + 1, 'column')} and must have two, sample id and "
            "class. Give the predictions of a classifier."
        )
    classes = cells.iloc[:, 0].str.strip().astype(object)
    blank = classes.index[classes == ""]
    if len(blank):
        raise AAMError(
            f"{name} have no class for {counted(len(blank), 'sample')}, such as "
            f"{examples(blank)}. Give the predictions of a classifier."
        )
    return classes


def read_probabilities(path: str | Path, name: str = "The probabilities") -> pd.DataFrame:
    """Read the probability of each class (columns) for each sample.

    Raises `AAMError` if the file is no such table, a sample or class comes twice, or the numbers
    of a sample are no probabilities that add up to 1.
    """
    classes, cells = _read_table(path, name)
    twice = classes[classes.duplicated()].unique()
    if len(twice):
        raise AAMError(f"{name} have more than one column for the classes {examples(twice)}.")
    values = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    with np.errstate(invalid="ignore"):
        inside = ((values >= 0) & (values <= 1)).all(axis=1)
        whole = np.abs(values.sum(axis=1) - 1) <= _SUM_TOLERANCE
    wrong = cells.index[~(inside & whole)]
    if len(wrong):
        raise AAMError(
            f"{name} are not numbers from 0 to 1 that add up to 1 for "
            f"{counted(len(wrong), 'sample')}: {examples(wrong)}. Give the probabilities of a "
            "classifier."
        )
    return pd.DataFrame(values, index=cells.index, columns=classes)


def _read_table(path: str | Path, name: str) -> tuple[pd.Index, pd.DataFrame]:
    """Return the columns and, as text by sample id, the cells of a table."""
    try:
        cells = pd.read_csv(
            path, sep="\t", header=None, dtype=str, na_filter=False, encoding="utf-8-sig"
        )
    except ValueError as error:
        raise AAMError(f"{name} are no table of tab-separated columns: {error}") from error
    header, ids = (pd.Index(one.str.strip(), dtype=object) for one in (cells.iloc[0, 1:], cells[0]))
    cells = cells.iloc[1:, 1:].set_axis(ids[1:])
    twice = cells.index[cells.index.duplicated()].unique()
    if len(twice):
        raise AAMError(
            f"{name} hold {counted(len(twice), 'sample')} more than once: {examples(twice)}. "
            "Give one line for each sample."
        )
    return header, cells


@dataclass(frozen=True)
class ClassifierScores(metrics.ScoreRow):
    """The scores of one predictor, and for each class those of `CLASS_METRICS`."""

    by_class: list[dict[str, metrics.Estimate]]
    n_actual: np.ndarray  # (classes,)
    n_predicted: np.ndarray  # (classes,)


def score_classification(
    samples: PredictedClasses,
    names: dict[str, str],
    training_counts: Mapping[str, float] | None = None,
) -> Scores:
    """Score predictions, baseline and dummy with bootstrap intervals.

    The dummy predicts the class with the most training samples, where their counts are known, else
    the most frequent class of the evaluated samples, which is a harder rival.
    """
    actual, of_which = samples.codes("actual"), "of the training samples"
    frequency = np.array([(training_counts or {}).get(name, 0) for name in samples.classes])
    if not frequency.any():
        frequency = np.bincount(actual[samples.common], minlength=len(samples.classes))
        of_which = "of the samples shown here"
    dummy, tied = int(frequency.argmax()), (frequency == frequency.max()).sum() > 1
    dummy_is = "one of the most frequent classes" if tied else "the most frequent class"
    predicted = {
        key: (samples.codes(column), samples.probabilities_of(column))
        for key, column in samples.predictors.items()
    }
    predicted[DUMMY] = np.full(len(actual), dummy), None
    names = {**names, DUMMY: f"dummy (always '{samples.classes[dummy]}')"}
    score_together = partial(_score_together, samples)
    rows, differences = samples.score(names, predicted, score_together)
    return Scores(rows, differences, samples.classes[dummy], f"{dummy_is} {of_which}")


def _score_together(samples: PredictedClasses, predicted: dict, names: dict, chosen: np.ndarray):
    """Score classes and probabilities (or None) of predictors, the first compared with the rest."""
    actual, n_classes = samples.codes("actual")[chosen], len(samples.classes)
    groups, detailed = samples.group_codes[chosen], n_classes <= MOST_DETAILED
    of_each = [
        (classes[chosen], None if probabilities is None else probabilities[chosen])
        for classes, probabilities in predicted.values()
    ]

    def statistics(rows):
        given = [(classes[rows], None if p is None else p[rows]) for classes, p in of_each]
        overall, by_class = _all_scores(actual[rows], given, n_classes, detailed)
        parts = [overall, overall[0] - overall[1:], *([by_class] if detailed else [])]
        return np.concatenate([part.ravel() for part in parts])

    scores = iter(metrics.bootstrap(statistics, groups, samples.n_numbers))
    overall = [_named(scores, metrics.OVERALL_METRICS) for _ in predicted]
    differences = [_named(scores, metrics.OVERALL_METRICS) for _ in of_each[1:]]
    if not detailed:  # no intervals by class, and none of areas
        known, by_class = _all_scores(actual, of_each, n_classes, True)
        for row, values in zip(overall, known, strict=True):
            for metric, value in zip(metrics.OVERALL_METRICS, values.tolist(), strict=True):
                row[metric.name] = metrics.Estimate(value) if metric.is_area else row[metric.name]
        scores = map(metrics.Estimate, by_class.ravel().tolist())
    rows = {}
    for key, estimates, (classes, _) in zip(predicted, overall, of_each, strict=True):
        by_class = [_named(scores, metrics.CLASS_METRICS) for _ in range(n_classes)]
        counts = (np.bincount(codes, minlength=n_classes) for codes in (actual, classes))
        rows[key] = ClassifierScores(key, names[key], len(actual), estimates, by_class, *counts)
    return rows, dict(zip(list(predicted)[1:], differences, strict=True))


def _named(scores: Iterator[metrics.Estimate], wanted) -> dict[str, metrics.Estimate]:
    return {metric.name: next(scores) for metric in wanted}


def _all_scores(actual: np.ndarray, of_each: list, n_classes: int, with_areas: bool):
    """Return scores of predictors, the dummy last, each of classes and probabilities (or None).

    Of shape (predictors, overall metrics) and (predictors, classes, class metrics).
    """
    right = [float((predicted == actual).mean()) for predicted, _ in of_each]
    is_class = actual[:, None] == np.arange(n_classes)
    overall, by_class = [], []
    for (predicted, probabilities), accuracy in zip(of_each, right, strict=True):
        areas, micro = np.full(n_classes, np.nan), np.nan
        if probabilities is not None and with_areas:
            areas = metrics.area_under_roc(is_class, probabilities)
            micro = metrics.area_under_roc(is_class.reshape(-1, 1), probabilities.reshape(-1, 1))[0]
        of_classes = np.vstack([metrics.score_classes(actual, predicted, n_classes), areas])
        by_class.append(of_classes.T)
        # averages over the classes where a score is defined
        known = [values[np.isfinite(values)] for values in of_classes[1:]]
        means = [values.mean() if len(values) else np.nan for values in known]
        ratio = accuracy / right[-1] if right[-1] else np.nan
        overall.append([accuracy, ratio, *means, micro])
    return np.array(overall), np.array(by_class)


def tabulate_confusion(samples: PredictedClasses, predictor: str = "predicted") -> pd.DataFrame:
    """Count how often samples of each class were predicted as each class.

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


def tabulate_calibration(samples: PredictedClasses, names: dict[str, str]) -> pd.DataFrame:
    """Return `calibration_bins` of the model and the baseline, with a column ``predictor``.

    Of two classes for the probability of the rarer one, else of the class that was predicted.
    """
    actual, positive, tables = samples.codes("actual"), samples.positive_class, []
    for key, predictor in samples.predictors.items():
        given, codes, name = (
            samples.probabilities_of(predictor),
            samples.codes(predictor),
            names[key],
        )
        if given is None:
            continue
        if positive is None:
            probability, happened = samples.given_to(predictor, predictor), codes == actual
        else:
            place = samples.classes.index(positive)
            probability, happened = given[:, place], actual == place
        table = calibration_bins(probability[codes >= 0], happened[codes >= 0])
        table.index = pd.Index([f"{name}: {bin}" for bin in table.index], name="id")
        table.insert(0, "predictor", name)
        tables.append(table)
    return pd.concat(tables)


def calibration_bins(probability: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Compare probabilities with how often things happened, in bins of equally many samples.

    scikit-learn's `calibration_curve` does not say how many samples a bin holds. Columns: samples,
    probability (mean), share (that happened), lower and upper (95 % Wilson interval of the share,
    samples taken as independent). Equal probabilities are never divided.
    """
    n_bins = int(np.clip(len(probability) // _SAMPLES_PER_BIN, 1, _MOST_BINS))
    edges = np.unique(np.quantile(probability, np.arange(1, n_bins) / n_bins))
    places = np.searchsorted(edges, probability, side="right")
    values = pd.DataFrame({"probability": probability, "share": happened.astype(float)})
    by_bin = values.groupby(places)
    table, sizes = by_bin.mean(), by_bin.size()
    table.insert(0, "samples", sizes)
    counts = zip(by_bin["share"].sum().astype(int), sizes, strict=True)
    ends = [binomtest(int(k), int(n)).proportion_ci(method="wilson") for k, n in counts]
    table[["lower", "upper"]] = [(end.low, end.high) for end in ends]
    table.index = pd.Index([f"bin {place + 1}" for place in range(len(table))], name="id")
    return table


def calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between probability and share, bins weighted by their samples."""
    return float(np.average((bins["probability"] - bins["share"]).abs(), weights=bins["samples"]))
