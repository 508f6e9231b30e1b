"""Predicted and true classes joined by sample id, with their probabilities.

q2-sample-classifier's own reader takes a class called NA or nan for a missing value and turns
the classes 01 and 1.0 into the number 1. Here a class is text, whatever it looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import AAMError, counted, examples
from ..recognition import read_shares
from ..samples import (
    JoinedSamples,
    choose_evaluated_ids,
    count_evaluated,
    count_ids,
    name_groups,
    require_shared,
)

_SUM_TOLERANCE, _ROUNDING = 0.01, 1e-6


@dataclass(frozen=True)
class PredictedClasses(JoinedSamples):
    """Samples whose classes can be judged.

    Attributes
    ----------
    classes : list of str
        All that are true or predicted for a sample, in the order of tables and charts.
    probabilities, baseline_probabilities : np.ndarray of shape (samples, classes), or None
        A class that the model does not know has probability 0.
    """

    classes: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None
    baseline_probabilities: np.ndarray | None = None

    def codes(self, column: str) -> np.ndarray:
        """Return a column as places in `classes`; -1 where it is blank."""
        return pd.Index(self.classes).get_indexer(self.frame[column])

    def confidence(self, predictor: str = "predicted") -> np.ndarray:
        """Return the probability that a predictor gave to the class it predicted."""
        given = self.probabilities if predictor == "predicted" else self.baseline_probabilities
        chosen = np.maximum(self.codes(predictor), 0)
        return np.take_along_axis(given, chosen[:, None], axis=1)[:, 0]

    def of_actual(self) -> np.ndarray:
        """Return the probability given to the true class of each sample."""
        return np.take_along_axis(self.probabilities, self.codes("actual")[:, None], axis=1)[:, 0]


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

    Parameters
    ----------
    predictions : pd.Series of str
        Index: sample id; see `read_classes`.
    truth : pd.Series of str
        Named like its metadata column; blanks are NaN.
    probabilities : pd.DataFrame, optional
        Columns: classes; see `read_probabilities`.
    baseline_predictions, baseline_probabilities : optional
        The same of another classifier.
    groups : pd.Series, optional
        Categorical or numeric, named like its metadata column.
    recognition : pd.DataFrame, optional
        See `recognition.SHARES`.

    Raises
    ------
    AAMError
        If no predicted sample has a true value, the classes are others, or the probabilities lack
        a sample or a class that was predicted.
    """
    shown = choose_evaluated_ids(predictions, truth)
    frame = pd.DataFrame({"actual": truth[shown], "predicted": predictions[shown]}, dtype=object)
    frame.index.name = "id"
    _require_shared_classes(predictions, truth)
    frame["baseline"] = _baseline_column(baseline_predictions, baseline_probabilities, shown)
    frame["group"] = name_groups(groups, shown)
    found = set(frame["actual"]) | set(frame["predicted"]) | set(frame["baseline"].dropna())
    classes = sorted(found, key=_natural_order)
    warnings: list[str] = []
    own = _align(probabilities, frame["predicted"], classes, "the model", warnings)
    other = _align(baseline_probabilities, frame["baseline"], classes, "the baseline", warnings)
    counts = count_evaluated(predictions, truth, frame, groups)
    if baseline_predictions is not None:
        without = frame.index[frame["baseline"].isna()]
        counts.append(count_ids("evaluated samples without a baseline prediction", without))
    shares = read_shares(recognition, "The recognition")
    if shares is not None:
        require_shared(shares.index, "the recognition", shown)
    return PredictedClasses(
        frame,
        str(truth.name),
        None if groups is None else str(groups.name),
        counts,
        None if shares is None else shares.reindex(shown),
        warnings,
        tuple(classes),
        own,
        other,
    )


def _require_shared_classes(predictions: pd.Series, truth: pd.Series) -> None:
    true, predicted = truth.dropna().unique(), predictions.unique()
    if not set(true) & set(predicted):
        raise AAMError(
            f"No predicted class occurs in the metadata column {truth.name!r}.\n"
            f"  predicted: {counted(len(predicted), 'class', 'classes')}, such as "
            f"{examples(sorted(predicted))}\n"
            f"  in the column: {counted(len(true), 'class', 'classes')}, such as "
            f"{examples(sorted(true))}\n"
            "Name the column that the classifier was fitted on; the spelling must be the same."
        )


def _baseline_column(predictions, probabilities, shown: pd.Index):
    if predictions is None:
        if probabilities is not None:
            raise AAMError(
                "There are baseline probabilities but no baseline predictions. Give both, or "
                "neither."
            )
        return None
    require_shared(predictions.index, "the baseline predictions", shown)
    values = predictions.reindex(shown)
    return values.astype(object).where(values.notna(), None)


def _natural_order(name: str) -> tuple:
    """Sort as people do: week 2 before week 10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _align(
    probabilities: pd.DataFrame | None,
    predicted: pd.Series,
    classes: list[str],
    whose: str,
    warnings: list[str],
) -> np.ndarray | None:
    """Order probabilities like the samples and classes of a page, and check them.

    Returns
    -------
    np.ndarray of shape (samples, classes), or None
        0 for classes without a column, NaN for samples without a prediction.
    """
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
    chosen = values[np.arange(len(known)), probabilities.columns.get_indexer(known)]
    less = int((chosen < values.max(axis=1) - _ROUNDING).sum())
    if less:
        warnings.append(
            f"For {counted(less, 'sample')}, {whose} predicted another class than its most "
            "probable one: check that predictions and probabilities come from one run."
        )
    aligned = probabilities.reindex(columns=classes, fill_value=0.0).reindex(known.index)
    return aligned.reindex(predicted.index).to_numpy(float)


def read_classes(path: str | Path, name: str = "The predictions") -> pd.Series:
    """Read the class predicted for each sample.

    Parameters
    ----------
    path : str or Path
        Tab-separated, a header and two columns: sample id, class.
    name : str
        What the user calls it, at the start of a sentence.

    Returns
    -------
    pd.Series of str
        Index: sample id.

    Raises
    ------
    AAMError
        If the file is no such table, a sample comes twice or has no class.
    """
    cells = _read_cells(path, name)
    if cells.shape[1] != 2:
        raise AAMError(
            f"{name} have {counted(cells.shape[1], 'column')} and must have two, sample id and "
            "class. Give the predictions of a classifier."
        )
    ids = _distinct_ids(cells, name)
    classes = pd.Series(cells.iloc[1:, 1].str.strip().to_numpy(object), index=ids)
    blank = classes.index[classes == ""]
    if len(blank):
        raise AAMError(
            f"{name} have no class for {counted(len(blank), 'sample')}, such as "
            f"{examples(blank)}. Give the predictions of a classifier."
        )
    return classes


def read_probabilities(path: str | Path, name: str = "The probabilities") -> pd.DataFrame:
    """Read the probability of each class (columns) for each sample; see `read_classes`.

    Raises
    ------
    AAMError
        If the file is no such table, a sample or class comes twice, or the numbers of a sample
        are no probabilities that add up to 1.
    """
    cells = _read_cells(path, name)
    ids = _distinct_ids(cells, name)
    classes = cells.iloc[0, 1:].str.strip()
    twice = classes[classes.duplicated()].unique()
    if len(twice):
        raise AAMError(f"{name} have more than one column for the classes {examples(twice)}.")
    values = cells.iloc[1:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    with np.errstate(invalid="ignore"):
        inside = ((values >= 0) & (values <= 1)).all(axis=1)
        whole = np.abs(values.sum(axis=1) - 1) <= _SUM_TOLERANCE
    wrong = ids[~(inside & whole)]
    if len(wrong):
        raise AAMError(
            f"{name} are not numbers from 0 to 1 that add up to 1 for "
            f"{counted(len(wrong), 'sample')}: {examples(wrong)}. Give the probabilities of a "
            "classifier."
        )
    return pd.DataFrame(values, index=ids, columns=pd.Index(classes.tolist(), dtype=object))


def _read_cells(path: str | Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path, sep="\t", header=None, dtype=str, na_filter=False, encoding="utf-8-sig"
        )
    except ValueError as error:
        raise AAMError(f"{name} are no table of tab-separated columns: {error}") from error


def _distinct_ids(cells: pd.DataFrame, name: str) -> pd.Index:
    ids = pd.Index(cells.iloc[1:, 0].str.strip(), dtype=object)
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise AAMError(
            f"{name} hold {counted(len(twice), 'sample')} more than once: {examples(twice)}. "
            "Give one line for each sample."
        )
    return ids
