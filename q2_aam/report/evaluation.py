"""What both evaluations share: predictions joined with the truth, rivals, training log, page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..errors import AAMError, counted, examples, no_shared_ids
from ..storage.training_log import SAMPLES_USED_FOR_TRAINING, TrainingLog
from . import style
from .formatting import format_fraction, join_words, words
from .importance import ImportantFeatures, section_of_importance
from .metrics import CLASS_METRICS, Estimate, Metric, ScoreRow, bootstrap, count_resamples
from .page import Card, Section, Text, write_page
from .samples import FEW_SAMPLES, count_blocks, count_ids, table_of_counts

MODEL, BASELINE, DUMMY = "model", "baseline", "dummy"
LOOKS = {  # their lines
    MODEL: (style.BLUE, [1, 0]), BASELINE: (style.VERMILLION, [7, 3]), DUMMY: (style.GREY, [2, 3]),
}  # fmt: skip
ALL_SAMPLES = "model on all samples"
NO_GROUP = "(no group)"
FEWEST_GROUPS_TO_DRAW = 8  # resampling two or three groups gives absurdly narrow intervals


@dataclass(frozen=True)
class JoinedSamples:
    """Samples that can be judged: by id, the frame has actual, predicted, baseline (blank without)
    and group (text, or None without groups).
    """

    frame: pd.DataFrame
    target: str  # name of the metadata column
    group_name: str | None
    counts: list[dict]  # of `count_ids`
    recognition: pd.DataFrame | None = None  # of the reads of each sample: `recognition.SHARES`
    warnings: list[str] = field(default_factory=list)  # what a reader should know first
    measured = ()  # the metrics that `measure` returns
    classes = ()  # for each of which it returns `CLASS_METRICS` too
    better = 1  # whether more of a metric is better, or less (-1)
    n_numbers = 1  # of a sample that `measure` looks at

    @property
    def group_names(self) -> list[str]:
        """The groups, and `NO_GROUP` if a sample is without."""
        return [] if self.group_name is None else sorted(set(self.frame["group"]))

    @property
    def n_groups(self) -> int:
        """How many groups there are, not counting samples without one."""
        return len(set(self.group_names) - {NO_GROUP})

    @property
    def group_codes(self) -> np.ndarray:
        """What a bootstrap draws, as a number for each sample: its group, or the sample alone."""
        names, alone = self.frame["group"].astype(str), np.arange(len(self.frame))
        if self.n_groups < FEWEST_GROUPS_TO_DRAW:
            return alone
        return np.where(names != NO_GROUP, len(alone) + pd.factorize(names)[0], alone)

    @property
    def has_baseline(self) -> bool:
        """Whether any sample has a baseline prediction."""
        return bool(self.frame["baseline"].notna().any())

    @property
    def predictors(self) -> dict[str, str]:
        """The columns of the model and, if there is one, of the baseline."""
        return {MODEL: "predicted"} | ({BASELINE: "baseline"} if self.has_baseline else {})

    @property
    def common(self) -> np.ndarray:
        """Which samples every predictor has predicted, as bools (samples,)."""
        return self.frame["baseline"].notna().to_numpy() | (not self.has_baseline)

    def with_recognition(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add to a table of samples how their reads were recognized, if that is known."""
        return table if self.recognition is None else table.join(self.recognition)

    def measure(self, predicted: list, rows: np.ndarray, resampled: bool) -> np.ndarray:
        """Return, by predictor, `measured` and the `CLASS_METRICS` of each class, of such rows."""
        raise NotImplementedError

    def score(self, names: dict[str, str], predicted: dict) -> tuple[dict, dict]:
        """Return rows and differences of `Scores`; the model comes first, the dummy last."""
        rows, differences = self._score_on(self.common, names, predicted)
        if not self.common.all():
            alone = {ALL_SAMPLES: predicted[MODEL], DUMMY: predicted[DUMMY]}
            label = f"{names[MODEL]}, with the samples that {in_sentence(names[BASELINE])} lacks"
            everyone, labels = np.ones(len(self.frame), bool), {**names, ALL_SAMPLES: label}
            rows[ALL_SAMPLES] = self._score_on(everyone, labels, alone)[0][ALL_SAMPLES]
        return rows, differences

    def _score_on(self, chosen: np.ndarray, names: dict[str, str], predicted: dict):
        """Score predictors on the same samples and resamples; compare the first with the rest."""
        places, given = np.flatnonzero(chosen), list(predicted.values())

        def statistics(rows):
            scores = self.measure(given, places[rows], resampled=not isinstance(rows, slice))
            differences = self.better * (scores[0] - scores[1:])[:, : len(self.measured)]
            return np.concatenate([scores.ravel(), differences.ravel()])

        found = iter(bootstrap(statistics, self.group_codes[places], self.n_numbers))

        def named(metrics):
            return {metric.name: next(found) for metric in metrics}

        rows = {}
        for key in predicted:
            overall, by_class = named(self.measured), [named(CLASS_METRICS) for _ in self.classes]
            rows[key] = ScoreRow(key, names[key], len(places), overall, by_class)
        return rows, {key: named(self.measured) for key in list(predicted)[1:]}

    def describe_bootstrap(self) -> str:
        """Say what was drawn for the intervals of the scores, and when to distrust them."""
        n_samples, n_groups, name = len(self.frame), self.n_groups, self.group_name
        times = count_resamples(n_samples * self.n_numbers)
        groups = n_groups >= FEWEST_GROUPS_TO_DRAW
        drawn = "whole groups" if groups else "samples"
        out_of = f" out of {n_groups:,} groups ('{name}')" if groups else ""
        parts = [words("notes", "bootstrap", drawn=drawn, times=times, groups=out_of)]
        if name is None:
            parts.append(words("notes", "alone"))
        elif not groups:
            parts.append(words("notes", "few_groups", groups=counted(n_groups, "group"), name=name))
        if n_samples < FEW_SAMPLES and not groups:
            parts.append(words("notes", "rough", samples=counted(n_samples, "sample")))
        return " ".join(parts)


def join_samples(
    predictions: pd.Series, truth: pd.Series, baseline: pd.Series | None, groups: pd.Series | None
) -> JoinedSamples:
    """Join by sample id, in the order of the predictions; an `AAMError` if nothing is shared."""
    require_shared(predictions.index, "the predictions", truth.index, "the metadata")
    shown = predictions.index[predictions.index.isin(truth.dropna().index)]
    if not len(shown):
        raise AAMError(
            f"None of the {counted(len(predictions), 'predicted sample')} has a value in the "
            f"metadata column {truth.name!r}, such as {examples(predictions.index, 5)}. "
            "Fill in the column, or name another one."
        )
    columns = {"actual": truth[shown], "predicted": predictions[shown]}
    frame = pd.DataFrame({**columns, "baseline": None, "group": None}, dtype=object)
    frame.index.name = "id"
    if baseline is not None:
        require_shared(baseline.index, "the baseline predictions", shown)
        values = baseline.reindex(shown).astype(object)
        frame["baseline"] = values.where(values.notna(), None)
    if groups is not None:
        names = groups.reindex(shown)
        if pd.api.types.is_numeric_dtype(groups):  # 18, not 18.0
            names = names.map(lambda value: f"{value:.15g}", na_action="ignore")
        frame["group"] = names.astype(object).where(names.notna(), NO_GROUP)
    counts = _count_evaluated(predictions.index, truth, frame, groups)
    if baseline is not None:
        counts.append(count_without("a baseline prediction", frame["baseline"]))
    group_name = None if groups is None else str(groups.name)
    return JoinedSamples(frame, str(truth.name), group_name, counts)


def require_shared(
    index: pd.Index, name: str, shown: pd.Index, of_which: str = "the evaluated samples"
) -> None:
    """Refuse what tells of none of the evaluated samples."""
    if not index.intersection(shown).size:
        raise no_shared_ids(name, list(index), of_which, list(shown))


def _count_evaluated(predicted: pd.Index, truth: pd.Series, frame: pd.DataFrame, groups):
    """Count the samples evaluated, and those left out, by reason."""
    name, left_out = str(truth.name), "samples left out:"
    blank = predicted.isin(truth.index[truth.isna()])
    elsewhere = truth.dropna().index.difference(predicted, sort=False)
    counts = {
        "samples evaluated here: predicted, and with a true value": frame.index,
        f"{left_out} predicted, but not in the metadata": predicted[~predicted.isin(truth.index)],
        f"{left_out} predicted, but blank in '{name}'": predicted[blank],
    }
    if groups is not None:
        ungrouped = elsewhere[elsewhere.isin(groups.index[groups.isna()])]
        elsewhere = elsewhere.difference(ungrouped, sort=False)
        counts[f"{left_out} not predicted, and blank in '{groups.name}'"] = ungrouped
    what = f"samples with a value in '{name}' that were not predicted"
    counts[f"{what} (used for fitting, or not in the table)"] = elsewhere
    if groups is not None:
        blank = frame["group"] == NO_GROUP
        counts[f"evaluated samples blank in '{groups.name}'"] = frame.index[blank]
    everyone = {"what": "samples with a prediction", "count": len(predicted), "examples": []}
    return [everyone, *(count_ids(what, ids) for what, ids in counts.items())]


def count_without(what: str, column: pd.Series) -> dict:
    """Count the evaluated samples whose column is blank."""
    return count_ids(f"evaluated samples without {what}", column.index[column.isna()])


class Scores(NamedTuple):
    """What an evaluation measures: rows, by predictor, on the samples with a baseline prediction if
    there is one. If that leaves samples out, the model on all of them comes last (`ALL_SAMPLES`).
    """

    rows: dict[str, ScoreRow]
    # to the baseline and the dummy, by metric, paired by sample; positive: the model is better
    differences: dict[str, dict[str, Estimate]]
    dummy: float | str  # what it always predicts
    dummy_is: str  # where that comes from
    coverage: Estimate | None = None  # the share of intervals that hold the true value
    n_intervals: int = 0
    n_inside: int = 0

    def of(self, predictor: str, metric: Metric) -> Estimate:
        """Return a score of a predictor."""
        return self.rows[predictor].estimates[metric.name]

    def describe_difference(self, kind: str, other: str, metric: Metric, name: str, **values):
        """Say who is better, the model or another predictor, in the words of a kind of page."""
        difference = self.differences[other][metric.name]
        equal = other == BASELINE and difference.value == 0
        verdict = "equal" if equal else difference.verdict
        values |= {"other": in_sentence(name), "dummy_is": self.dummy_is}
        return words(kind, f"{other} {verdict}", **values)


class Evaluation:
    """Joined samples, and what the training log says of the model that predicted them."""

    def __init__(self, samples: JoinedSamples, training_log: TrainingLog | None = None):
        self.samples = samples
        # of a `TrainingLog`; a pipeline adds ``design``, a sentence
        self.summary = {} if training_log is None else training_log.summary
        target = self.summary.get("target") or {}
        # the mean or the classes of another column would be no fair rival
        self.target = target if target.get("name") == samples.target else {}
        forest = "random forest"
        baseline = forest if forest in self.summary.get("design", "") else "baseline"
        self.names = {MODEL: "AAM" if self.summary else "this model", BASELINE: baseline}

    def write(
        self, output_dir: str | Path, kind: str, headline: str, sections: Sequence[Section],
        cards: Sequence[Card], important: ImportantFeatures | None, warnings: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Write the page, with the sections that every evaluation has."""
        samples, summary = self.samples, self.summary
        features = section_of_importance(important, samples.frame["actual"], samples.target)
        blocks = count_blocks(samples.counts, "counts-table", "samples")
        if summary.get("data"):
            blocks.append(Text("When the model was trained", tag="h3"))
            blocks.append(table_of_counts(summary["data"], "data-table"))
        counts = Section("samples", "Samples", "Samples used and left out", blocks)
        # how samples were divided and compared, and what predicts
        design = {"Design: ": summary.get("design", "").rstrip(".")}
        design["Predictions: "] = describe_heads(summary)
        known = any(design.values())
        design["Encoder: "] = (summary.get("encoder") or "").strip().rstrip(".")
        design["q2-aam "] = (summary.get("environment") or {}).get("q2-aam")
        line = " ".join(f"{what}{text}." for what, text in design.items() if text)
        heading = Markup("How well <em>{}</em> is predicted").format(samples.target)
        sections, warnings = [*sections, *features, counts], [*self._note_training(), *warnings]
        write_page(
            output_dir, f"Evaluation of a {kind}", heading, headline, sections, cards,
            [*samples.warnings, *warnings], [line] if known else [],
        )  # fmt: skip

    def _note_training(self) -> Iterable[str]:
        """Warn of a log of another target, and of samples that the model was fitted on."""
        trained_on = (self.summary.get("target") or {}).get("name")
        if trained_on is not None and trained_on != self.samples.target:
            yield words("notes", "trained_elsewhere", name=trained_on, target=self.samples.target)
        if self.summary.get("design"):
            return  # a pipeline predicted by models that never saw these samples
        trained = set(map(str, self.summary.get("sample_ids") or []))
        for entry in self.summary.get("data") or []:
            if entry["what"] == SAMPLES_USED_FOR_TRAINING:
                trained |= set(map(str, entry.get("examples") or []))
        both = [sample for sample in self.samples.frame.index if sample in trained]
        if both:
            were = counted(len(both), "of these samples was", "of these samples were")
            yield words("notes", "trained_on", samples=were, such=examples(both))


def in_sentence(name: str) -> str:
    """Write a predictor's name within a sentence."""
    return f"the {name}" if name in ("baseline", "random forest") else name


def describe_heads(summary: dict) -> str:
    """Say what predictions come from: ``ridge 69 %, forest 31 %; attention head off``."""
    heads = summary.get("heads") or []
    used = [f"{head['name']} {format_fraction(head['weight'])}" for head in heads if head["weight"]]
    unused = [head["name"] for head in heads if not head["weight"]]
    off = f"; {join_words(unused)} {'head' if len(unused) == 1 else 'heads'} off" if unused else ""
    return ", ".join(used) + off
