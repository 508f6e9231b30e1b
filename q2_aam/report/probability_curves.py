"""ROC and precision-recall curves."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from .classified_samples import ClassifiedSamples
from .theme import BLUE, CATEGORIES, GREY, VERMILLION, inline_data, themed

MOST_CURVES = len(CATEGORIES)
_MOST_POINTS = 200  # of one curve: more than a screen resolves
_LINE_SYMBOLS = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}
PREDICTORS = {"predicted": "this model", "baseline": "baseline"}
_DASHES = [[1, 0], [7, 3], [2, 3], [7, 3, 2, 3], [10, 3], [4, 2], [1, 2], [10, 2, 2, 2]]


@dataclass(frozen=True)
class Contest:
    """One class against all others, as one predictor sees it.

    Attributes
    ----------
    name : str
        In the legend: the class, or the predictor if there are only two classes.
    is_class : np.ndarray of bool, shape (samples,)
    probability : np.ndarray of shape (samples,)
    """

    name: str
    is_class: np.ndarray
    probability: np.ndarray


def positive_class(samples: ClassifiedSamples) -> str | None:
    """Return the rarer of two classes, for which curves are drawn; None with more classes."""
    if len(samples.classes) != 2:
        return None
    frequency = np.bincount(samples.codes("actual"), minlength=2)
    return samples.classes[0 if frequency[0] < frequency[1] else 1]


def list_contests(samples: ClassifiedSamples) -> list[Contest]:
    """List the curves to draw: of two classes the rarer, else the model's for each class.

    Parameters
    ----------
    samples : ClassifiedSamples
        With probabilities.

    Returns
    -------
    list of Contest
        Without classes that no or every sample belongs to; of more than `MOST_CURVES` the most
        frequent, in the order of the classes.
    """
    actual, positive = samples.codes("actual"), positive_class(samples)
    if positive is not None:
        place = samples.classes.index(positive)
        found = []
        for predictor, label in PREDICTORS.items():
            given, known = probabilities_of(samples, predictor)
            if given is not None:
                found.append(Contest(label, actual[known] == place, given[known, place]))
        return [contest for contest in found if 0 < contest.is_class.sum() < len(contest.is_class)]
    frequency = np.bincount(actual, minlength=len(samples.classes))
    usable = np.flatnonzero((frequency > 0) & (frequency < len(actual)))
    shown = sorted(usable[np.argsort(-frequency[usable], kind="stable")][:MOST_CURVES])
    return [
        Contest(samples.classes[place], actual == place, samples.probabilities[:, place])
        for place in shown
    ]


def probabilities_of(samples: ClassifiedSamples, predictor: str):
    """Return a predictor's probabilities and for which samples it has any."""
    if predictor == "predicted":
        return samples.probabilities, np.ones(len(samples.frame), bool)
    return samples.baseline_probabilities, samples.codes("baseline") >= 0


def chart_roc(contests: list[Contest]) -> alt.LayerChart:
    """Draw ROC curves, and the diagonal of guessing."""
    records = []
    for contest in contests:
        false, true, _ = roc_curve(contest.is_class, contest.probability)
        records += _curve_records(contest.name, false, true)
    curves = _curves(records, contests, "False positive rate", "True positive rate")
    diagonal = (
        alt.Chart(inline_data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
        .mark_line(color=GREY, strokeWidth=1.5)
        .encode(alt.X("x:Q"), alt.Y("y:Q"))
    )
    return themed(alt.layer(diagonal, curves), height=380)


def chart_precision_recall(contests: list[Contest], with_prevalence: bool) -> alt.LayerChart:
    """Draw precision-recall curves; with the precision of guessing, if it is one for all."""
    records = []
    for contest in contests:
        precision, recall, _ = precision_recall_curve(contest.is_class, contest.probability)
        # The last point (recall 0, precision 1) is no threshold's: it is scikit-learn's anchor.
        records += _curve_records(contest.name, recall[-2::-1], precision[-2::-1])
    layers = [_curves(records, contests, "Recall", "Precision", "step-before")]
    if with_prevalence:
        rule = alt.Chart(inline_data([{"y": float(contests[0].is_class.mean())}]))
        layers.insert(0, rule.mark_rule(color=GREY, strokeWidth=1.5).encode(alt.Y("y:Q")))
    return themed(alt.layer(*layers), height=380)


def _curve_records(name: str, x: np.ndarray, y: np.ndarray) -> list[dict]:
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    return [
        {"curve": name, "x": float(f"{x[p]:.4g}"), "y": float(f"{y[p]:.4g}"), "order": order}
        for order, p in enumerate(places)
    ]


def _curves(
    records: list[dict], contests: list[Contest], x: str, y: str, interpolate: str = "linear"
) -> alt.Chart:
    scale = alt.Scale(domain=[0, 1])
    look = look_of_predictors if {c.name for c in contests} <= set(PREDICTORS.values()) else _look
    names = [contest.name for contest in contests]
    colour, dash = look("curve:N", names)
    return (
        alt.Chart(inline_data(records))
        .mark_line(strokeWidth=2.2, interpolate=interpolate)
        .encode(
            alt.X("x:Q", title=x, scale=scale),
            alt.Y("y:Q", title=y, scale=scale),
            colour,
            dash,
            alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("curve:N", title=" "),
                alt.Tooltip("x:Q", title=x, format=".2f"),
                alt.Tooltip("y:Q", title=y, format=".2f"),
            ],
        )
    )


def _look(field: str, names: list[str]) -> tuple[alt.Color, alt.StrokeDash]:
    colours = alt.Scale(domain=names, range=CATEGORIES[: len(names)])
    dashes = alt.Scale(domain=names, range=_DASHES[: len(names)])
    # Long names of classes: two columns are what a phone has room for.
    legend = alt.Legend(columns=2 if max(map(len, names)) > 12 else 4, **_LINE_SYMBOLS)
    return (
        alt.Color(field, title=None, scale=colours, legend=legend),
        alt.StrokeDash(field, title=None, scale=dashes, legend=legend),
    )


def look_of_predictors(field: str, names: list[str]) -> tuple[alt.Color, alt.StrokeDash]:
    """Give the model and the baseline the same colours and dashes in every chart."""
    known = list(PREDICTORS.values())
    places = [known.index(name) for name in names]
    colours = alt.Scale(domain=names, range=[[BLUE, VERMILLION][place] for place in places])
    dashes = alt.Scale(domain=names, range=[[[1, 0], [7, 3]][place] for place in places])
    legend = alt.Legend(**_LINE_SYMBOLS)
    return (
        alt.Color(field, title=None, scale=colours, legend=legend),
        alt.StrokeDash(field, title=None, scale=dashes, legend=legend),
    )
