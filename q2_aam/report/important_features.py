"""The features that a model's predictions rest on, with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..data.sequences import is_dna
from ..errors import AAMError, counted, examples, no_shared_ids

MOST_LISTED = 100
RAISES, LOWERS = "raises", "lowers"


@dataclass(frozen=True)
class ImportantFeatures:
    """Features by importance.

    Attributes
    ----------
    frame : pd.DataFrame
        Index: feature id, the most important first, at most `MOST_LISTED`. Columns: rank,
        importance, share (of the importance of all features), effect (what the feature does to
        predictions), taxon and sequence (None where unknown).
    n_features : int
        How many the importance tells of.
    effects : list of str
        The words that occur as effects, in the order of a legend; empty if nothing is known.
    of_classes : bool
        Whether effects are on classes.
    """

    frame: pd.DataFrame
    n_features: int
    effects: list[str]
    of_classes: bool

    @property
    def has_sequences(self) -> bool:
        """Whether the DNA of any feature is known."""
        return bool(self.frame["sequence"].notna().any())

    @property
    def has_taxa(self) -> bool:
        """Whether the taxon of any feature is known."""
        return bool(self.frame["taxon"].notna().any())


def join_important_features(
    importance: pd.DataFrame,
    sequences: Mapping[str, str] | None = None,
    taxa: Mapping[str, str] | None = None,
) -> ImportantFeatures:
    """Rank features and look up what is known of them.

    Parameters
    ----------
    importance : pd.DataFrame
        Index: feature id. From feature-importance, or of another method of q2-sample-classifier:
        then the column ``importance``, or else the sum of all columns, ranks.
    sequences, taxa : mapping of str to str, optional
        By feature id. An id that is DNA needs no sequence.

    Returns
    -------
    ImportantFeatures

    Raises
    ------
    AAMError
        If there is no feature, a value is no finite number, or sequences or taxa are of other
        features.
    """
    _require_finite(importance)
    for name, known in (("the sequences", sequences), ("the taxonomy", taxa)):
        if known is not None and not set(known) & set(importance.index):
            raise no_shared_ids("the importance", list(importance.index), name, list(known))
    ranks = importance["importance"] if "importance" in importance else importance.sum(axis=1)
    ranks = ranks.sort_values(ascending=False, kind="stable")
    shown = ranks.index[:MOST_LISTED]
    of_features = importance.loc[shown]
    effect, effects, of_classes = _name_effects(of_features)
    total = float(ranks.sum())
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(shown) + 1),
            "importance": ranks[shown],
            "share": ranks[shown] / total if total > 0 else np.nan,
            "effect": effect,
            "taxon": [(taxa or {}).get(name) for name in shown],
            "sequence": [_sequence(name, sequences or {}) for name in shown],
        },
        index=pd.Index(shown, name="id"),
    )
    return ImportantFeatures(frame, len(importance), effects, of_classes)


def _require_finite(importance: pd.DataFrame) -> None:
    if importance.empty:
        raise AAMError("The importance holds no feature. Give that of feature-importance.")
    wrong = importance.index[~np.isfinite(importance.to_numpy(float)).all(axis=1)]
    if len(wrong):
        raise AAMError(
            f"{counted(len(wrong), 'feature')} of {len(importance):,} have an importance that is "
            f"no finite number: {examples(wrong)}. Compute it anew with feature-importance."
        )


def _sequence(name: str, sequences: Mapping[str, str]) -> str | None:
    if name in sequences:
        return str(sequences[name])
    return name.upper() if is_dna(name) else None


def _name_effects(importance: pd.DataFrame) -> tuple[list, list[str], bool]:
    """Say what each feature does: to a number, or to the class that it moves most."""
    if {RAISES, LOWERS} <= set(importance):
        raised = importance[RAISES] >= importance[LOWERS]
        return [RAISES if up else LOWERS for up in raised], [RAISES, LOWERS], False
    classes = [
        name.removeprefix(f"{RAISES} ") for name in importance if name.startswith(f"{RAISES} ")
    ]
    if not classes or any(f"{LOWERS} {name}" not in importance for name in classes):
        return [None] * len(importance), [], False
    moved = np.stack(
        [
            (importance[f"{RAISES} {name}"] - importance[f"{LOWERS} {name}"]).to_numpy(float)
            for name in classes
        ]
    )
    # of two classes what one gains the other loses: naming what is gained is enough
    return [classes[place] for place in moved.argmax(axis=0)], classes, True
