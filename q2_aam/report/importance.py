"""The features that predictions rest on: joined with their DNA, taxa and abundances, and shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from ..data.sequences import is_dna
from ..errors import AAMError, counted, examples, no_shared_ids
from .formatting import format_fraction, format_like, format_number
from .page import Cell, Column, Download, Fasta, Figure, Figures, Note, Section, Table, figure
from .style import BLUE, CATEGORIES, GREEN, PURPLE, by_name, chart_of, short, themed, tips
from .words import words

MOST_LISTED = 100
MOST_DRAWN, MOST_IN_HEATMAP, MOST_SAMPLES = 20, 30, 200
RAISES, LOWERS = "raises", "lowers"
_ROWS_SHOWN = 20
_LONGEST_NAME = 22
# what a rank holds where nobody knows more
_SAYS_NOTHING = re.compile(
    r"^(|uncultured.*|unidentified.*|unclassified.*|unassigned|unknown.*|ambiguous.*|metagenome|"
    r".*_metagenome|.* metagenome|n/?a|none)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ImportantFeatures:
    """Features by importance.

    Attributes
    ----------
    frame : pd.DataFrame
        Index: feature id, the most important first, at most `MOST_LISTED`. Columns: rank,
        importance, share (of the importance of all features), effect (what the feature does to
        predictions), taxon and sequence (None where unknown).
    n_features : int
        How many the importance tells of.
    effects : list of str
        The words that occur as effects, in the order of a legend; empty if nothing is known.
    of_classes : bool
        Whether effects are on classes.
    table : biom.Table or None
        Their abundances.
    """

    frame: pd.DataFrame
    n_features: int
    effects: list[str]
    of_classes: bool
    table: object = None


def join_important_features(
    importance: pd.DataFrame,
    sequences: Mapping[str, str] | None = None,
    taxa: Mapping[str, str] | None = None,
    table=None,
) -> ImportantFeatures:
    """Rank features and look up what is known of them.

    Parameters
    ----------
    importance : pd.DataFrame
        Index: feature id. From feature-importance, or of another method of q2-sample-classifier:
        then the column ``importance``, or else the sum of all columns, ranks.
    sequences, taxa : mapping of str to str, optional
        By feature id. An id that is DNA needs no sequence.
    table : biom.Table, optional

    Raises
    ------
    AAMError
        If there is no feature, a value is no finite number, or the others are of other features.
    """
    _require_finite(importance)
    features = set(importance.index)
    of_table = None if table is None else table.ids("observation")
    for name, known in (
        ("the sequences", sequences),
        ("the taxonomy", taxa),
        ("the table", of_table),
    ):
        if known is not None and not features & set(known):
            raise no_shared_ids("the importance", list(importance.index), name, list(known))
    ranks = importance["importance"] if "importance" in importance else importance.sum(axis=1)
    ranks = ranks.sort_values(ascending=False, kind="stable")
    shown = ranks.index[:MOST_LISTED]
    effect, effects, of_classes = _name_effects(importance.loc[shown])
    total = float(ranks.sum())
    sequences, taxa = sequences or {}, taxa or {}
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(shown) + 1),
            "importance": ranks[shown],
            "share": ranks[shown] / total if total > 0 else np.nan,
            "effect": effect,
            "taxon": [taxa.get(name) for name in shown],
            "sequence": [
                str(sequences[name])
                if name in sequences
                else name.upper()
                if is_dna(name)
                else None
                for name in shown
            ],
        },
        index=pd.Index(shown, name="id"),
    )
    return ImportantFeatures(frame, len(importance), effects, of_classes, table)


def _require_finite(importance: pd.DataFrame) -> None:
    if importance.empty:
        raise AAMError("The importance holds no feature. Give that of feature-importance.")
    wrong = importance.index[~np.isfinite(importance.to_numpy(float)).all(axis=1)]
    if len(wrong):
        raise AAMError(
            f"{counted(len(wrong), 'feature')} of {len(importance):,} have an importance that is "
            f"no finite number: {examples(wrong)}. Compute it anew with feature-importance."
        )


def _name_effects(importance: pd.DataFrame) -> tuple[list, list[str], bool]:
    """Say what each feature does: to a number, or to the class that it moves most."""
    if {RAISES, LOWERS} <= set(importance):
        raised = importance[RAISES] >= importance[LOWERS]
        return [RAISES if up else LOWERS for up in raised], [RAISES, LOWERS], False
    classes = [
        name.removeprefix(f"{RAISES} ") for name in importance if name.startswith(f"{RAISES} ")
    ]
    if not classes or any(f"{LOWERS} {name}" not in importance for name in classes):
        return [None] * len(importance), [], False
    raised, lowered = (
        importance[[f"{effect} {name}" for name in classes]].to_numpy(float)
        for effect in (RAISES, LOWERS)
    )
    # of two classes what one gains the other loses: naming what is gained is enough
    return [classes[place] for place in (raised - lowered).argmax(axis=1)], classes, True


def section_of_importance(
    features: ImportantFeatures | None, actual: pd.Series, target: str
) -> list[Section]:
    """Show features in a chart, a heatmap if there is a table, and a table; empty without any.

    Parameters
    ----------
    features : ImportantFeatures or None
    actual : pd.Series
        True value or class of each evaluated sample.
    target : str
        Name of the metadata column.
    """
    if features is None:
        return []
    figures = [_importance_figure(features, target)]
    if features.table is not None:
        figures += _heatmap_figures(features, actual, target)
    frame = features.frame
    blocks = [
        Figures(figures),
        Note(_describe_list(features), "importance-note"),
        _table(features, target),
    ]
    known = frame["sequence"].dropna()
    if len(known):
        blocks.append(Fasta("importance-fasta", known.to_dict()))
    kept = frame.dropna(axis="columns", how="all")
    blocks.append(Download("importance", "these features", kept))
    return [Section("important", "Features", "Which features matter", blocks)]


def _table(features: ImportantFeatures, target: str) -> Table:
    frame = features.frame
    columns = [Column("Rank", number=True), Column("Feature"), Column("Importance", number=True)]
    has_taxa, has_sequences = frame["taxon"].notna().any(), frame["sequence"].notna().any()
    columns += [Column("Taxon")] if has_taxa else []
    columns += [Column("What it does")] if features.effects else []
    columns += [Column("Sequence")] if has_sequences else []
    rows = []
    for name, row in zip(frame.index, frame.to_dict("records"), strict=True):
        is_its_sequence = row["sequence"] is not None and name.upper() == row["sequence"]
        cells = [str(row["rank"]), "its sequence" if is_its_sequence else name]
        cells.append(format_like(row["importance"], frame["importance"].iloc[0]))
        cells += [row["taxon"] or ""] if has_taxa else []
        cells += [_describe_effect(features, row["effect"], target)] if features.effects else []
        cells += [Cell(sequence=row["sequence"] or "")] if has_sequences else []
        rows.append(cells)
    return Table("importance-table", columns, rows, shown=_ROWS_SHOWN)


def _describe_effect(features: ImportantFeatures, effect: str | None, target: str) -> str:
    if effect is None:
        return ""
    return f"makes '{effect}' more probable" if features.of_classes else f"{effect} {target}"


def _describe_list(features: ImportantFeatures) -> str:
    listed, share = len(features.frame), features.frame["share"].sum()
    note = f"Listed are {listed:,} of {features.n_features:,} features"
    if listed < features.n_features and share > 0:
        note += f", which hold {format_fraction(share)} of the importance of all"
    note = f"{note}. {words('notes', 'causes')}"
    without = int(features.frame["sequence"].isna().sum())
    return f"{note} {words('notes', 'no_sequence', without=without)}" if without else note


def _importance_figure(features: ImportantFeatures, target: str) -> Figure:
    n_drawn, title, meaning = min(MOST_DRAWN, len(features.frame)), "Importance", "plain"
    if features.effects and features.of_classes:
        title, meaning = "Probability moved in a sample, on average", "of_classes"
    elif features.effects:
        title, meaning = f"Change of predicted {target}, on average", "of_number"
    which = f"The {n_drawn} features that matter most"
    return figure(
        name := "importance-of-features", chart_importance(features, title), "importance",
        n_drawn, wide=True, meaning=words(name, meaning, target=target),
        which=which if n_drawn > 1 else "The feature that matters",
    )  # fmt: skip


def chart_importance(features: ImportantFeatures, title: str) -> alt.Chart:
    """Draw a bar for each of the most important features, colored by what it does."""
    drawn = features.frame.iloc[:MOST_DRAWN]
    records = [
        {
            "feature": f"{row['rank']}. {label_feature(name, row['taxon'])}",
            "id": name,
            "importance": short(row["importance"]),
            "effect": row["effect"] or "",
            "taxon": row["taxon"] or "",
        }
        for name, row in zip(drawn.index, drawn.to_dict("records"), strict=True)
    ]
    order, shown = [record["feature"] for record in records], ["id"]
    shown += ["taxon"] if drawn["taxon"].notna().any() else []
    shown += ["effect"] if features.effects else []
    axis = alt.Axis(labelLimit=220)
    bars = chart_of(records).mark_bar(color=BLUE).encode(
        alt.X("importance:Q", title=title),
        alt.Y("feature:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=axis),
        tooltip=tips(*shown, importance=".3~g"),
    )  # fmt: skip
    colors = CATEGORIES if features.of_classes else [GREEN, PURPLE]
    if 0 < len(features.effects) <= len(colors):
        title = "makes more probable" if features.of_classes else None
        bars = bars.encode(by_name(alt.Color, "effect:N", features.effects, colors, title=title))
    return themed(bars, height=22 * len(records) + 10)


def label_feature(name: str, taxon: str | None) -> str:
    """Name a feature beside its bar: ``g. Lachnospiraceae · 68c2c3``.

    The taxon is the last rank that says something; the id is cut, one that is DNA to the start of
    its MD5 sum, which DADA2 and Deblur take for ids.
    """
    if is_dna(name):
        name = hashlib.md5(name.upper().encode(), usedforsecurity=False).hexdigest()
    known = last_known_rank(taxon or "")
    if known:
        return f"{_cut(known, _LONGEST_NAME)} \u00b7 {name[:6]}"
    return _cut(name, _LONGEST_NAME // 2)


def last_known_rank(taxon: str) -> str:
    """Return the last rank of a taxon that is named, as ``g. Bacteroides``."""
    genus, found = "", ""
    for part in taxon.split(";"):
        rank, separator, name = part.strip().partition("__")
        if not separator:
            rank, name = "", part.strip()
        name = name.strip().replace("_", " ")
        if _SAYS_NOTHING.match(name):
            continue
        rank = rank.lower()
        genus = name if rank == "g" else genus
        if rank == "s" and genus and not name.startswith(genus):
            name = f"{genus} {name}"
        found = f"{rank}. {name}" if rank else name
    return found


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}\u2026"


def _heatmap_figures(features: ImportantFeatures, actual: pd.Series, target: str) -> list[Figure]:
    cells = _abundances(features, actual)
    if cells is None:
        return []
    by_class, shown = not pd.api.types.is_numeric_dtype(actual), cells["column"].nunique()
    some = "" if shown == len(actual) else f" ({shown:,} of {len(actual):,}, evenly spaced)"
    columns = words(
        "abundance-heatmap", "classes" if by_class else "samples", target=target, some=some
    )
    along, chart = "by class" if by_class else f"along {target}", chart_heatmap(cells, target)
    numbers = cells.set_index("feature").drop(columns="log_reads")
    return [
        figure("abundance-heatmap", chart, numbers, len(cells), True, columns=columns, along=along)
    ]


def _abundances(features: ImportantFeatures, actual: pd.Series) -> pd.DataFrame | None:
    """Return a row for each cell: feature, its label, column, its place, actual, reads, log."""
    table = features.table
    samples = [name for name in actual.index if table.exists(name, "sample")]
    names = [n for n in features.frame.index[:MOST_IN_HEATMAP] if table.exists(n, "observation")]
    if not samples or not names:
        return None
    actual = actual[samples].sort_values(kind="stable")
    by_class = not pd.api.types.is_numeric_dtype(actual)
    if not by_class and len(actual) > MOST_SAMPLES:
        actual = actual.iloc[np.linspace(0, len(actual) - 1, MOST_SAMPLES).round().astype(int)]
    columns = [table.index(name, "sample") for name in actual.index]
    rows = [table.index(name, "observation") for name in names]
    counts = table.matrix_data.tocsc()[:, columns]
    totals = np.maximum(np.asarray(counts.sum(axis=0)).ravel(), 1e-300)
    reads = pd.DataFrame(
        1e4 * counts.tocsr()[rows].toarray() / totals, index=names, columns=actual.index
    )
    labels = {
        name: f"{row['rank']}. {label_feature(name, row['taxon'])}"
        for name, row in features.frame.loc[names].iterrows()
    }
    if by_class:
        reads = reads.T.groupby(actual.astype(str)).mean().T
    long = reads.rename_axis(index="feature", columns="column").stack().rename("reads")
    long = long.reset_index()
    long["label"] = long["feature"].map(labels)
    long["actual"] = long["column"] if by_class else long["column"].map(actual)
    long["log_reads"] = np.log10(1 + long["reads"])
    return long


def chart_heatmap(cells: pd.DataFrame, target: str) -> alt.Chart:
    """Draw how abundant features are; see `_abundances` for the cells."""
    columns, labels = list(dict.fromkeys(cells["column"])), list(dict.fromkeys(cells["label"]))
    by_class = not pd.api.types.is_numeric_dtype(cells["actual"])
    records = [
        {
            "feature": cell["label"],
            "sample": cell["column"],
            "actual": cell["actual"] if by_class else format_number(cell["actual"]),
            "reads": short(cell["reads"]),
            "level": short(cell["log_reads"]),
        }
        for cell in cells.to_dict("records")
    ]
    axis = alt.Axis(labels=by_class, ticks=False, grid=False, labelAngle=-40, labelLimit=110)
    title = target if by_class else f"Samples by {target}, lowest to highest"
    shown = ["feature", *([] if by_class else ["sample"])]
    legend = alt.Legend(
        labelExpr="format(pow(10, datum.value) - 1, '.2~s')", gradientLength=200, tickCount=4
    )
    scale = alt.Scale(range=["#F7F7F7", "#5E3C99"], domainMin=0)
    chart = chart_of(records).mark_rect(aria=False).encode(
        alt.X("sample:N", title=title, sort=columns, axis=axis),
        alt.Y("feature:N", title=None, sort=labels, axis=alt.Axis(grid=False, labelLimit=220)),
        alt.Color("level:Q", title="Of 10,000 reads", scale=scale, legend=legend),
        tooltip=[
            *tips(*shown), alt.Tooltip("actual:N", title=target),
            *tips(reads=("of 10,000 reads", ".3~g")),
        ],
    )  # fmt: skip
    return themed(chart, height=22 * len(labels) + 10)
