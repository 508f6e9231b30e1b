"""Charts of whether class probabilities mean what they say."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from .calibration import calibration_bins
from .classified_samples import ClassifiedSamples
from .probability_curves import PREDICTORS, look_of_predictors, positive_class, probabilities_of
from .theme import BLUE, GREY, VERMILLION, inline_data, themed

SURENESS_BINS = 20


def tabulate_calibration(samples: ClassifiedSamples) -> pd.DataFrame:
    """Compare probabilities with how often they were right, for the model and the baseline.

    Of two classes it is the probability of the rarer one (see `positive_class`), else the
    probability of the class that was predicted.

    Returns
    -------
    pd.DataFrame
        As `calibration_bins`, with a column ``predictor``.
    """
    actual, positive = samples.codes("actual"), positive_class(samples)
    tables = []
    for predictor, label in PREDICTORS.items():
        given, known = probabilities_of(samples, predictor)
        if given is None:
            continue
        if positive is not None:
            place = samples.classes.index(positive)
            probability, happened = given[:, place], actual == place
        else:
            probability = samples.confidence(predictor)
            happened = samples.codes(predictor) == actual
        table = calibration_bins(probability[known], happened[known])
        table.index = pd.Index([f"{label}: {name}" for name in table.index], name="id")
        table.insert(0, "predictor", label)
        tables.append(table)
    return pd.concat(tables)


def chart_sureness(samples: ClassifiedSamples, title: str) -> alt.Chart:
    """Draw how many samples got which probability, right and wrong ones (or classes) stacked.

    Of two classes it is the probability of the rarer one, as in `tabulate_calibration`.
    """
    positive = positive_class(samples)
    if positive is None:
        probability, kinds = samples.confidence(), ["right", "wrong"]
        is_first = samples.codes("predicted") == samples.codes("actual")
    else:
        place = samples.classes.index(positive)
        probability, kinds = samples.probabilities[:, place], samples.classes
        is_first = samples.codes("actual") == 0
    places = np.minimum((probability * SURENESS_BINS).astype(int), SURENESS_BINS - 1)
    records, heights = [], np.zeros(SURENESS_BINS, int)
    for kind, chosen in zip(kinds, (is_first, ~is_first), strict=True):
        counts = np.bincount(places[chosen], minlength=SURENESS_BINS)
        records += [
            {
                "kind": kind,
                "from": float(place / SURENESS_BINS),
                "to": float((place + 1) / SURENESS_BINS),
                "bottom": int(heights[place]),
                "top": int(heights[place] + counts[place]),
                "samples": int(counts[place]),
            }
            for place in np.flatnonzero(counts)
        ]
        heights += counts
    chart = (
        alt.Chart(inline_data(records))
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            alt.X("from:Q", title=title, scale=alt.Scale(domain=[0, 1])),
            alt.X2("to:Q"),
            alt.Y("bottom:Q", title="Samples", axis=alt.Axis(tickMinStep=1)),
            alt.Y2("top:Q"),
            alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=kinds, range=[BLUE, VERMILLION])
            ),
            tooltip=[
                alt.Tooltip("kind:N", title=" "),
                alt.Tooltip("from:Q", format=".2f"),
                alt.Tooltip("to:Q", format=".2f"),
                alt.Tooltip("samples:Q"),
            ],
        )
    )
    return themed(chart, height=380)


def chart_calibration(table: pd.DataFrame, probability: str, share: str) -> alt.LayerChart:
    """Draw a table of `tabulate_calibration` with the line of perfect calibration.

    Parameters
    ----------
    table : pd.DataFrame
    probability, share : str
        Titles of the axes.

    Returns
    -------
    alt.LayerChart
    """
    records = [
        {
            name: value if isinstance(value, str) else float(f"{value:.4g}")
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]
    colour, dash = look_of_predictors("predictor:N", list(dict.fromkeys(table["predictor"])))
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("probability:Q", title=probability, scale=scale)
    y = alt.Y("share:Q", title=share, scale=scale)
    base = alt.Chart(inline_data(records))
    perfect = (
        alt.Chart(inline_data([{"probability": 0, "share": 0}, {"probability": 1, "share": 1}]))
        .mark_line(color=GREY, strokeWidth=1.5)
        .encode(x, y)
    )
    bars = base.mark_rule(strokeWidth=1.4, aria=False).encode(
        x, alt.Y("lower:Q", scale=scale, title=share), alt.Y2("upper:Q"), colour
    )
    line = base.mark_line(strokeWidth=1.6).encode(x, y, colour, dash)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x,
        y,
        colour,
        tooltip=[
            alt.Tooltip("predictor:N", title=" "),
            alt.Tooltip("probability:Q", format=".2f", title="mean probability"),
            alt.Tooltip("share:Q", format=".2f"),
            alt.Tooltip("lower:Q", format=".2f", title="95 % interval from"),
            alt.Tooltip("upper:Q", format=".2f", title="to"),
            alt.Tooltip("samples:Q"),
        ],
    )
    return themed(alt.layer(perfect, bars, line, points), height=380)
