"""Figures of predicted against true classes and of their probabilities."""

from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from .. import style
from ..evaluation import BASELINE, MODEL, Scores, in_sentence
from ..formatting import format_decimals, format_fraction, words
from ..metrics import CLASS_METRICS
from ..page import Figure, figure
from ..style import by_name, exact, themed, tips
from .scores import (
    MOST_DETAILED,
    ClassifierScores,
    PredictedClasses,
    calibration_error,
    tabulate_confusion,
)

MOST_WITH_SHARES = 8  # classes: more, and only the counts fit into the cells
MOST_WITH_COUNTS = 20
MOST_CURVES = len(style.CATEGORIES)
MICRO = "micro average"
_MOST_TILTED = 12
_LABEL_LENGTH = 110  # pixels
_MOST_POINTS = 200  # of one curve: more than a screen resolves
_COLORS, _DASHES = [style.BLUE, style.VERMILLION], [[1, 0], [7, 3]]  # of model and baseline


def make_figures(
    samples: PredictedClasses,
    scores: Scores,
    names: dict[str, str],
    calibration: pd.DataFrame | None,
) -> dict[str, Figure]:
    """Make every figure of the page, by name: fewer if there are very many classes."""
    figures, classes = [], list(samples.classes)
    if len(classes) <= MOST_DETAILED:
        chart = chart_class_scores(scores.rows[MODEL], classes)
        figures = [
            _confusion_figure(samples, "predicted", names[MODEL]),
            figure("scores-by-class", chart, "class-scores", 6 * len(classes)),
        ]
        if samples.has_baseline:
            figures.append(_confusion_figure(samples, "baseline", names[BASELINE]))
    if calibration is not None:
        curves = list_curves(samples, names)
        figures += _curve_figures(samples, curves) if curves else []
        figures.append(_calibration_figure(samples, calibration, names[MODEL]))
        figures.append(_confidence_figure(samples))
    return {one.name: one for one in figures}


def _confusion_figure(samples: PredictedClasses, predictor: str, name: str) -> Figure:
    n_classes, file = len(samples.classes), "confusion-matrix"
    cells = "shares" if n_classes <= MOST_WITH_SHARES else "counts"
    cells = words(file, cells if n_classes <= MOST_WITH_COUNTS else "colors")
    table = tabulate_confusion(samples, predictor)
    chart = chart_confusion(table, samples.classes, samples.target)
    file, whose = file if predictor == "predicted" else "baseline-confusion", in_sentence(name)
    return figure(file, chart, "confusion", 2 * len(table), name=name, cells=cells, whose=whose)


def chart_confusion(table: pd.DataFrame, classes, target: str) -> alt.LayerChart:
    """Draw a confusion matrix: a row for each true class, colored by the share of that row."""
    n_classes, classes = len(classes), list(classes)
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=False, ticks=False, domain=False)
    # Too many or too long to stand side by side, on a phone at the latest.
    upright = max(len(name) for name in classes) * n_classes <= 24
    below = axis if upright else axis.copy()
    below["labelAngle"] = 0 if upright else -40 if n_classes <= _MOST_TILTED else -90
    below["labelOverlap"] = False
    scale = alt.Scale(domain=classes, paddingInner=0.03, paddingOuter=0)
    base = style.chart_of(_cells(table, n_classes)).encode(
        alt.X("predicted:N", title=f"Predicted {target}", scale=scale, axis=below),
        alt.Y("actual:N", title=f"Actual {target}", scale=scale, axis=axis),
    )
    legend = alt.Legend(format="%", gradientLength=200, tickCount=3)
    colors = alt.Scale(domain=[0, 0.5, 1], range=style.SHARES, interpolate="rgb")
    cells = base.mark_rect(stroke="#DDDDDD", strokeWidth=0.5).encode(
        alt.Color("share:Q", title="Share of the row", scale=colors, legend=legend),
        tooltip=tips("actual", "predicted", samples="d", share=("share of actual", ".0%")),
    )
    size = 12 if n_classes <= MOST_WITH_SHARES else 10
    numbers = base.mark_text(fontSize=size, lineBreak="\n", lineHeight=14, aria=False).encode(
        text="text:N",
        # 0.7: where white on blue becomes easier to read than black
        color=alt.condition("datum.share > 0.7", alt.value("white"), alt.value(style.BLACK)),
    )
    height = 56 if n_classes <= MOST_WITH_SHARES else 24 if n_classes <= MOST_WITH_COUNTS else 17
    return themed(cells, numbers, height=max(150, height * n_classes))


def _cells(table: pd.DataFrame, n_classes: int) -> list[dict]:
    records = table.drop(columns="share_of_actual").to_dict("records")
    for record, share in zip(records, table["share_of_actual"], strict=True):
        count = record["samples"] = int(record["samples"])
        record["share"] = style.short(share) if np.isfinite(share) else 0.0
        record["text"] = f"{count:,}" if count and n_classes <= MOST_WITH_COUNTS else ""
        if n_classes <= MOST_WITH_SHARES:
            record["text"] = f"{count:,}\n{format_fraction(share)}" if count else "0"
    return records


def chart_class_scores(scores: ClassifierScores, classes: list[str]) -> alt.LayerChart:
    """Draw precision, recall and F1 of each class with their intervals."""
    metrics = [metric for metric in CLASS_METRICS if not metric.is_area]
    labels, records = [metric.column.label for metric in metrics], []
    for name, found in zip(classes, scores.by_class, strict=True):
        for metric, label in zip(metrics, labels, strict=True):
            score, cell = found[metric.name], metric.cell(found[metric.name])
            ends = {k: style.short(v) for k, v in score._asdict().items() if np.isfinite(v)}
            if "value" in ends:
                about = {
                    "class": name,
                    "metric": label,
                    "score": cell.text,
                    "interval": cell.detail,
                }
                records.append(about | ends)
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=True, tickBand="extent")
    base = style.chart_of(records).encode(
        alt.Y("class:N", title=None, scale=alt.Scale(domain=classes, padding=0.25), axis=axis),
        alt.YOffset("metric:N", scale=alt.Scale(domain=labels, padding=0.3)),
        by_name(alt.Color, "metric:N", labels, [style.BLUE, style.SKY, style.BLACK]),
    )
    bars = base.mark_rule(strokeWidth=1.6, aria=False).transform_filter("isValid(datum.lower)")
    bars = bars.encode(alt.X("lower:Q", title="Score", scale=exact([0, 1])), alt.X2("upper:Q"))
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        alt.X("value:Q", title="Score", scale=exact([0, 1])),
        by_name(alt.Shape, "metric:N", labels, ["circle", "square", "triangle-up"]),
        tooltip=tips("class", "metric", "score", "interval"),
    )
    step = 46 if len(classes) <= MOST_WITH_COUNTS else 34
    return themed(bars, points, height=max(150, step * len(classes)))


class OneVsRest(NamedTuple):
    """One class against all others, as one predictor sees it; arrays are of shape (decisions,).

    The name, in the legend, is the class, or the predictor if there are only two classes.
    """

    name: str
    is_class: np.ndarray
    probability: np.ndarray


def list_curves(samples: PredictedClasses, names: dict[str, str]) -> list[OneVsRest]:
    """List the curves to draw: of two classes the rarer, else the model's for each class.

    Without classes that no or every sample belongs to; of more than `MOST_CURVES` the most
    frequent, in the order of the classes. The micro average of all classes comes last, and is
    alone if there are very many.
    """
    actual, classes, found = samples.codes("actual"), samples.classes, []
    if samples.positive_class is not None:
        place = classes.index(samples.positive_class)
        for predictor, name in (("predicted", names[MODEL]), ("baseline", names[BASELINE])):
            given, known = samples.probabilities_of(predictor), samples.codes(predictor) >= 0
            if given is not None:
                found.append(OneVsRest(name, actual[known] == place, given[known, place]))
        return [one for one in found if 0 < one.is_class.sum() < len(one.is_class)]
    frequency, given = np.bincount(actual, minlength=len(classes)), samples.probabilities
    usable = np.flatnonzero((frequency > 0) & (frequency < len(actual)))
    if len(classes) <= MOST_DETAILED:
        shown = sorted(usable[np.argsort(-frequency[usable], kind="stable")][:MOST_CURVES])
        found = [OneVsRest(classes[c], actual == c, given[:, c]) for c in shown]
    if len(usable):
        is_class = actual[:, None] == np.arange(len(classes))
        found.append(OneVsRest(MICRO, is_class.ravel(), given.ravel()))
    return found


def _curve_figures(samples: PredictedClasses, curves: list[OneVsRest]) -> list[Figure]:
    """Draw ROC curves with the diagonal of guessing, and precision-recall curves.

    The precision of guessing is drawn where it is one for all curves.
    """
    positive, n_curves, n_classes = samples.positive_class, len(curves), len(samples.classes)
    more, guessing = "", []
    if positive is not None:
        guess = float(curves[0].is_class.mean())
        how_rare = "as frequent as the other" if guess == 0.5 else "the rarer of the two"
        whose = words("roc", "of_two", positive=positive, how_rare=how_rare)
        share = format_fraction(guess)
        more = " " + words("precision-recall", "guess", share=share, positive=positive)
        guessing = [style.rule_at("y", guess)]
    else:
        whose = words("roc", "micro" if n_curves == 1 else "of_many")
        if 1 < n_curves <= n_classes:
            whose += " " + words("roc", "some", shown=n_curves - 1, classes=n_classes)
    rates, recalls = [], []
    for name, is_class, probability in curves:
        false, true, _ = roc_curve(is_class, probability)
        precision, recall, _ = precision_recall_curve(is_class, probability)
        rates.append(_curve_points(name, false, true))
        # The last point (recall 0, precision 1) is no threshold's: it is scikit-learn's anchor.
        recalls.append(_curve_points(name, recall[-2::-1], precision[-2::-1]))
    rates, recalls = pd.concat(rates), pd.concat(recalls)
    of_two, titles = positive is not None, ("False positive rate", "True positive rate")
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    diagonal = style.line_through([(0, 0), (1, 1)], x, y)
    left = themed(diagonal, _lines(rates, curves, of_two, titles, "linear"), height=380)
    lines = _lines(recalls, curves, of_two, ("Recall", "Precision"), "step-before")
    right = themed(*guessing, lines, height=380)
    return [
        figure("roc", left, rates, n_curves, whose=whose),
        figure("precision-recall", right, recalls, n_curves, guess=more),
    ]


def _curve_points(name: str, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    index = [f"{name} {place}" for place in range(len(places))]
    return pd.DataFrame({"curve": name, "x": x[places].round(4), "y": y[places].round(4)}, index)


def _lines(points, curves, of_two: bool, titles: tuple[str, str], interpolate: str) -> alt.Chart:
    records = [{**record, "order": place} for place, record in enumerate(points.to_dict("records"))]
    names, colors, dashes = [one.name for one in curves], _COLORS, _DASHES
    if not of_two:
        colors = [*style.CATEGORIES[: len(names) - 1], style.BLUE]
        dashes = [*style.DASHES[1 : len(names)], [1, 0]]
    # Long names of classes: two columns are what a phone has room for.
    legend = alt.Legend(columns=2 if max(map(len, names)) > 12 else 4, **style.LINES)
    lines = style.chart_of(records).mark_line(strokeWidth=2.2, interpolate=interpolate)
    return lines.encode(
        alt.X("x:Q", title=titles[0], scale=alt.Scale(domain=[0, 1])),
        alt.Y("y:Q", title=titles[1], scale=alt.Scale(domain=[0, 1])),
        by_name(alt.Color, "curve:N", names, colors, legend=legend),
        by_name(alt.StrokeDash, "curve:N", names, dashes, legend=legend),
        alt.Order("order:Q"),
        tooltip=tips("curve", x=(titles[0], ".2f"), y=(titles[1], ".2f")),
    )


def _calibration_figure(samples: PredictedClasses, table: pd.DataFrame, name: str) -> Figure:
    """Draw a table of `tabulate_calibration` with the line of perfect calibration."""
    positive, whose, was = samples.positive_class, "the predicted class", "right"
    share = "Share that was right"
    if positive is not None:
        whose, was, share = f"'{positive}'", "true", f"Share that is '{positive}'"
    names, legend = list(dict.fromkeys(table["predictor"])), alt.Legend(**style.LINES)
    x = alt.X("probability:Q", title=f"Probability of {whose}", scale=exact([0, 1]))
    y = alt.Y("share:Q", title=share, scale=exact([0, 1]))
    color = by_name(alt.Color, "predictor:N", names, _COLORS, legend=legend)
    dash = by_name(alt.StrokeDash, "predictor:N", names, _DASHES, legend=legend)
    base = style.chart_of(table.round(4).to_dict("records")).encode(x, color)
    ends = alt.Y("lower:Q", scale=exact([0, 1]), title=share), alt.Y2("upper:Q")
    numbers = {"probability": ("mean probability", ".2f"), "share": ".2f"}
    numbers |= {"lower": ("95 % interval from", ".2f"), "upper": ("to", ".2f"), "samples": "d"}
    points = base.mark_point(filled=True, size=60, opacity=1)
    chart = themed(
        style.line_through([(0, 0), (1, 1)], x, y),
        base.mark_rule(strokeWidth=1.4, aria=False).encode(*ends),
        base.mark_line(strokeWidth=1.6).encode(y, dash),
        points.encode(y, tooltip=tips("predictor", **numbers)),
        height=380,
    )
    off = format_decimals(100 * calibration_error(table[table["predictor"] == name]), 0)
    values = {"what": whose, "was": was, "name": name, "off": off}
    return figure("calibration-curve", chart, "calibration", 4 * len(table), **values)


def _confidence_figure(samples: PredictedClasses) -> Figure:
    positive = samples.positive_class
    if positive is None:
        title, what = "Probability of the predicted class", words("confidence", "of_many")
        right = samples.codes("predicted") == samples.codes("actual")
        kind, probability = np.where(right, "right", "wrong"), samples.confidence()
        kinds, colors = ["right", "wrong"], [style.SKY, style.BLACK]
    else:
        title = f"Probability of '{positive}'"
        what = words("confidence", "of_two", positive=positive)
        kind = samples.frame["actual"]
        probability = samples.probabilities[:, samples.classes.index(positive)]
        kinds, colors = list(samples.classes), style.CATEGORIES
    records = [
        {"kind": k, "probability": style.short(p)} for k, p in zip(kind, probability, strict=True)
    ]
    bins, tenths = alt.Bin(extent=[0, 1], step=0.05), [place / 10 for place in range(11)]
    axis = alt.Axis(format=".1f", values=tenths)
    bars = style.chart_of(records).mark_bar(stroke="white", strokeWidth=1).encode(
        alt.X("probability:Q", bin=bins, title=title, axis=axis),
        style.count_samples(),
        by_name(alt.Color, "kind:N", kinds, colors),
        tooltip=[*tips("kind"), alt.Tooltip("count()", title="samples")],
    )  # fmt: skip
    return figure("confidence", themed(bars, height=380), "predictions", 40, what=what)
