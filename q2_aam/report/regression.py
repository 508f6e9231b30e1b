"""Evaluation of predicted numbers: joined with the truth, scored, and shown on a page."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples
from ..storage.training_log import TrainingLog
from . import evaluation, metrics, style
from .evaluation import BASELINE, DUMMY, LOOKS, MODEL, JoinedSamples, Scores, in_sentence
from .formatting import format_cell, format_fraction, format_like, format_number, words
from .importance import ImportantFeatures
from .metrics import MAE
from .page import Card, Download, Figure, Section, Text, figure, table_of
from .recognition import read_shares, recognition_blocks
from .samples import POINTS, ColorBy, color_layers, describe_colors, describe_drawn, draw
from .style import exact, number_axis, themed, tips

LARGEST_NUMBER = 1e100  # its square is finite
WORST_SHOWN = 10
MOST_COLORED_GROUPS, MOST_GROUPS = 6, 30


@dataclass(frozen=True)
class PredictedNumbers(JoinedSamples):
    """Samples whose numbers can be judged: the frame also has error (predicted minus actual), lower
    and upper (NaN without interval) and, if a column colors the points, its values as color_by.
    """

    color_by: ColorBy | None = None
    measured, better = (*metrics.REGRESSION_METRICS, *metrics.FIT_METRICS), -1

    @property
    def has_intervals(self) -> bool:
        """Whether any sample has a prediction interval."""
        return bool(self.frame["lower"].notna().any())

    @cached_property
    def points(self) -> dict[str, list[dict]]:
        """The data set of the samples drawn, which the charts share."""
        frame = self.frame.drop(columns="color_by", errors="ignore")
        return draw(frame, frame["error"], self.color_by)

    @property
    def n_drawn(self) -> int:
        """How many samples are drawn."""
        return len(self.points[POINTS])

    def measure(self, predicted: list, rows: np.ndarray, resampled: bool) -> np.ndarray:
        """Score predictors, the dummy last; lines have no intervals."""
        truth = self.frame["actual"].to_numpy()[rows]
        columns = np.column_stack([values.to_numpy()[rows] for values in predicted])
        lines = np.full((len(predicted), len(metrics.FIT_METRICS)), np.nan)
        if not resampled:  # the dummy's would be level
            lines[:-1] = [metrics.fit_line(truth, column) for column in columns.T[:-1]]
        return np.hstack([metrics.score_numbers(truth, columns).T, lines])


def join_numbers(
    predictions: pd.Series, truth: pd.Series, intervals: pd.DataFrame | None = None,
    baseline_predictions: pd.Series | None = None, groups: pd.Series | None = None,
    color_by: pd.Series | None = None,
) -> PredictedNumbers:  # fmt: skip
    """Join predictions with the truth and with intervals, which may say how reads were recognized,
    by sample id; `AAMError` if they do not fit.
    """
    predictions, baseline = _numbers(predictions, "The predictions"), None
    if baseline_predictions is not None:
        baseline = _numbers(baseline_predictions, "The baseline predictions")
    joined = evaluation.join_samples(predictions, truth, baseline, groups)
    frame = joined.frame[["actual", "predicted"]].astype(float)
    frame["error"] = frame["predicted"] - frame["actual"]
    frame["lower"] = frame["upper"] = np.nan
    if intervals is not None:
        frame[["lower", "upper"]] = _bounds(intervals, frame.index)
    frame["baseline"] = joined.frame["baseline"].astype(float)
    values = frame[["actual", "predicted", "baseline"]].abs()
    far = frame.index[values.max(axis=1) > LARGEST_NUMBER]
    if len(far):  # no score could be computed
        raise AAMError(
            f"{counted(len(far), 'sample')} of {len(frame):,} have a value beyond "
            f"{LARGEST_NUMBER:g}: {examples(far)}. Correct these values, or blank their cells."
        )
    frame["group"] = joined.frame["group"]
    if intervals is not None:
        joined.counts.append(evaluation.count_without("a (finite) interval", frame["lower"]))
    colors = None
    if color_by is not None:
        colors = ColorBy.of(color_by, frame.index)
        joined.counts.append(colors.count_blanks())
        frame["color_by"] = colors.values.to_numpy()
    shares = read_shares(intervals, "The intervals", frame.index)
    fields = vars(joined) | {"frame": frame, "recognition": shares}
    return PredictedNumbers(**fields, color_by=colors)


def _numbers(values: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = values[~np.isfinite(numbers)]
    if len(wrong):
        raise AAMError(
            f"{name} hold {counted(len(wrong), 'value')} that are no finite numbers, for the "
            f"samples {examples(wrong.index)} (such as {examples(wrong.unique())}). "
            "Give the predictions of a regressor."
        )
    return numbers


def _bounds(intervals: pd.DataFrame, shown: pd.Index) -> np.ndarray:
    missing = {"lower", "upper"} - set(intervals.columns)
    if missing:
        raise AAMError(
            f"The intervals lack the columns {examples(sorted(missing))}; they have "
            f"{examples(intervals.columns)}. Give the intervals of predict-regression."
        )
    bounds = intervals[["lower", "upper"]].apply(pd.to_numeric, errors="coerce").astype(float)
    # An unbounded interval cannot be drawn and says nothing: it counts as none.
    bounds[~np.isfinite(bounds).all(axis=1)] = np.nan
    reversed_ids = bounds.index[bounds["lower"] > bounds["upper"]]
    if len(reversed_ids):
        raise AAMError(
            f"{counted(len(reversed_ids), 'interval')} have a lower end above the upper one, for "
            f"the samples {examples(reversed_ids)}. Give the intervals of predict-regression."
        )
    evaluation.require_shared(bounds.index, "the intervals", shown)
    return bounds.reindex(shown).to_numpy()


def score_regression(
    samples: PredictedNumbers, names: dict[str, str], training_mean: float | None = None
) -> Scores:
    """Score predictions, baseline and the mean (of training, if known) with bootstrap intervals."""
    frame = samples.frame
    which = "samples shown here" if training_mean is None else "training samples"
    dummy = float(frame["actual"].mean() if training_mean is None else training_mean)
    names = {**names, DUMMY: f"dummy (always {format_number(dummy)}, the mean of the {which})"}
    rows, differences = samples.score(names, predictions_of(samples, dummy))
    has = frame["lower"].notna().to_numpy()
    known, groups = frame[has], samples.group_codes[has]
    inside, coverage = known["actual"].between(known["lower"], known["upper"]).to_numpy(float), None
    if len(inside):
        (coverage,) = metrics.bootstrap(lambda rows: inside[rows].mean(keepdims=True), groups)
    covered = coverage, len(inside), int(inside.sum())
    return Scores(rows, differences, dummy, f"the mean of the {which}", *covered)


def predictions_of(samples: PredictedNumbers, dummy: float) -> dict[str, pd.Series]:
    """Return what each predictor predicts."""
    known = {key: samples.frame[column] for key, column in samples.predictors.items()}
    return {**known, DUMMY: pd.Series(dummy, samples.frame.index)}


def write_regression_page(
    output_dir: str | Path, samples: PredictedNumbers, training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:  # fmt: skip
    """Write the evaluation of a regressor, whose training log tells its mean and design."""
    about = evaluation.Evaluation(samples, training_log)
    names = about.names
    scores = score_regression(samples, names, about.target.get("training_mean"))
    hint, is_warning = _describe_bounds(samples, about.target)
    cards = scores.rows[MODEL].cards(metrics.REGRESSION_METRICS)
    if scores.coverage is not None:
        inside = f"{scores.n_inside:,} of {scores.n_intervals:,}"
        cards.append(Card("inside interval", format_fraction(scores.coverage.value), inside))
    units = f"MAE, RMSE and the intercept are in the units of {samples.target}."
    notes = [samples.describe_bootstrap()]
    of_scores = metrics.score_blocks(list(scores.rows.values()), samples.measured, notes, units)
    sections = [
        _predictions_section(samples, scores, names, "" if is_warning else hint),
        Section("scores", "Scores", "Scores", of_scores),
        _errors_section(samples, scores, names),
        _worst_section(samples, names),
    ]
    headline, warnings = write_headline(samples, scores, names), [hint] if is_warning else []
    about.write(output_dir, "regressor", headline, sections, cards, important, warnings)


def write_headline(samples: PredictedNumbers, scores: Scores, names: dict) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""
    error, n_samples = scores.of(MODEL, MAE), counted(scores.rows[MODEL].n_samples, "sample")
    values = {"error": format_number(error.value), "interval": MAE.in_brackets(error)}
    text = words("regression", "opening", target=samples.target, samples=n_samples, **values)
    found, dummy = {}, format_number(scores.dummy)
    for other, difference in scores.differences.items():
        change = difference[MAE.name].value
        size = format_fraction(abs(change) / max(abs(change + error.value), 1e-300))
        values = {"size": f"{'smaller' if change > 0 else 'larger'} by {size}", "dummy": dummy}
        values |= {"misses": format_number(scores.of(other, MAE).value)}
        name = names.get(other, other)
        found[other] = scores.describe_difference("regression", other, MAE, name, **values)
    text += f"; {found[BASELINE]}" if BASELINE in found else ""
    return f"{text}. {found[DUMMY]}."


def _describe_bounds(samples: PredictedNumbers, target: dict) -> tuple[str, bool]:
    """Say where intervals leave what training saw of a quantity; and whether they go below 0."""
    smallest, lower = target.get("training_min"), samples.frame["lower"]
    if smallest is None or smallest < 0 or not (lower < smallest).any():
        return "", False
    negative = int((lower < 0).sum())
    values = {
        "intervals": counted((lower < smallest).sum(), "interval reaches", "intervals reach"),
        "smallest": format_number(smallest),
        "negative": f", {negative:,} of them below 0" if negative and smallest > 0 else "",
    }
    return words("notes", "bounds", target=samples.target, **values), negative > 0


def _predictions_section(samples, scores: Scores, names: dict, hint: str) -> Section:
    second = _errors_figure(samples)
    if samples.has_baseline:
        second = _predicted_figure(samples, "baseline", names[BASELINE])
    blocks = [[_predicted_figure(samples, "predicted", names[MODEL]), second]]
    if scores.coverage is not None:
        width = (samples.frame["upper"] - samples.frame["lower"]).median()
        share = format_fraction(scores.coverage.value) + metrics.in_percent(scores.coverage)
        values = {"inside": scores.n_inside, "samples": counted(scores.n_intervals, "sample")}
        text = words("notes", "coverage", share=share, width=format_number(width), **values)
        blocks.append(Text(text, "coverage"))
    blocks += [hint] if hint else []
    error, title = samples.frame["error"].abs(), f"Absolute error of {samples.target}"
    blocks += recognition_blocks(samples.recognition, error, title)
    table = samples.with_recognition(samples.frame.dropna(axis="columns", how="all"))
    blocks.append(Download("predictions", "every prediction, interval and error", table))
    return Section("predictions", "Predictions", "Predictions", blocks)


def _errors_section(samples: PredictedNumbers, scores: Scores, names: dict) -> Section:
    distribution = chart_error_distribution(samples)
    figures = [_errors_figure(samples)] if samples.has_baseline else []
    figures.append(_share_figure(samples, scores, names))
    # fills the row beside a baseline: there are three figures then
    wide = samples.has_baseline
    figures.append(figure("error-distribution", distribution, "predictions", wide=wide))
    blocks = [figures]
    if samples.group_name is not None:
        by_group = samples.frame["error"].groupby(samples.frame["group"])
        groups = by_group.agg(
            samples="size", mean_absolute_error=lambda errors: errors.abs().mean(),
            median_error="median",
        ).sort_values("mean_absolute_error", ascending=False, kind="stable")  # fmt: skip
        figures.append(_group_figure(samples, groups))
        blocks.append(Download("groups", "the errors of every group", groups))
    return Section("errors", "Errors", "Errors", blocks)


def _worst_section(samples: PredictedNumbers, names: dict[str, str]) -> Section:
    frame = samples.frame
    worst = frame.sort_values("error", key=abs, ascending=False, kind="stable").head(WORST_SHOWN)
    scale = float(frame["error"].abs().mean())
    columns = [("Sample", worst.index.map(str))]
    if samples.group_name is not None:
        columns.append((f"{samples.group_name} (group)", worst["group"]))
    if samples.color_by is not None:
        label = f"{samples.color_by.name} (color)"
        columns.append((label, worst["color_by"].map(format_cell)))
    numbers = {"Actual": "actual", "Predicted": "predicted", "Error": "error"}
    if samples.has_baseline:
        numbers[names[BASELINE]] = "baseline"
    for label, name in numbers.items():
        columns.append((label, [format_like(value, scale) for value in worst[name]], True))
    if samples.has_intervals:
        ends = worst[["lower", "upper"]].itertuples(index=False)
        cells = [" to ".join(format_like(end, scale) for end in pair) for pair in ends]
        columns.append(("Interval", cells, True))
    blocks = [words("notes", "worst"), table_of("worst-table", columns)]
    return Section("worst", "Worst predicted", "Worst predicted samples", blocks)


def _predicted_figure(samples: PredictedNumbers, column: str, name: str) -> Figure:
    known, file = samples.frame.dropna(subset=[column]), f"{column}-against-actual"
    line = metrics.fit_line(known["actual"].to_numpy(), known[column].to_numpy())
    values = {"name": name, "whose": in_sentence(name), "line": "", "more": ""}
    if np.isfinite(line[0]):
        values["line"] = " " + words(file, "line", slope=format_number(line[0]))
    if column == "predicted":
        more = describe_colors(samples.color_by)
        if len(samples.group_names) > MOST_COLORED_GROUPS and samples.color_by is None:
            more = " " + words(file, "groups", groups=len(samples.group_names))
        if samples.has_intervals:
            more = f" {words(file, 'intervals')}{more}"
        values["more"] = more + describe_drawn(samples.n_drawn, len(samples.frame))
    chart, n_marks = chart_predictions(samples, column, line), 2 * samples.n_drawn
    return figure(file, chart, "predictions", n_marks, datasets=samples.points, **values)


def chart_predictions(samples: PredictedNumbers, column: str, line: list[float]) -> alt.LayerChart:
    """Draw predictions (or ``baseline``) over true values, with the 1:1 and a fitted line."""
    frame, title = samples.frame, f"Predicted {samples.target}"
    # Without the ends of intervals, which would squeeze the points into the middle.
    values = frame["actual"], frame["predicted"], frame["baseline"]
    scale, axis, ends = exact(*values), number_axis(*values), style.domain_of(*values)
    x = alt.X("actual:Q", title=f"Actual {samples.target}", scale=scale, axis=axis)
    y = alt.Y(f"{column}:Q", title=title, scale=scale, axis=axis)
    has = f"isValid(datum.{column})"
    layers = [layer.transform_filter(has) for layer in _points(samples, x, y)]
    if column == "predicted" and samples.has_intervals:
        faint = float(np.clip(4 / np.sqrt(samples.n_drawn + 1), 0.12, 0.5))
        look = {"color": style.GREY, "strokeOpacity": faint, "strokeWidth": 1.2, "clip": True}
        bars = style.chart_of(POINTS).mark_rule(**look, aria=False)
        bars = bars.encode(x, alt.Y("lower:Q", title=title, scale=scale), alt.Y2("upper:Q"))
        layers.insert(0, bars.transform_filter("isValid(datum.lower)"))
    layers.append(style.line_through([(end, end) for end in ends], x, y))
    if np.isfinite(line[0]):
        fitted = [(end, line[0] * end + line[1]) for end in frame["actual"].agg(["min", "max"])]
        look = {"color": style.BLACK, "strokeWidth": 2, "strokeDash": [7, 4]}
        layers.append(style.line_through(fitted, x, y, **look))
    return themed(*layers, height=420)


def _points(samples: PredictedNumbers, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    numbers = dict.fromkeys(("actual", "predicted", "error"), ".4~g")
    if samples.has_intervals:
        numbers |= {"lower": ("interval from", ".4~g"), "upper": ("interval to", ".4~g")}
    if samples.has_baseline:
        numbers["baseline"] = ".4~g"
    crowded = samples.n_drawn > style.CROWDED
    points = style.chart_of(POINTS).mark_point(
        filled=True, size=23 if crowded else 46, fillOpacity=0.5 if crowded else 0.75,
        color=style.VERMILLION if y.shorthand == "baseline:Q" else style.BLUE,
        aria=False,  # a screen reader gains nothing from a thousand points
    ).encode(x, y)  # fmt: skip
    names = samples.group_names
    if samples.color_by is None and 1 < len(names) <= MOST_COLORED_GROUPS:
        points = points.encode(*style.marks_by_name("group:N", names, samples.group_name))
    shown = ["sample", *(["group"] if names else [])]
    return color_layers(points, tips(*shown, **numbers), samples.color_by)


def _errors_figure(samples: PredictedNumbers) -> Figure:
    """Draw errors over true values, with the median error in ranges of the true value."""
    frame = samples.frame
    axis, title = number_axis(frame["actual"]), f"Actual {samples.target}"
    x, y = alt.X("actual:Q", title=title, scale=exact(), axis=axis), _error_axis(samples, alt.Y)
    layers = [style.rule_at("y"), *_points(samples, x, y)]
    n_ranges = int(np.clip(len(frame) // 8, 1, 10))  # equally filled
    ranges = pd.qcut(frame["actual"], n_ranges, duplicates="drop")
    medians = frame.groupby(ranges, observed=True)[["actual", "error"]].median()
    if len(medians) > 1:
        line = style.chart_of(medians.to_dict("records"))
        point = {"color": style.BLACK, "size": 50}
        line = line.mark_line(point=point, color=style.BLACK, strokeWidth=2)
        layers.append(line.encode(x, y))
    file, points = "errors-against-actual", samples.points
    return figure(file, themed(*layers), "predictions", samples.n_drawn, datasets=points)


def _error_axis(samples: PredictedNumbers, channel, **options):
    title = f"Error (predicted {style.MINUS} actual {samples.target})"
    options = {"scale": alt.Scale(padding=style.EDGE), **options}
    return channel("error:Q", title=title, axis=number_axis(samples.frame["error"]), **options)


def chart_error_distribution(samples: PredictedNumbers) -> alt.LayerChart:
    """Draw how many samples have which error, counted over all samples, an edge at zero."""
    errors = samples.frame["error"]
    low, high = style.domain_of(errors)
    bins = alt.Bin(maxbins=int(np.clip(2 * np.sqrt(len(errors)), 8, 40)))
    if np.ptp(errors) <= 1e-9 * errors.abs().max():  # one bar
        bins = alt.Bin(extent=[low, high], step=high - low)
    records = [{"error": style.short(error)} for error in errors]
    bars = style.chart_of(records).mark_bar(color=style.BLUE, stroke="white", strokeWidth=1)
    bars = bars.encode(_error_axis(samples, alt.X, bin=bins, scale=alt.Scale()))
    return themed(bars.encode(style.count_samples()), style.rule_at("x"))


def _share_figure(samples: PredictedNumbers, scores: Scores, names: dict) -> Figure:
    """Draw, by quantiles, which share of the samples each predictor predicts to within an error."""
    shares, actual = np.linspace(0, 1, 101).round(2), samples.frame["actual"]
    tables, looks = [], {}
    for key, predicted in predictions_of(samples, scores.dummy).items():
        errors = np.quantile((predicted - actual).abs()[samples.common], shares)
        name = "dummy" if key == DUMMY else names[key]
        columns, looks[name] = {"predictor": name, "share": shares, "error": errors}, LOOKS[key]
        tables.append(pd.DataFrame(columns, [f"{name}: {format_fraction(one)}" for one in shares]))
    table = pd.concat(tables)
    axis, title = number_axis(table["error"]), f"Absolute error of {samples.target}, at most"
    records = table.assign(error=table["error"].map(style.short)).to_dict("records")
    chart = style.chart_of(records).mark_line(strokeWidth=2.5).encode(
        alt.X("error:Q", title=title, axis=axis),
        alt.Y("share:Q", title="Share of samples", axis=alt.Axis(format="%")),
        *style.lines_by_name("predictor:N", looks),
        tooltip=tips("predictor", error=".4~g", share=".0%"),
    )  # fmt: skip
    dummy = {"dummy": format_number(scores.dummy), "dummy_is": scores.dummy_is}
    return figure("share-within-error", themed(chart), table, **dummy)


def _group_figure(samples: PredictedNumbers, groups: pd.DataFrame) -> Figure:
    """Draw every error of the groups predicted worst, and each group's median."""
    worst, x = groups.iloc[:MOST_GROUPS], _error_axis(samples, alt.X)
    shown = list(worst.index)
    y = alt.Y("group:N", title=None, sort=shown, scale=alt.Scale(domain=shown))
    medians = worst.reset_index().rename(columns={"median_error": "error"})
    medians = medians[["group", "error", "samples"]].to_dict("records")
    dots = style.chart_of(POINTS).mark_circle(
        color=style.BLUE, fillOpacity=0.55, size=40, aria=False
    ).encode(x, y, tooltip=tips("sample", "group", error=".4~g"))  # fmt: skip
    dots = dots.transform_filter(alt.FieldOneOfPredicate(field="group", oneOf=shown))
    ticks = style.chart_of(medians).mark_tick(color=style.BLACK, thickness=3, size=15)
    ticks = ticks.encode(x, y, tooltip=tips("group", error=("median error", ".4~g"), samples="d"))
    chart = themed(style.rule_at("x"), dots, ticks, height=24 * len(shown) + 6)
    file, counts = "error-by-group", {"shown": len(shown), "groups": len(groups)}
    more = " " + words(file, "more", **counts) if len(shown) < len(groups) else ""
    values = {"datasets": samples.points, "name": samples.group_name, "more": more}
    return figure(file, chart, "groups", samples.n_drawn, True, **values)
