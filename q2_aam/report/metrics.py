"""Scores and their bootstrap intervals: by sample, or by group where repeated measures belong."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import config_context
from sklearn import metrics as sklearn_metrics

from .formatting import format_decimals, format_like, format_p, words
from .page import Card, Cell, Column, Download, Table, column_of, define

RANDOM_SEED = 20160615
_MOST_RESAMPLES, _FEWEST_RESAMPLES, _MOST_DRAWN = 1000, 200, 2_000_000
INTERVAL_WORDS = "95 % interval"


class Estimate(NamedTuple):
    """A value with its 95 % bootstrap interval; NaN where it is not defined."""

    value: float
    lower: float = float("nan")
    upper: float = float("nan")

    @property
    def has_interval(self) -> bool:
        """Whether the interval is known."""
        return self.lower <= self.upper

    @property
    def verdict(self) -> str:
        """Of a difference: ``better`` above zero, ``worse`` below, ``unclear`` around it."""
        return "better" if self.lower > 0 else "worse" if self.upper < 0 else "unclear"

    @classmethod
    def from_draws(cls, value: float, draws: np.ndarray) -> "Estimate":
        """Take the 95 % percentile interval of a statistic's resampled values."""
        known = draws[np.isfinite(draws)]
        # Resamples in which it is undefined say nothing; too many, and no interval is fair.
        if not np.isfinite(value) or len(known) < 0.9 * len(draws) or not len(draws):
            return cls(float(value))
        return cls(float(value), *map(float, np.percentile(known, [2.5, 97.5])))


class Metric(NamedTuple):
    """A score; its words stand in words.ini."""

    name: str
    places: int | None = 2  # decimals; None: three digits that count, in the target's units

    @property
    def column(self) -> Column:
        """A column of a table."""
        return column_of("scores", self.name)

    @property
    def is_area(self) -> bool:
        """Whether predicted classes alone do not give it."""
        return self.name.endswith("auc")

    def cell(self, estimate: Estimate) -> Cell:
        """Write a value and, if it is known, its interval as ``2.1 to 2.9``."""
        value, low, high = (self._write(number, estimate) for number in estimate)
        return Cell(value, f"{low} to {high}" if estimate.has_interval else "")

    def in_brackets(self, estimate: Estimate) -> str:
        """Write an interval as a sentence has it; nothing if it is not known."""
        text = self.cell(estimate).detail
        return f" ({INTERVAL_WORDS} {text})" if text else ""

    def _write(self, number: float, estimate: Estimate) -> str:
        if self.name == "p_value":
            return format_p(number)
        if self.places is None:
            return format_like(number, estimate.value)
        return format_decimals(number, self.places)


def in_percent(estimate: Estimate) -> str:
    """Write the interval of a fraction as a sentence has it; nothing if it is not known."""
    low, high = (format_decimals(100 * end, 0) for end in estimate[1:])
    return f" ({INTERVAL_WORDS} {low} to {high} %)" if estimate.has_interval else ""


MAE = Metric("mean_absolute_error", None)
REGRESSION_METRICS = (
    MAE, Metric("root_mean_squared_error", None), Metric("r_squared"),
    Metric("spearman_correlation"),
)  # fmt: skip
FIT_METRICS = (Metric("slope"), Metric("intercept", None), Metric("p_value"))
OVERALL_METRICS = (
    Metric("accuracy"), Metric("accuracy_ratio"), Metric("balanced_accuracy"), Metric("macro_f1"),
    Metric("macro_auc", 3), Metric("micro_auc", 3),
)  # fmt: skip
CLASS_METRICS = (Metric("precision"), Metric("recall"), Metric("f1"), Metric("auc", 3))
DISTANCE_METRICS = (
    Metric("correlation"), Metric("r_squared"), Metric("mean_absolute_error", 3),
    Metric("mean_error", 3), Metric("spread_ratio"),
)  # fmt: skip


class ScoreRow(NamedTuple):
    """A row of a table of scores: whose (key in downloads, label on the page), over how many."""

    key: str
    label: str
    n_samples: int
    estimates: dict[str, Estimate]
    by_class: Sequence[dict[str, Estimate]] = ()

    def cells(self, metrics: Sequence[Metric]) -> list[Cell]:
        """Write its scores."""
        return [metric.cell(self.estimates[metric.name]) for metric in metrics]

    def cards(self, metrics: Sequence[Metric]) -> list[Card]:
        """Write its scores for the top of a page."""
        cells = zip(metrics, self.cells(metrics), strict=True)
        return [Card(metric.column.label, cell.text, cell.detail) for metric, cell in cells]

    def records(self, metrics: Sequence[Metric], of: str = "", **about) -> list[dict]:
        """Return its scores unrounded, for a download."""
        key, ends = f"{self.key}: " if self.key else "", ("value", "lower_95", "upper_95")
        return [
            {"id": f"{key}{one.name}{of}", "predictor": self.label, "metric": one.name, **about}
            | dict(zip(ends, self.estimates[one.name], strict=True))
            for one in metrics
        ]


def score_blocks(
    rows: Sequence[ScoreRow], metrics: Sequence[Metric], notes: Sequence[str], last: str = ""
) -> list:
    """Show scores in a table, say what they mean and offer them unrounded."""
    columns = [Column("Predictor"), Column("Samples", number=True), *(m.column for m in metrics)]
    cells = [[row.label, f"{row.n_samples:,}", *row.cells(metrics)] for row in rows]
    records = [one for row in rows for one in row.records(metrics, samples=row.n_samples)]
    return [
        Table("score-table", columns, cells),
        *notes,
        define(columns, f"{last} {words('notes', 'undefined')}".strip()),
        Download("scores", "the scores", pd.DataFrame.from_records(records, index="id")),
    ]


def count_resamples(n_numbers: int) -> int:
    """Return how many resamples are drawn: fewer where each looks at very many numbers."""
    return int(np.clip(_MOST_DRAWN // max(1, n_numbers), _FEWEST_RESAMPLES, _MOST_RESAMPLES))


def bootstrap(
    statistics: Callable[[slice | np.ndarray], np.ndarray], groups: np.ndarray, size: int = 1
) -> list[Estimate]:
    """Estimate statistics and their intervals from one set of resamples, so that they are paired.

    The statistics (statistics,) are taken of all samples, a slice, for the values, and of places
    of samples, in which drawn ones repeat, for the intervals. Whole groups (samples,) are drawn;
    fewer than two give no interval. ``size`` is how many numbers are looked at for each sample.
    """
    n_samples, codes = len(groups), np.unique(groups, return_inverse=True)[1]
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    units, random = np.split(order, np.cumsum(sizes)[:-1]), np.random.default_rng(RANDOM_SEED)
    draws = []
    with config_context(assume_finite=True), np.errstate(divide="ignore", invalid="ignore"):
        values = statistics(slice(None))
        for _ in range(count_resamples(n_samples * size) if len(units) > 1 else 0):
            drawn = random.integers(len(units), size=len(units))
            single = len(units) == n_samples
            rows = order[drawn] if single else np.concatenate([units[unit] for unit in drawn])
            draws.append(statistics(rows))
    draws = np.array(draws).reshape(-1, len(values))
    return [Estimate.from_draws(v, column) for v, column in zip(values, draws.T, strict=True)]


def score_numbers(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return `REGRESSION_METRICS` (metrics, predictors) of predicted (samples, predictors)."""
    actual = np.repeat(truth[:, None], predicted.shape[1], axis=1)
    each = {"multioutput": "raw_values"}
    mae = sklearn_metrics.mean_absolute_error(actual, predicted, **each)
    rmse = np.sqrt(sklearn_metrics.mean_squared_error(actual, predicted, **each))
    r_squared = np.full(predicted.shape[1], np.nan)
    if not _is_constant(truth):
        r_squared = sklearn_metrics.r2_score(actual, predicted, **each)
    ranks = stats.rankdata(np.column_stack([truth, predicted]), axis=0)
    ranks -= ranks.mean(axis=0)
    sizes = np.sqrt(np.square(ranks).sum(axis=0))
    spearman = ranks[:, 0] @ ranks[:, 1:] / (sizes[0] * sizes[1:])
    return np.stack([mae, rmse, r_squared, np.where(np.isfinite(spearman), spearman, np.nan)])


def fit_line(truth: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Return slope, intercept and p of predicted over truth; NaN if there is no line."""
    if len(truth) < 2 or _is_constant(truth):
        return [np.nan] * len(FIT_METRICS)
    with np.errstate(divide="ignore", invalid="ignore"):
        line = stats.linregress(truth, predicted)
    return [float(line.slope), float(line.intercept), float(line.pvalue)]


def _is_constant(values: np.ndarray) -> bool:
    return np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0)


def score_classes(actual: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return precision, recall and F1 (3, classes): NaN, not scikit-learn's 0, if not defined."""
    is_of = np.bincount(actual, minlength=n_classes)
    is_said = np.bincount(predicted, minlength=n_classes)
    right = np.bincount(actual[actual == predicted], minlength=n_classes).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([right / is_said, right / is_of, 2 * right / (is_of + is_said)])


def area_under_roc(is_class: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each column (samples, classes), by ranks, in which
    equal probabilities count half (Mann and Whitney); NaN, where scikit-learn's would raise, if
    all samples or none are of a class, as happens in resamples.
    """
    inside = is_class.sum(axis=0).astype(float)
    ranks = stats.rankdata(probabilities, axis=0)
    won = (ranks * is_class).sum(axis=0) - inside * (inside + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return won / (inside * (len(is_class) - inside))
