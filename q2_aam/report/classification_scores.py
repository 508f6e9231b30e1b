"""Predicted and true classes joined by sample id, and how good the predictions are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from ..errors import AAMError, counted, examples
from . import metrics
from .evaluation import DUMMY, JoinedSamples, Scores, join_samples, require_shared
from .formatting import natural_order, words
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
    measured = metrics.OVERALL_METRICS

    def codes(self, column: str) -> np.ndarray:
        """Return a column as places in `classes`; -1 where it is blank."""
        return pd.Index(self.classes).get_indexer(self.frame[column])

    @cached_property
    def actual(self) -> np.ndarray:
        """The true classes as places in `classes`."""
        return self.codes("actual")

    def count(self, column: str) -> np.ndarray:
        """Count the samples that all predictors have predicted, by their class in a column."""
        return np.bincount(self.codes(column)[self.common], minlength=len(self.classes))

    def measure(self, predicted: list, rows: np.ndarray, resampled: bool) -> np.ndarray:
        """Score predictors, each of codes and probabilities (or None), the dummy last."""
        actual, n_classes = self.actual[rows], len(self.classes)
        is_class = actual[:, None] == np.arange(n_classes)
        detailed = not resampled or n_classes <= MOST_DETAILED  # else no interval by class
        dummy_accuracy, found = (predicted[-1][0][rows] == actual).mean() or np.nan, []
        for codes, probabilities in predicted:
            codes, areas, micro = codes[rows], np.full(n_classes, np.nan), np.nan
            if probabilities is not None and detailed:
                given = probabilities[rows]
                areas = metrics.area_under_roc(is_class, given)
                micro = metrics.area_under_roc(is_class.reshape(-1, 1), given.reshape(-1, 1))[0]
            by_class = np.vstack([metrics.score_classes(actual, codes, n_classes), areas]).T
            # averages over the classes where a score is defined
            known = np.isfinite(by_class[:, 1:]).sum(axis=0)
            means, accuracy = np.nansum(by_class[:, 1:], axis=0) / known, (codes == actual).mean()
            by_class = by_class if detailed else np.full_like(by_class, np.nan)
            overall = [accuracy, accuracy / dummy_accuracy, *means, micro]
            found.append([*overall, *by_class.ravel()])
        return np.array(found)

    def probabilities_of(self, predictor: str) -> np.ndarray | None:
        """Return the probabilities of a predictor, ``predicted`` or ``baseline``."""
        return self.probabilities if predictor == "predicted" else self.baseline_probabilities

    def given_to(self, column: str, predictor: str = "predicted") -> np.ndarray:
        """Return the probability that a predictor gave to the class in a column."""
        places = np.arange(len(self.frame)), np.maximum(self.codes(column), 0)
        return self.probabilities_of(predictor)[places]

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
        first, second = np.bincount(self.actual, minlength=2)
        return self.classes[0 if first < second else 1]


def join_classes(
    predictions: pd.Series, truth: pd.Series, probabilities: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    baseline_probabilities: pd.DataFrame | None = None, groups: pd.Series | None = None,
    recognition: pd.DataFrame | None = None,
) -> PredictedClasses:  # fmt: skip
    """Join predicted classes with the true ones by sample id; `AAMError` if they do not fit."""
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
        number, who = counted(len(new), "class", "classes"), whose.capitalize()
        warnings.append(words("notes", "new_classes", who=who, classes=number, new=examples(new)))
    values = probabilities.loc[known.index].to_numpy(float)
    chosen = values[np.arange(len(known)), probabilities.columns.get_indexer(known)]
    less = int((chosen < values.max(axis=1) - _ROUNDING).sum())
    if less:
        warnings.append(words("notes", "other_run", samples=counted(less, "sample"), who=whose))
    aligned = probabilities.reindex(columns=classes, fill_value=0.0).reindex(known.index)
    return aligned.reindex(predicted.index).to_numpy(float)


def read_classes(path: str | Path, name: str = "The predictions") -> pd.Series:
    """Read the class of each sample id; an `AAMError` calls a table that is none by the name."""
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
    """Read the probability of each class (columns) for each sample id, as `read_classes` does."""
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
    """Return the columns and, by sample id, the cells of a table, all as text: q2-sample-classifier
    takes a class called NA as missing, and reads 01 and 1.0 as 1.
    """
    text = {"sep": "\t", "dtype": str, "na_filter": False, "encoding": "utf-8-sig"}
    try:
        cells = pd.read_csv(path, header=None, **text)
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


def score_classification(
    samples: PredictedClasses, names: dict, training_counts: Mapping[str, float] | None = None
) -> Scores:
    """Score model, baseline and a dummy that predicts the class with the most training samples or,
    a harder rival, if their counts are not known, the most frequent of the evaluated ones.
    """
    of_which = "of the training samples"
    frequency = np.array([(training_counts or {}).get(name, 0) for name in samples.classes])
    if not frequency.any():
        frequency, of_which = samples.count("actual"), "of the samples shown here"
    dummy, tied = int(frequency.argmax()), (frequency == frequency.max()).sum() > 1
    dummy_is = "one of the most frequent classes" if tied else "the most frequent class"
    predicted = {
        key: (samples.codes(column), samples.probabilities_of(column))
        for key, column in samples.predictors.items()
    }
    predicted[DUMMY] = np.full(len(samples.frame), dummy), None
    names = {**names, DUMMY: f"dummy (always '{samples.classes[dummy]}')"}
    rows, differences = samples.score(names, predicted)
    return Scores(rows, differences, samples.classes[dummy], f"{dummy_is} {of_which}")


def tabulate_confusion(samples: PredictedClasses, predictor: str = "predicted") -> pd.DataFrame:
    """Count samples of each pair of classes, if there are more than `MOST_DETAILED` of pairs that
    occur: actual, predicted, samples, share_of_actual (NaN for a class without samples).
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
    """Return `calibration_bins` of every predictor: of two classes for the probability of the rarer
    one, else of the class that was predicted.
    """
    actual, positive, tables = samples.actual, samples.positive_class, []
    for key, predictor in samples.predictors.items():
        given, codes = samples.probabilities_of(predictor), samples.codes(predictor)
        if given is None:
            continue
        probability, happened = samples.given_to(predictor, predictor), codes == actual
        if positive is not None:
            place = samples.classes.index(positive)
            probability, happened = given[:, place], actual == place
        table = calibration_bins(probability[codes >= 0], happened[codes >= 0])
        table.index = pd.Index([f"{names[key]}: {bin}" for bin in table.index], name="id")
        table.insert(0, "predictor", names[key])
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
    table, counts = by_bin.mean(), by_bin["share"].agg(["sum", "size"]).astype(int)
    table.insert(0, "samples", counts["size"])
    ends = [binomtest(*pair).proportion_ci(method="wilson") for pair in counts.to_numpy().tolist()]
    table[["lower", "upper"]] = [(end.low, end.high) for end in ends]
    table.index = pd.Index([f"bin {place + 1}" for place in range(len(table))], name="id")
    return table


def calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between probability and share, bins weighted by their samples."""
    return float(np.average((bins["probability"] - bins["share"]).abs(), weights=bins["samples"]))
