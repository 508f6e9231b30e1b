"""Predicted classes and what belongs to them, joined by sample id, with what was left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples, no_shared_ids
from .aligned_probabilities import align_probabilities
from .sample_counts import SampleCount, choose_evaluated_ids, count_evaluated, count_ids
from .sample_groups import NO_GROUP, code_groups, count_groups, name_groups

MOST_CLASSES = 50
NOT_PREDICTED = -1


@dataclass(frozen=True)
class ClassifiedSamples:
    """The samples that can be judged.

    Attributes
    ----------
    frame : pd.DataFrame
        Index: sample id. Columns: actual, predicted, baseline (None without) and group (text, or
        None without groups).
    classes : list of str
        All that are true or predicted for a sample, in the order of tables and charts.
    probabilities, baseline_probabilities : np.ndarray of shape (samples, classes), or None
        A class that the model does not know has probability 0.
    target, group_name : str
        Names of the metadata columns; group_name is None without groups.
    counts : list of SampleCount
    notes : list of str
        What a reader should be warned of.
    """

    frame: pd.DataFrame
    classes: list[str]
    probabilities: np.ndarray | None
    baseline_probabilities: np.ndarray | None
    target: str
    group_name: str | None
    counts: list[SampleCount]
    notes: list[str]

    @property
    def group_codes(self) -> np.ndarray | None:
        """One whole number per group; None if there are none, or too few to be drawn."""
        return None if self.group_name is None else code_groups(self.frame["group"])

    @property
    def n_groups(self) -> int:
        """How many groups there are, not counting samples without one."""
        return count_groups(self.frame["group"])

    @property
    def has_baseline(self) -> bool:
        """Whether any sample has a baseline prediction."""
        return bool(self.frame["baseline"].notna().any())

    def codes(self, column: str) -> np.ndarray:
        """Return a column as places in `classes`; `NOT_PREDICTED` where it is blank."""
        return pd.Index(self.classes).get_indexer(self.frame[column])

    def confidence(self, predictor: str = "predicted") -> np.ndarray:
        """Return the probability that a predictor gave to the class it predicted."""
        given = self.probabilities if predictor == "predicted" else self.baseline_probabilities
        chosen = np.maximum(self.codes(predictor), 0)
        return np.take_along_axis(given, chosen[:, None], axis=1)[:, 0]


def join_classified_samples(
    predictions: pd.Series,
    truth: pd.Series,
    probabilities: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None,
    baseline_probabilities: pd.DataFrame | None = None,
    groups: pd.Series | None = None,
) -> ClassifiedSamples:
    """Join predicted classes with the true ones by sample id.

    Parameters
    ----------
    predictions : pd.Series of str
        Index: sample id; see `read_predicted_classes`.
    truth : pd.Series of str
        Named like its metadata column; blanks are NaN.
    probabilities : pd.DataFrame, optional
        Columns: classes; see `read_probabilities`.
    baseline_predictions, baseline_probabilities : optional
        The same of another classifier.
    groups : pd.Series, optional
        Categorical or numeric, named like its metadata column.

    Returns
    -------
    ClassifiedSamples

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
    frame["group"] = None if groups is None else name_groups(groups, shown)
    classes = _ordered_classes(frame, str(truth.name))
    notes: list[str] = []
    own = align_probabilities(probabilities, frame["predicted"], classes, "the model", notes)
    other = align_probabilities(
        baseline_probabilities, frame["baseline"], classes, "the baseline", notes
    )
    counts = count_evaluated(predictions, truth, shown)
    if baseline_predictions is not None:
        without = frame.index[frame["baseline"].isna()]
        counts.append(count_ids("evaluated samples without a baseline prediction", without))
    if groups is not None:
        without = frame.index[frame["group"] == NO_GROUP]
        counts.append(count_ids(f"evaluated samples without a value in '{groups.name}'", without))
    group_name = None if groups is None else str(groups.name)
    return ClassifiedSamples(frame, classes, own, other, str(truth.name), group_name, counts, notes)


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
    if not predictions.index.intersection(shown).size:
        raise no_shared_ids(
            "the baseline predictions",
            list(predictions.index),
            "the evaluated samples",
            list(shown),
        )
    values = predictions.reindex(shown)
    return values.astype(object).where(values.notna(), None)


def _ordered_classes(frame: pd.DataFrame, target: str) -> list[str]:
    found = set(frame["actual"]) | set(frame["predicted"]) | set(frame["baseline"].dropna())
    if len(found) > MOST_CLASSES:
        raise AAMError(
            f"The metadata column {target!r} and the predictions have {len(found):,} classes, such "
            f"as {examples(sorted(found))}; at most {MOST_CLASSES} can be shown. Name a column "
            "with fewer classes."
        )
    return sorted(found, key=_natural_order)


def _natural_order(name: str) -> tuple:
    """Sort as people do: week 2 before week 10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name
