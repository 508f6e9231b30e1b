"""What a page says of the features that matter: a chart, words, a table and its download."""

from __future__ import annotations

import altair as alt
import pandas as pd

from .figure import Figure
from .important_features import LOWERS, RAISES, ImportantFeatures
from .number_format import decimals_for, format_decimals, format_share
from .theme import BLUE, CATEGORIES, VERMILLION, inline_data, themed

MOST_DRAWN = 20
_LONGEST_NAME = 14  # of an id beside its bar; ids that are DNA are cut


def describe_importance(features: ImportantFeatures, target: str) -> dict:
    """Make all that the page's section needs.

    Parameters
    ----------
    features : ImportantFeatures
    target : str
        Name of the metadata column.

    Returns
    -------
    dict
        ``figure``, ``note``, ``rows`` (cells as text), ``has_taxa``, ``has_effects``,
        ``has_sequences``.
    """
    return {
        "figure": _figure(features, target),
        "note": _note(features),
        "rows": _rows(features, target),
        "has_taxa": features.has_taxa,
        "has_effects": bool(features.effects),
        "has_sequences": features.has_sequences,
    }


def importance_download(features: ImportantFeatures) -> pd.DataFrame:
    """Return the table to download: every listed feature, unrounded, without empty columns."""
    return features.frame.dropna(axis="columns", how="all")


def chart_importance(features: ImportantFeatures, title: str) -> alt.Chart:
    """Draw a bar for each of the most important features, coloured by what it does."""
    drawn = features.frame.iloc[:MOST_DRAWN]
    records = [
        {
            "feature": f"{row['rank']}. {_short(row['taxon'] or name)}",
            "id": name,
            "importance": float(f"{row['importance']:.6g}"),
            "effect": row["effect"] or "",
            "taxon": row["taxon"] or "",
        }
        for name, row in zip(drawn.index, drawn.to_dict("records"), strict=True)
    ]
    order = [record["feature"] for record in records]
    tooltip = [alt.Tooltip("id:N"), alt.Tooltip("importance:Q", format=".3~g")]
    if features.has_taxa:
        tooltip.append(alt.Tooltip("taxon:N"))
    encodings = [
        alt.X("importance:Q", title=title),
        alt.Y("feature:N", title=None, sort=order, scale=alt.Scale(domain=order)),
    ]
    if features.effects:
        tooltip.append(alt.Tooltip("effect:N", title="raises" if features.of_classes else "effect"))
        colour = _colours(features)
        if colour is not None:
            encodings.append(colour)
    bars = alt.Chart(inline_data(records)).mark_bar(color=BLUE)
    return themed(bars.encode(*encodings, tooltip=tooltip), height=22 * len(records) + 10)


def _colours(features: ImportantFeatures) -> alt.Color | None:
    if not features.of_classes:
        scale = alt.Scale(domain=[RAISES, LOWERS], range=[BLUE, VERMILLION])
        return alt.Color("effect:N", title=None, scale=scale)
    if len(features.effects) > len(CATEGORIES):
        return None
    scale = alt.Scale(domain=features.effects, range=CATEGORIES[: len(features.effects)])
    return alt.Color("effect:N", title="makes more probable", scale=scale)


def _figure(features: ImportantFeatures, target: str) -> Figure:
    n_drawn = min(MOST_DRAWN, len(features.frame))
    if not features.effects:
        title, meaning = "Importance", "The longer a bar, the more the predictions rest on it."
    elif features.of_classes:
        title = "Probability moved in a sample, on average"
        meaning = (
            "The length is how much probability the feature moves between classes in a sample, on "
            "average over all samples (none where it is absent); the colour is the class that it "
            "makes more probable, over all."
        )
    else:
        title = f"Change of predicted {target}, on average"
        meaning = (
            f"The length is how far the feature moves the prediction of {target} in a sample, on "
            "average over all samples (0 where it is absent); the colour says whether it raises "
            "or lowers it, over all."
        )
    return Figure(
        "importance",
        f"The {n_drawn} features that matter most" if n_drawn > 1 else "The feature that matters",
        chart_importance(features, title),
        f"{meaning} Hover for the whole name.",
        n_drawn,
        wide=True,
    )


def _note(features: ImportantFeatures) -> str:
    listed = len(features.frame)
    note = f"Listed are {listed:,} of {features.n_features:,} features"
    share = features.frame["share"].sum()
    if listed < features.n_features and share > 0:
        note += f", which hold {format_share(share)} of the importance of all"
    note += (
        ". What a model rests on need not be a cause: of features that occur together either may "
        "carry the effect."
    )
    without = int(features.frame["sequence"].isna().sum())
    if without:
        note += (
            f" {without:,} of them have no sequence here: give the input 'sequences' to see their "
            "DNA."
        )
    return note


def _rows(features: ImportantFeatures, target: str) -> list[dict]:
    places = decimals_for(float(features.frame["importance"].iloc[0]))
    return [
        {
            "rank": row["rank"],
            "feature": name,
            "is_its_sequence": row["sequence"] is not None and name.upper() == row["sequence"],
            "taxon": row["taxon"] or "",
            "importance": format_decimals(row["importance"], places),
            "effect": _effect_words(features, row["effect"], target),
            "sequence": row["sequence"],
        }
        for name, row in zip(features.frame.index, features.frame.to_dict("records"), strict=True)
    ]


def _effect_words(features: ImportantFeatures, effect: str | None, target: str) -> str:
    if effect is None:
        return ""
    return f"makes '{effect}' more probable" if features.of_classes else f"{effect} {target}"


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    # the end of a taxon names it best, the start of an id is what people compare
    last = name.split(";")[-1].strip()
    if last != name and last:
        return last if len(last) <= 2 * _LONGEST_NAME else f"{last[: 2 * _LONGEST_NAME]}\u2026"
    return f"{name[:_LONGEST_NAME]}\u2026"
