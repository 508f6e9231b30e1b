"""Predictions joined with what belongs to them by sample id, and a count of what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples, no_shared_ids
from ..storage.training_log import SAMPLES_USED_FOR_TRAINING
from .formatting import format_count, format_fraction, join_words
from .metrics import count_resamples
from .page import Cell, Column, Download, Section, Subtitle, Table
from .style import short
from .words import words

MODEL, BASELINE, DUMMY = "model", "baseline", "dummy"
ALL_SAMPLES = "model on all samples"
NO_GROUP = "(no group)"
FEWEST_GROUPS_TO_DRAW = 8  # resampling two or three groups gives absurdly narrow intervals
FEW_SAMPLES = 10
MOST_POINTS = 1500  # of a scatter plot
ALWAYS_DRAWN = 10
POINTS = "points"  # name of the data set that the charts of a page share
EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class SampleCount:
    """How many samples something holds for, with examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


def count_ids(what: str, ids) -> SampleCount:
    """Count ids and keep the first few as examples."""
    return SampleCount(what, len(ids), tuple(str(value) for value in ids[:EXAMPLES_SHOWN]))


@dataclass(frozen=True)
class JoinedSamples:
    """The samples that can be judged.

    Attributes
    ----------
    frame : pd.DataFrame
        Index: sample id. Columns: actual, predicted, baseline (blank without) and group (text, or
        None without groups).
    target, group_name : str
        Names of the metadata columns; group_name is None without groups.
    counts : list of SampleCount
    recognition : pd.DataFrame or None
        How the reads of each sample were recognized, see `recognition.SHARES`.
    warnings : list of str
        What a reader should know first.
    """

    frame: pd.DataFrame
    target: str
    group_name: str | None
    counts: list[SampleCount]
    recognition: pd.DataFrame | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def group_codes(self) -> np.ndarray | None:
        """One whole number per group, a sample without group being a group of its own.

        None if there are no groups, or too few to be drawn in a bootstrap.
        """
        if self.group_name is None or self.n_groups < FEWEST_GROUPS_TO_DRAW:
            return None
        names = self.frame["group"].astype(str)
        alone = [f"{place} {name}" for place, name in enumerate(names)]
        kept = [f"group {name}" for name in names]
        return pd.factorize(np.where(names == NO_GROUP, alone, kept))[0]

    @property
    def n_groups(self) -> int:
        """How many groups there are, not counting samples without one."""
        names = self.frame["group"]
        return int(names[names != NO_GROUP].nunique())

    @property
    def has_baseline(self) -> bool:
        """Whether any sample has a baseline prediction."""
        return bool(self.frame["baseline"].notna().any())


def choose_evaluated_ids(predictions: pd.Series, truth: pd.Series) -> pd.Index:
    """Return the ids that are predicted and have a true value, in the order of the predictions.

    Raises
    ------
    AAMError
        If there are none.
    """
    if not predictions.index.intersection(truth.index).size:
        raise no_shared_ids(
            "the predictions", list(predictions.index), "the metadata", list(truth.index)
        )
    shown = predictions.index[predictions.index.isin(truth.dropna().index)]
    if not len(shown):
        raise AAMError(
            f"None of the {counted(len(predictions), 'predicted sample')} has a value in the "
            f"metadata column {truth.name!r}, such as {examples(predictions.index, 5)}. "
            "Fill in the column, or name another one."
        )
    return shown


def require_shared(index: pd.Index, name: str, shown: pd.Index) -> None:
    """Refuse what tells of none of the evaluated samples."""
    if not index.intersection(shown).size:
        raise no_shared_ids(name, list(index), "the evaluated samples", list(shown))


def count_evaluated(
    predictions: pd.Series, truth: pd.Series, frame: pd.DataFrame, groups: pd.Series | None
) -> list[SampleCount]:
    """Count the samples evaluated, and those left out, by reason."""
    name, shown = str(truth.name), frame.index
    unknown = predictions.index[~predictions.index.isin(truth.index)]
    blank = predictions.index[predictions.index.isin(truth.index[truth.isna()])]
    elsewhere = truth.dropna().index.difference(predictions.index, sort=False)
    counts = [
        SampleCount("samples with a prediction", len(predictions)),
        count_ids("samples evaluated here: predicted, and with a true value", shown),
        count_ids("samples left out: predicted, but not in the metadata", unknown),
        count_ids(f"samples left out: predicted, but blank in '{name}'", blank),
    ]
    if groups is not None:
        ungrouped = elsewhere[elsewhere.isin(groups.index[groups.isna()])]
        elsewhere = elsewhere.difference(ungrouped, sort=False)
        what = f"samples left out: not predicted, and blank in '{groups.name}'"
        counts.append(count_ids(what, ungrouped))
    what = f"samples with a value in '{name}' that were not predicted (used for fitting, or not in "
    counts.append(count_ids(f"{what}the table)", elsewhere))
    if groups is not None:
        without = shown[frame["group"] == NO_GROUP]
        counts.append(count_ids(f"evaluated samples blank in '{groups.name}'", without))
    return counts


def name_groups(groups: pd.Series | None, shown: pd.Index) -> pd.Series | None:
    """Return the group of each sample shown as text; a blank is `NO_GROUP`."""
    if groups is None:
        return None
    if pd.api.types.is_numeric_dtype(groups):  # 18, not 18.0
        groups = groups.map(lambda value: f"{value:.15g}", na_action="ignore")
    return groups.reindex(shown).astype(object).where(lambda names: names.notna(), NO_GROUP)


def describe_bootstrap(samples: JoinedSamples, size: int = 1) -> str:
    """Say what was drawn for the intervals of the scores, and when to distrust them."""
    n_samples = len(samples.frame)
    times = f"{count_resamples(n_samples * size):,} times"
    drawn = "Brackets: 95 % bootstrap intervals, from drawing"
    if samples.group_codes is not None:
        n_groups = f"{samples.n_groups:,} groups ('{samples.group_name}')"
        return f"{drawn} whole groups {times} out of {n_groups}."
    text = f"{drawn} samples {times}. "
    if samples.group_name is None:
        text += words("notes", "alone")
    else:
        groups = counted(samples.n_groups, "group")
        text += words("notes", "few_groups", groups=groups, name=samples.group_name)
    if n_samples < FEW_SAMPLES:
        text += f" {words('notes', 'rough', samples=counted(n_samples, 'sample'))}"
    return text


def choose_drawn(frame: pd.DataFrame, error: pd.Series) -> pd.DataFrame:
    """Keep all samples, or of very many those predicted worst and others at random."""
    if len(frame) <= MOST_POINTS:
        return frame
    worst = error.abs().to_numpy().argsort(kind="stable")[::-1][:ALWAYS_DRAWN]
    others = np.setdiff1d(np.arange(len(frame)), worst)
    drawn = np.random.default_rng(0).choice(others, MOST_POINTS - len(worst), replace=False)
    return frame.iloc[np.sort(np.concatenate([worst, drawn]))]


def describe_drawn(n_drawn: int, n_samples: int) -> str:
    """Say that not every sample is drawn, or nothing if all are."""
    if n_drawn == n_samples:
        return ""
    return " " + words("notes", "drawn", drawn=n_drawn, samples=n_samples, worst=ALWAYS_DRAWN)


def as_records(frame: pd.DataFrame, color_by=None) -> list[dict]:
    """Turn samples into the records that charts read, without blanks and needless digits."""
    records = []
    for sample, row in zip(frame.index, frame.to_dict("records"), strict=True):
        record = {"sample": str(sample)}
        for name, value in row.items():
            if isinstance(value, str):
                record[name] = value
            elif value is not None and np.isfinite(value):
                record[name] = short(value)
        records.append(record if color_by is None else record | color_by.fields_of(sample))
    return records


def counts_table(counts: Iterable[SampleCount]) -> pd.DataFrame:
    """Write counts as a table to download."""
    records = [(entry.what, entry.count, ", ".join(entry.examples)) for entry in counts]
    return pd.DataFrame(records, columns=["id", "count", "examples"]).set_index("id")


def table_of_counts(counts: Iterable[SampleCount], name: str) -> Table:
    """Show counts and their examples."""
    columns = [Column("What"), Column("Count", number=True), Column("Such as")]
    rows = [
        (entry.what, format_count(entry.count), Cell(codes=entry.examples))
        for entry in counts
        if entry.count
    ]
    return Table(name, columns, rows)


def training_counts(summary: dict) -> list[SampleCount]:
    """Return the counts of a training log's summary."""
    return [
        SampleCount(entry["what"], entry["count"], tuple(map(str, entry.get("examples") or [])))
        for entry in summary.get("data") or []
    ]


def section_of_counts(counts: list[SampleCount], summary: dict) -> Section:
    """Show which samples were used, here and when the model was trained."""
    blocks = [
        table_of_counts(counts, "counts-table"),
        Download("samples", "these counts", counts_table(counts)),
    ]
    trained = training_counts(summary)
    if trained:
        blocks += [Subtitle("When the model was trained"), table_of_counts(trained, "data-table")]
    return Section("samples", "Samples", "Samples used and left out", blocks)


def note_training(summary: dict, target: str, evaluated: Iterable[str]) -> list[str]:
    """Warn of a log of another target, and of evaluated samples that the model was fitted on.

    Parameters
    ----------
    summary : dict
        See `TrainingLog`; empty without one.
    """
    warnings = []
    trained_on = (summary.get("target") or {}).get("name")
    if trained_on is not None and trained_on != target:
        warnings.append(
            f"The training log is of a model of '{trained_on}', but the true values are of "
            f"'{target}'."
        )
    if summary.get("design"):
        return warnings  # a pipeline predicted by models that never saw these samples
    trained = set(map(str, summary.get("sample_ids") or []))
    for entry in summary.get("data") or []:
        if entry["what"] == SAMPLES_USED_FOR_TRAINING:
            trained |= set(map(str, entry.get("examples") or []))
    both = [sample for sample in evaluated if sample in trained]
    if both:
        warnings.append(
            f"{counted(len(both), 'of these samples was', 'of these samples were')} used to fit "
            f"the model, such as {examples(both)}: the scores are better than they would be on "
            "new samples."
        )
    return warnings


def name_predictors(summary: dict) -> dict[str, str]:
    """Call the model and the baseline by their names, as far as they are known."""
    forest = "random forest"
    baseline = forest if forest in summary.get("design", "") else "baseline"
    return {MODEL: "AAM" if summary else "this model", BASELINE: baseline}


def in_sentence(name: str) -> str:
    """Write a predictor's name within a sentence."""
    return f"the {name}" if name == "baseline" else name


def describe_heads(summary: dict) -> str:
    """Say what predictions come from: ``ridge 69 %, forest 31 %; attention head off``."""
    heads = summary.get("heads") or []
    used = [f"{head['name']} {format_fraction(head['weight'])}" for head in heads if head["weight"]]
    unused = [head["name"] for head in heads if not head["weight"]]
    text = ", ".join(used)
    if unused:
        text += f"; {join_words(unused)} {'head' if len(unused) == 1 else 'heads'} off"
    return text


def describe_design(summary: dict) -> list[str]:
    """Say how the samples were divided and compared, and what predicts; empty if unknown.

    Parameters
    ----------
    summary : dict
        Of a training log; a pipeline adds ``design``, a sentence.
    """
    heads, design = describe_heads(summary), summary.get("design", "").rstrip(".")
    parts = [f"Design: {design}."] if design else []
    parts += [f"Predictions: {heads}."] if heads else []
    if not parts:
        return []
    if summary.get("encoder"):
        parts.append(f"Encoder: {summary['encoder'].strip().rstrip('.')}.")
    version = (summary.get("environment") or {}).get("q2-aam")
    return [" ".join([*parts, *([f"q2-aam {version}."] if version else [])])]
