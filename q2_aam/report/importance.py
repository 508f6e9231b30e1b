"""The features that predictions rest on: joined with their DNA, taxa and abundances, and shown."""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..data.sequences import is_dna
from ..errors import AAMError, counted, examples, no_shared_ids
from . import style
from .formatting import format_fraction, format_like, format_number, natural_order, words
from .page import Cell, Download, Fasta, Figure, Section, Table, Text, figure, table_of
from .style import short, tips

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


class ImportantFeatures(NamedTuple):
    """The most important features first, at most `MOST_LISTED`, by id: rank, importance, share (of
    the importance of all), effect (on predictions), taxon and sequence (None where unknown).
    """

    frame: pd.DataFrame
    n_features: int  # that the importance tells of
    effects: list[str]  # that occur, in the order of a legend; empty if nothing is known
    of_classes: bool  # whether effects are on classes
    table: object = None  # biom.Table of their abundances


def join_important_features(
    importance: pd.DataFrame, sequences: Mapping[str, str] | None = None,
    taxa: Mapping[str, str] | None = None, table=None,
) -> ImportantFeatures:  # fmt: skip
    """Rank features, and look up by their ids what is known of them; `AAMError` if nothing fits.

    The importance is from feature-importance, or of another method of q2-sample-classifier: then
    the column ``importance``, or else the sum of all columns, ranks.
    """
    if importance.empty:
        raise AAMError("The importance holds no feature. Give that of feature-importance.")
    wrong = importance.index[~np.isfinite(importance.to_numpy(float)).all(axis=1)]
    if len(wrong):
        raise AAMError(
            f"{counted(len(wrong), 'feature')} of {len(importance):,} have an importance that is "
            f"no finite number: {examples(wrong)}. Compute it anew with feature-importance."
        )
    of_table = None if table is None else table.ids("observation")
    others = {"the sequences": sequences, "the taxonomy": taxa, "the table": of_table}
    for name, known in others.items():
        if known is not None and not set(importance.index) & set(known):
            raise no_shared_ids("the importance", list(importance.index), name, list(known))
    ranks = importance["importance"] if "importance" in importance else importance.sum(axis=1)
    ranks, total = ranks.sort_values(ascending=False, kind="stable"), float(ranks.sum())
    frame = ranks.head(MOST_LISTED).rename("importance").rename_axis("id").to_frame()
    effect, effects, of_classes = _name_effects(importance.loc[frame.index])
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    frame["share"] = frame["importance"] / total if total > 0 else np.nan
    frame["effect"] = effect
    frame["taxon"] = [(taxa or {}).get(name) for name in frame.index]
    # an id that is DNA needs no sequence
    dna = {name: name.upper() for name in frame.index if is_dna(name)} | dict(sequences or {})
    frame["sequence"] = [str(dna[name]) if name in dna else None for name in frame.index]
    return ImportantFeatures(frame, len(importance), effects, of_classes, table)


def _name_effects(importance: pd.DataFrame) -> tuple[list, list[str], bool]:
    """Say what each feature does: to a number, or to the class that it moves most."""
    if {RAISES, LOWERS} <= set(importance):
        raised = importance[RAISES] >= importance[LOWERS]
        return [RAISES if up else LOWERS for up in raised], [RAISES, LOWERS], False
    start = f"{RAISES} "
    classes = [name.removeprefix(start) for name in importance if name.startswith(start)]
    if not classes or any(f"{LOWERS} {name}" not in importance for name in classes):
        return [None] * len(importance), [], False
    up, down = (importance[[f"{w} {name}" for name in classes]] for w in (RAISES, LOWERS))
    moved = up.set_axis(classes, axis=1) - down.set_axis(classes, axis=1)
    # of two classes what one gains the other loses: naming what is gained is enough
    classes.sort(key=natural_order)  # and so the colors, as in the page's other charts
    return moved.idxmax(axis=1).tolist(), classes, True


def section_of_importance(
    features: ImportantFeatures | None, actual: pd.Series, target: str
) -> list[Section]:
    """Show features in a chart, a heatmap if there is a table, and a table; empty without any."""
    if features is None:
        return []
    figures = [_importance_figure(features, target)]
    if features.table is not None:
        figures += _heatmap_figures(features, actual, target)
    frame = features.frame
    known, listed, share = frame["sequence"].dropna(), len(frame), frame["share"].sum()
    held = f", which hold {format_fraction(share)} of the importance of all"
    held = held if listed < features.n_features and share > 0 else ""
    note = words("notes", "listed", listed=listed, features=features.n_features, share=held)
    if len(known) < listed:
        note += " " + words("notes", "no_sequence", without=listed - len(known))
    blocks = [figures, Text(note, "importance-note"), _table(features, target)]
    if len(known):
        blocks.append(Fasta("importance-fasta", known.to_dict()))
    kept = frame.dropna(axis="columns", how="all")
    blocks.append(Download("importance", "these features", kept))
    return [Section("important", "Features", "Which features matter", blocks)]


def _table(features: ImportantFeatures, target: str) -> Table:
    frame = features.frame
    largest, known = frame["importance"].iloc[0], frame["sequence"].notna()
    is_its_sequence = frame.index.str.upper() == frame["sequence"]
    columns = [
        ("Rank", frame["rank"].astype(str), True),
        ("Feature", np.where(is_its_sequence, "its sequence", frame.index)),
        ("Importance", [format_like(v, largest) for v in frame["importance"]], True),
    ]
    if frame["taxon"].notna().any():
        columns.append(("Taxon", [taxon or "" for taxon in frame["taxon"]]))
    if features.effects:
        what = "makes '{0}' more probable" if features.of_classes else "{0} {1}"
        columns.append(("What it does", [what.format(one, target) for one in frame["effect"]]))
    if known.any():
        columns.append(("Sequence", [Cell(sequence=one or "") for one in frame["sequence"]]))
    return table_of("importance-table", columns, _ROWS_SHOWN)


def _importance_figure(features: ImportantFeatures, target: str) -> Figure:
    """Draw a bar for each of the most important features, colored by what it does."""
    title, meaning = "Importance", "plain"
    if features.effects and features.of_classes:
        title, meaning = "Probability moved in a sample, on average", "of_classes"
    elif features.effects:
        title, meaning = f"Change of predicted {target}, on average", "of_number"
    drawn = features.frame.iloc[:MOST_DRAWN]
    order, shown = [*_labels(drawn).values()], ["id"]
    records = drawn[["importance", "effect", "taxon"]].rename_axis("id").reset_index()
    records.insert(0, "feature", order)
    records = records.fillna("").assign(importance=records["importance"].map(short))
    records = records[["feature", "id", "importance", "effect", "taxon"]].to_dict("records")
    shown += ["taxon"] if drawn["taxon"].notna().any() else []
    shown += ["effect"] if features.effects else []
    scale, axis = alt.Scale(domain=order), alt.Axis(labelLimit=220)
    bars = style.chart_of(records).mark_bar(color=style.BLUE).encode(
        alt.X("importance:Q", title=title),
        alt.Y("feature:N", title=None, sort=order, scale=scale, axis=axis),
        tooltip=tips(*shown, importance=".3~g"),
    )  # fmt: skip
    colors = style.CATEGORIES if features.of_classes else [style.GREEN, style.PURPLE]
    if 0 < len(features.effects) <= len(colors):
        look = {"title": "makes more probable" if features.of_classes else None}
        bars = bars.encode(style.by_name(alt.Color, "effect:N", features.effects, colors, **look))
    which = f"The {len(drawn)} features that matter most"
    which = which if len(drawn) > 1 else "The feature that matters"
    file, chart = "importance-of-features", style.themed(bars, height=22 * len(drawn) + 10)
    values = {"which": which, "meaning": words(file, meaning, target=target)}
    return figure(file, chart, "importance", len(drawn), True, **values)


def _labels(frame: pd.DataFrame) -> dict[str, str]:
    of_each = zip(frame.index, frame["rank"], frame["taxon"], strict=True)
    return {name: f"{rank}. {label_feature(name, taxon)}" for name, rank, taxon in of_each}


def label_feature(name: str, taxon: str | None) -> str:
    """Name a feature by its last rank that says something and its short id; of DNA that is its MD5
    sum, as in DADA2 and Deblur: ``g. Lachnospiraceae · 68c2c3``.
    """
    if is_dna(name):
        name = hashlib.md5(name.upper().encode(), usedforsecurity=False).hexdigest()
    genus, known = "", ""
    for part in (taxon or "").split(";"):
        rank, separator, called = part.strip().partition("__")
        rank, called = (rank.lower(), called) if separator else ("", rank)
        called = called.strip().replace("_", " ")
        if _SAYS_NOTHING.match(called):
            continue
        genus = called if rank == "g" else genus
        if rank == "s" and genus and not called.startswith(genus):
            called = f"{genus} {called}"
        known = f"{rank}. {called}" if rank else called
    known = f"{_cut(known, _LONGEST_NAME)} \u00b7 {name[:6]}" if known else ""
    return known or _cut(name, _LONGEST_NAME // 2)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}\u2026"


def _abundances(features: ImportantFeatures, actual: pd.Series) -> pd.DataFrame | None:
    """Return a row for each cell: feature, column (its place), reads, label, actual."""
    table, by_class = features.table, not is_numeric_dtype(actual)
    samples = [name for name in actual.index if table.exists(name, "sample")]
    names = [n for n in features.frame.index[:MOST_IN_HEATMAP] if table.exists(n, "observation")]
    if not samples or not names:
        return None
    actual = actual[samples].sort_values(kind="stable")
    if not by_class and len(actual) > MOST_SAMPLES:
        actual = actual.iloc[np.linspace(0, len(actual) - 1, MOST_SAMPLES).round().astype(int)]
    columns = [table.index(name, "sample") for name in actual.index]
    rows = [table.index(name, "observation") for name in names]
    counts = table.matrix_data.tocsc()[:, columns]
    totals = np.maximum(np.asarray(counts.sum(axis=0)).ravel(), 1e-300)
    reads = pd.DataFrame(1e4 * counts.tocsr()[rows].toarray() / totals, names, actual.index)
    if by_class:
        reads = reads.T.groupby(actual.astype(str)).mean().T
    cells = reads.rename_axis(index="feature", columns="column").stack().rename("reads")
    cells = cells.reset_index()
    cells["label"] = cells["feature"].map(_labels(features.frame.loc[names]))
    cells["actual"] = cells["column"] if by_class else cells["column"].map(actual)
    return cells


def _heatmap_figures(features: ImportantFeatures, actual: pd.Series, target: str) -> list[Figure]:
    """Draw how abundant features are: a figure, or none without a sample or feature in common."""
    cells, by_class = _abundances(features, actual), not is_numeric_dtype(actual)
    if cells is None:
        return []
    shown = cells["actual"] if by_class else cells["actual"].map(format_number)
    levels, reads = np.log10(1 + cells["reads"]).map(short), cells["reads"].map(short)
    records = cells[["label", "column"]].set_axis(["feature", "sample"], axis=1)
    records = records.assign(actual=shown, reads=reads, level=levels).to_dict("records")
    columns, labels = list(cells["column"].unique()), list(cells["label"].unique())
    axis = alt.Axis(labels=by_class, ticks=False, grid=False, labelAngle=-40, labelLimit=110)
    title = target if by_class else f"Samples by {target}, lowest to highest"
    expression = "format(pow(10, datum.value) - 1, '.2~s')"
    legend = alt.Legend(labelExpr=expression, gradientLength=200, tickCount=4)
    scale = alt.Scale(range=["#F7F7F7", "#5E3C99"], domainMin=0)
    names = [*tips(*["feature", "sample"][: 2 - by_class]), alt.Tooltip("actual:N", title=target)]
    chart = style.chart_of(records).mark_rect(aria=False).encode(
        alt.X("sample:N", title=title, sort=columns, axis=axis),
        alt.Y("feature:N", title=None, sort=labels, axis=alt.Axis(grid=False, labelLimit=220)),
        alt.Color("level:Q", title="Of 10,000 reads", scale=scale, legend=legend),
        tooltip=[*names, *tips(reads=("of 10,000 reads", ".3~g"))],
    )  # fmt: skip
    some = f" ({len(columns):,} of {len(actual):,}, evenly spaced)"
    some, kind = "" if len(columns) == len(actual) else some, "classes" if by_class else "samples"
    file, chart = "abundance-heatmap", style.themed(chart, height=22 * len(labels) + 10)
    values = {"along": "by class" if by_class else f"along {target}"}
    values["columns"] = words(file, kind, target=target, some=some)
    return [figure(file, chart, cells.set_index("feature"), len(cells), True, **values)]
