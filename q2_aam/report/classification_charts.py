"""Charts of predicted against true classes, and of the scores of each class."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .classification_metrics import BY_CLASS
from .classification_scores import ClassifierScores
from .classified_samples import ClassifiedSamples
from .number_format import format_decimals, format_share
from .theme import BLUE, GREEN, SHARE_COLOURS, VERMILLION, inline_data, themed

MOST_CLASSES_WITH_SHARES = 8  # more, and only the counts fit into the cells
MOST_CLASSES_WITH_COUNTS = 20
MOST_TILTED_CLASSES = 12
_LABEL_LENGTH = 110  # pixels


def tabulate_confusion(samples: ClassifiedSamples, predictor: str = "predicted") -> pd.DataFrame:
    """Count how often samples of each class were predicted as each class.

    Parameters
    ----------
    samples : ClassifiedSamples
    predictor : {'predicted', 'baseline'}
        Samples without such a prediction are left out.

    Returns
    -------
    pd.DataFrame
        Columns: actual, predicted (all pairs of classes), samples, share_of_actual (NaN for a
        class without samples).
    """
    actual, predicted = samples.codes("actual"), samples.codes(predictor)
    known, n_classes = predicted >= 0, len(samples.classes)
    places = actual[known] * n_classes + predicted[known]
    counts = np.bincount(places, minlength=n_classes**2).reshape(n_classes, n_classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    return pd.DataFrame(
        {
            "actual": np.repeat(np.array(samples.classes, dtype=object), n_classes),
            "predicted": np.tile(np.array(samples.classes, dtype=object), n_classes),
            "samples": counts.ravel(),
            "share_of_actual": shares.ravel(),
        }
    )


def chart_confusion(table: pd.DataFrame, classes: list[str], target: str) -> alt.LayerChart:
    """Draw a confusion matrix: a row for each true class, coloured by the share of that row.

    Parameters
    ----------
    table : pd.DataFrame
        From `tabulate_confusion`.
    classes : list of str
    target : str
        Name of the metadata column.

    Returns
    -------
    alt.LayerChart
    """
    n_classes = len(classes)
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=False, ticks=False, domain=False)
    upright = max(len(name) for name in classes) * n_classes <= 24
    # Too many or too long to stand side by side, on a phone at the latest.
    below = axis if upright else axis.copy()
    below["labelAngle"] = 0 if upright else -40 if n_classes <= MOST_TILTED_CLASSES else -90
    scale = alt.Scale(domain=classes, paddingInner=0.03, paddingOuter=0)
    x = alt.X("predicted:N", title=f"Predicted {target}", scale=scale, axis=below)
    y = alt.Y("actual:N", title=f"Actual {target}", scale=scale, axis=axis)
    base = alt.Chart(inline_data(_cells(table, n_classes)))
    cells = base.mark_rect(stroke="#DDDDDD", strokeWidth=0.5).encode(
        x,
        y,
        alt.Color(
            "share:Q",
            title="Share of the row",
            scale=alt.Scale(domain=[0, 0.5, 1], range=SHARE_COLOURS, interpolate="rgb"),
            legend=alt.Legend(format="%", gradientLength=200, tickCount=3),
        ),
        tooltip=[
            alt.Tooltip("actual:N"),
            alt.Tooltip("predicted:N"),
            alt.Tooltip("samples:Q"),
            alt.Tooltip("percent:N", title="share of actual"),
        ],
    )
    size = 12 if n_classes <= MOST_CLASSES_WITH_SHARES else 10
    numbers = base.mark_text(fontSize=size, lineBreak="\n", lineHeight=14, aria=False).encode(
        alt.X("predicted:N", scale=scale),
        alt.Y("actual:N", scale=scale),
        text="text:N",
        # 0.7: where white on blue becomes easier to read than black
        color=alt.condition("datum.share > 0.7", alt.value("white"), alt.value("#222222")),
    )
    return themed(alt.layer(cells, numbers), height=_confusion_height(n_classes))


def _cells(table: pd.DataFrame, n_classes: int) -> list[dict]:
    records = []
    for row in table.to_dict("records"):
        share, count = row["share_of_actual"], int(row["samples"])
        percent = format_share(share)
        if n_classes <= MOST_CLASSES_WITH_SHARES:
            text = f"{count:,}\n{percent}" if count else "0"
        else:
            text = f"{count:,}" if count and n_classes <= MOST_CLASSES_WITH_COUNTS else ""
        records.append(
            {
                "actual": row["actual"],
                "predicted": row["predicted"],
                "samples": count,
                "share": float(f"{share:.4g}") if np.isfinite(share) else 0.0,
                "percent": percent,
                "text": text,
            }
        )
    return records


def _confusion_height(n_classes: int) -> int:
    if n_classes <= MOST_CLASSES_WITH_SHARES:
        return max(150, 56 * n_classes)
    return 24 * n_classes if n_classes <= MOST_CLASSES_WITH_COUNTS else 17 * n_classes


def chart_class_scores(scores: ClassifierScores, classes: list[str]) -> alt.LayerChart:
    """Draw precision, recall and F1 of each class with their intervals.

    Parameters
    ----------
    scores : ClassifierScores
    classes : list of str

    Returns
    -------
    alt.LayerChart
    """
    metrics = [metric for metric in BY_CLASS if not metric.needs_probabilities]
    labels = [metric.label for metric in metrics]
    records = [
        _score_record(name, metric.label, found[metric.name])
        for name, found in zip(classes, scores.by_class, strict=True)
        for metric in metrics
        if np.isfinite(found[metric.name].value)
    ]
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=True, tickBand="extent")
    y = alt.Y("class:N", title=None, scale=alt.Scale(domain=classes, padding=0.25), axis=axis)
    offset = alt.YOffset("metric:N", scale=alt.Scale(domain=labels, padding=0.3))
    colour = alt.Color(
        "metric:N", title=None, scale=alt.Scale(domain=labels, range=[BLUE, VERMILLION, GREEN])
    )
    shapes = alt.Scale(domain=labels, range=["circle", "square", "triangle-up"])
    limits = alt.Scale(domain=[0, 1])
    base = alt.Chart(inline_data(records))
    bars = (
        base.mark_rule(strokeWidth=1.6, aria=False)
        .transform_filter("isValid(datum.lower)")
        .encode(alt.X("lower:Q", title="Score", scale=limits), alt.X2("upper:Q"), y, offset, colour)
    )
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        alt.X("value:Q", title="Score", scale=limits),
        y,
        offset,
        colour,
        alt.Shape("metric:N", title=None, scale=shapes),
        tooltip=[
            alt.Tooltip("class:N"),
            alt.Tooltip("metric:N"),
            alt.Tooltip("score:N"),
            alt.Tooltip("interval:N", title="95 % interval"),
        ],
    )
    step = 46 if len(classes) <= MOST_CLASSES_WITH_COUNTS else 34
    return themed(alt.layer(bars, points), height=max(150, step * len(classes)))


def _score_record(name: str, label: str, estimate) -> dict:
    record = {
        "class": name,
        "metric": label,
        "value": float(f"{estimate.value:.4g}"),
        "score": format_decimals(estimate.value, 2),
    }
    if estimate.lower <= estimate.upper:
        low, high = estimate.lower, estimate.upper
        record |= {"lower": float(f"{low:.4g}"), "upper": float(f"{high:.4g}")}
        record["interval"] = f"{format_decimals(low, 2)} to {format_decimals(high, 2)}"
    return record
