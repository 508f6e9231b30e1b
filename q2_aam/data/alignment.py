"""Tables, matrices and metadata brought together by sample id, whatever their order."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.target import MOST_CLASSES
from ..errors import AAMError, counted, examples, likely_cause, no_shared_ids, verb
from .distances import Distances
from .table import SampleTable

FEWEST_SAMPLES = 10
FEWEST_OF_A_CLASS = 3
# what pandas, and so other plugins, read back from a file as a missing value
_READ_AS_MISSING = {
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
# what QIIME 2 takes for the header of ids, the first seven in any case
_ID_HEADERS = {
    "id", "sampleid", "sample id", "sample-id", "featureid", "feature id", "feature-id",
    "#SampleID", "#Sample ID", "#OTUID", "#OTU ID", "sample_name",
}  # fmt: skip
_CONTROL = re.compile("[\x00-\x1f\x7f]")
LARGEST_NUMBER = 1e30  # of a target: statistics of larger ones are not finite


class Labels(NamedTuple):
    """Values by sample id, sorted, without blanks; and the ids that have none, by reason."""

    values: pd.Series
    dropped: dict[str, list[str]]


def match_samples(
    wanted: tuple[str, ...], known, name: str, missing_samples: str
) -> tuple[list[str], list[str]]:
    """Divide a table's samples into those that another input, called `name`, knows, and others.

    AAMError if none is shared, or some are missing and `missing_samples` is ``error``.
    """
    known = set(known)
    shared = [sample for sample in wanted if sample in known]
    missing = [sample for sample in wanted if sample not in known]
    if not shared:
        raise no_shared_ids("The table", wanted, name, sorted(known))
    if missing and missing_samples == "error":
        hint = likely_cause(missing, known - set(shared))
        raise AAMError(
            f"{counted(len(missing), 'sample')} of {len(wanted):,} in the table "
            f"{verb(len(missing), 'are')} not in {name}, such as {examples(missing)}.\n"
            + (f"{hint}\nElse set" if hint else "Set")
            + f" 'missing_samples' to 'ignore' to leave them out, or complete {name}."
        )
    return shared, missing


def require_enough(number: int, what: str) -> None:
    """Refuse to learn from fewer than `FEWEST_SAMPLES` samples."""
    if number < FEWEST_SAMPLES:
        raise AAMError(
            f"Only {counted(number, 'sample')} can be used for {what}, but at least "
            f"{FEWEST_SAMPLES} are needed. Check the ids and the filtering of the table and "
            "the metadata."
        )


def require_variation(values: np.ndarray, name: str, what: str) -> None:
    """Refuse a target that is the same everywhere; `what` says whose values these are."""
    if (values == values[0]).all():
        by_chance = what == "training samples"
        remedy = ", or another 'random_seed' to train on others" if by_chance else ""
        raise AAMError(
            f"All {len(values):,} {what} have the same '{name}' ({values[0]:g}): there is nothing "
            f"to learn. Choose another column{remedy}."
        )


def with_distances(
    table: SampleTable, ids: list[str], matrix: np.ndarray, name: str, missing_samples: str
) -> tuple[SampleTable, Distances, list[str]]:
    """Find a table's samples in a matrix: those it knows, their distances, and the other ids."""
    shared, missing = match_samples(table.sample_ids, ids, name, missing_samples)
    kept = table.select(shared) if missing else table
    row_of = {sample: row for row, sample in enumerate(ids)}
    rows = np.array([row_of[sample] for sample in kept.sample_ids], dtype=np.int64)
    return kept, Distances(matrix, rows), missing


def numeric_labels(table: SampleTable, column: pd.Series, missing_samples: str) -> Labels:
    """Find each sample's number in a metadata column, whose blanks are NaN.

    AAMError if a value is infinite or all but infinite.
    """
    labels = labels_of(table, column, missing_samples, np.float64)
    values = labels.values
    infinite = values.index[np.abs(values) > LARGEST_NUMBER]
    if len(infinite):
        raise AAMError(
            f"{counted(len(infinite), 'sample')} {verb(len(infinite), 'have')} an infinite "
            f"'{column.name}', or one beyond {LARGEST_NUMBER:g}: {examples(infinite)}. Correct the "
            "metadata, or leave the cells blank."
        )
    return labels


def require_classes(values: pd.Series, name: str) -> None:
    """Refuse classes, of the usable samples, that cannot be learned, or written as QIIME 2 does.

    AAMError if fewer than 10 samples are left, there are fewer than two classes or more than 1,024,
    or a class has fewer than 3 samples or a name that files or QIIME 2 read as something else.
    """
    require_enough(len(values), f"learning '{name}'")
    counts = values.value_counts()
    _refuse_names(sorted(counts.index), name)
    if len(counts) < 2:
        raise AAMError(
            f"All {counted(len(values), 'sample')} that can be used have the same '{name}' "
            f"({examples(counts.index)}): there is nothing to learn. Choose another column."
        )
    if len(counts) > MOST_CLASSES:
        raise AAMError(
            f"'{name}' has {len(counts):,} classes, but at most {MOST_CLASSES:,} can be learned. "
            "Choose another column, or join classes."
        )
    few = sorted(counts.index[counts < FEWEST_OF_A_CLASS])
    if few:
        named = examples([f"{one}: {counted(counts[one], 'sample')}" for one in few])
        raise AAMError(
            f"'{name}' has {counted(len(few), 'class', 'classes')} with fewer than "
            f"{FEWEST_OF_A_CLASS} samples that can be used, too few to learn and to validate: "
            f"{named}.\nJoin them with other classes, or blank their cells to leave these samples "
            "out."
        )


def _refuse_names(classes: list[str], name: str) -> None:
    refused = {
        "are read back from files as missing values": _READ_AS_MISSING.__contains__,
        "QIIME 2 keeps for the column of ids": lambda one: {one, one.lower()} & _ID_HEADERS,
        "hold tabs, line ends or other control characters": _CONTROL.search,
    }
    for why, holds in refused.items():
        found = [one for one in classes if holds(one)]
        if found:
            # control characters as Python writes them, so that the message keeps to its lines
            shown = [
                one.encode("unicode_escape").decode() if _CONTROL.search(one) else one
                for one in found
            ]
            raise AAMError(
                f"'{name}' has classes with names that {why}: {examples(shown)}. "
                "Rename them (for example 'not applicable'), or leave the cells blank to leave "
                "these samples out."
            )


def group_labels(table: SampleTable, column: pd.Series, missing_samples: str) -> Labels:
    """Find each sample's group (subject, site, cage) in a metadata column of text or numbers."""

    def name_of(value: str | float) -> str:
        # as people write numbers, with all of their digits: 1234567.0 as 1234567
        number = isinstance(value, float)
        return np.format_float_positional(value, trim="-") if number else value

    labels = labels_of(table, column.map(name_of, na_action="ignore"), missing_samples, str)
    names = labels.values.unique()
    if len(names) < 2:
        raise AAMError(
            f"The groups column '{column.name}' has one group only ({examples(names)}), so that "
            "none can be held out. Choose another column or leave 'groups' out."
        )
    return labels


def labels_of(table: SampleTable, column: pd.Series, missing_samples: str, kind: type) -> Labels:
    """Find each sample's value in a metadata column; samples without one are dropped."""
    name = f"the metadata column '{column.name}'"
    shared, missing = match_samples(table.sample_ids, column.index, name, missing_samples)
    values = column.loc[shared]
    blank = sorted(values.index[values.isna()])
    dropped = {f"not in {name}": missing, f"blank in {name}": blank}
    present = values.dropna().astype(kind)
    return Labels(present, {reason: ids for reason, ids in dropped.items() if ids})
