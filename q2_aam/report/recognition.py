"""How a model recognizes the reads of samples: on pages of evaluations, and the page of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..data.matching import CLADES_ONLY
from ..errors import AAMError, counted, examples
from .formatting import format_count, format_fraction
from .page import (
    Card,
    Cell,
    Column,
    Definitions,
    Download,
    Fasta,
    Figure,
    Figures,
    Note,
    Section,
    Table,
    figure,
    write_page,
)
from .style import (
    BLACK,
    BLUE,
    BROWN,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    by_name,
    chart_of,
    count_samples,
    exact,
    percent_axis,
    short,
    themed,
    tips,
)
from .words import keys, parts, words

SHARES = {name: Column(*parts("recognition", name)[:1], True, parts("recognition", name)[1])
          for name in keys("recognition")}  # fmt: skip
WELL_RECOGNIZED, HALF = 0.95, 0.5
_ROUNDING = 0.01
_MOST_BARS = 60  # samples with a bar each
_ROWS_SHOWN = 20


def read_shares(frame: pd.DataFrame | None, name: str) -> pd.DataFrame | None:
    """Return the shares of each sample; None if there are none.

    Raises
    ------
    AAMError
        If they are no shares that add up to 1.
    """
    if frame is not None and CLADES_ONLY in frame.columns:
        return frame[[CLADES_ONLY]]
    if frame is None or not set(SHARES) <= set(frame.columns):
        return None
    shares = frame[list(SHARES)].apply(pd.to_numeric, errors="coerce").astype(float)
    given = shares.notna().any(axis=1)
    values = shares[given].to_numpy()
    sound = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= _ROUNDING)
    wrong = shares.index[given][~sound]
    if len(wrong):
        raise AAMError(
            f"{name} say of {counted(len(wrong), 'sample')} how reads were recognized in shares "
            f"that do not add up to 1: {examples(wrong)}. Give them as the prediction wrote them."
        )
    return shares


def recognized(shares: pd.DataFrame) -> pd.Series:
    """Return the share of each sample's reads that the model recognizes in any way."""
    return (1 - shares["embedding_only"]).clip(0, 1).rename("recognized")


def describe_recognition(shares: pd.DataFrame | None) -> str:
    """Say how the reads were recognized; empty if that is not known."""
    if shares is not None and CLADES_ONLY in shares:
        return words("notes", "clades_only")
    if shares is None or shares["embedding_only"].isna().all():
        return ""
    known = shares.dropna()
    same, overlapping, strange = (format_fraction(known[name].mean()) for name in SHARES)
    text = (
        f"On average {same} of a sample's reads are ASVs of the model, {overlapping} overlap with "
        f"one, and {strange} are not recognized."
    )
    few = int((recognized(known) < HALF).sum())
    if few:
        text += f" In {counted(few, 'sample')} of {len(known):,} most reads are not recognized."
    return text


def recognition_blocks(
    shares: pd.DataFrame | None, error: pd.Series, y_title: str, is_mistake: bool = False
) -> list:
    """Show on an evaluation's page how reads were recognized, and whether errors follow it.

    Parameters
    ----------
    error : pd.Series
        Absolute error of each sample, or whether it is a mistake.
    """
    sentence = describe_recognition(shares)
    if not sentence:
        return []
    blocks = [Note(sentence, "recognition")]
    if CLADES_ONLY in shares:
        return blocks
    frame = pd.DataFrame({"recognized": recognized(shares), "error": error}).dropna()
    if len(frame) and frame["recognized"].min() < WELL_RECOGNIZED:
        chart = _histogram(frame) if is_mistake else _chart_errors(frame, y_title)
        what = words("error-by-recognition", "mistakes" if is_mistake else "errors")
        one = figure("error-by-recognition", chart, frame, len(frame), wide=True, what=what)
        blocks.append(Figures([one]))
    return blocks


def _chart_errors(frame: pd.DataFrame, y_title: str) -> alt.Chart:
    records = [
        {"sample": str(name), "recognized": short(row["recognized"]), "error": short(row["error"])}
        for name, row in frame.iterrows()
    ]
    points = chart_of(records).mark_point(filled=True, color=BLUE, fillOpacity=0.6, aria=False)
    points = points.encode(
        alt.X("recognized:Q", title="Reads recognized", scale=exact([0, 1]), axis=percent_axis()),
        alt.Y("error:Q", title=y_title, scale=exact([0, frame["error"].max()])),
        tooltip=tips("sample", recognized=".0%", error=".3~g"),
    )
    return themed(points, height=240)


def _histogram(frame: pd.DataFrame) -> alt.Chart:
    """Count samples by share recognized, of an evaluation those with mistakes apart."""
    bins, axis = alt.Bin(extent=[0, 1], step=0.05), percent_axis()
    records = [{"recognized": short(share)} for share in frame["recognized"]]
    bars = chart_of(records).mark_bar(color=BLUE)
    if "error" in frame:
        for record, mistake in zip(records, frame["error"], strict=True):
            record["kind"] = "wrong" if mistake else "right"
        bars = bars.encode(by_name(alt.Color, "kind:N", ["right", "wrong"], [SKY, BLACK]))
    x = alt.X("recognized:Q", bin=bins, title="Reads recognized", axis=axis)
    return themed(bars.encode(x, count_samples()), height=240)


@dataclass(frozen=True)
class CheckedTable:
    """What a model would recognize of a table.

    Attributes
    ----------
    model : str
        Its name or kind, such as ``regressor of 'age'``.
    verdict, recommendation : str
        One sentence each.
    shares : pd.DataFrame
        Index: sample id; columns: see `SHARES`.
    features_by_kind : dict of str to int
        Features of the table, by the names of `SHARES`.
    table_lengths, vocabulary_lengths : sequence of (int, int)
        Length in nucleotides, and how many reads of the table or of the model's vocabulary have it.
    orientation : str
        ``forward``, ``reverse complement`` or ``mixed``.
    orientation_counts : dict of str to int
        Features by orientation.
    unrecognized : pd.DataFrame
        The most abundant features not recognized. Index: feature id; columns: reads, share (of all
        reads) and sequence (DNA).
    """

    model: str
    verdict: str
    recommendation: str
    shares: pd.DataFrame
    features_by_kind: dict[str, int]
    table_lengths: Sequence[tuple[int, int]]
    vocabulary_lengths: Sequence[tuple[int, int]]
    orientation: str
    orientation_counts: dict[str, int]
    unrecognized: pd.DataFrame


def write_recognition_page(output_dir: str | Path, recognition: CheckedTable) -> None:
    """Write what a model recognizes of a table as index.html with its downloads."""
    checked, shares = recognition, recognition.shares.rename_axis("id")
    known, columns = recognized(shares), [Column("Features"), Column("Count", True)]
    kinds = [
        (SHARES[name].label if name in SHARES else str(name), format_count(count))
        for name, count in checked.features_by_kind.items()
    ]
    reads = [
        Figures([_figure_of_shares(shares)]),
        Note(describe_recognition(shares)),
        Table("kinds-table", columns, kinds),
        Definitions(list(SHARES.values())),
        Download("recognition", "the shares of every sample", shares),
    ]
    turned = [(str(name), format_count(n)) for name, n in checked.orientation_counts.items()]
    note = f"Compared with the reads that the model knows: {checked.orientation}."
    turns = [Note(note), Table("orientation-table", columns, turned)]
    sections = [
        Section("reads", "Reads", "Reads recognized", reads),
        Section("lengths", "Lengths", "Read lengths", [Figures([_figure_of_lengths(checked)])]),
        Section("orientation", "Orientation", "Orientation of the reads", turns),
    ]
    if len(checked.unrecognized):
        sections.append(_section_of_unrecognized(checked.unrecognized))
    write_page(
        output_dir, "Check of a table", "What the model recognizes of this table",
        f"{_sentence(checked.verdict)} {_sentence(checked.recommendation)}", sections,
        cards=[
            Card("reads recognized", format_fraction(known.mean()), "mean of the samples"),
            Card("samples", format_count(len(shares)), f"{(known < HALF).sum():,} below half"),
            Card("orientation", checked.orientation),
        ],
        lines=[f"Model: {_sentence(checked.model)}"],
    )  # fmt: skip


def _sentence(text: str) -> str:
    return text.strip() if text.strip().endswith((".", "!", "?")) else f"{text.strip()}."


def _figure_of_shares(shares: pd.DataFrame) -> Figure:
    """Draw a bar for each sample, or of many the number of samples by share recognized."""
    ordered = shares.loc[recognized(shares).sort_values(kind="stable").index]
    few = len(ordered) <= _MOST_BARS
    chart = _chart_bars(ordered) if few else _histogram(recognized(ordered).to_frame())
    what = words("recognition-by-sample", "bars" if few else "histogram")
    return figure("recognition-by-sample", chart, "recognition", 4 * _MOST_BARS, True, what=what)


def _chart_bars(shares: pd.DataFrame) -> alt.Chart:
    labels = [SHARES[name].label for name in SHARES]
    records = [
        {"sample": str(sample), "kind": SHARES[name].label, "share": short(row[name]), "order": k}
        for sample, row in shares.iterrows()
        for k, name in enumerate(SHARES)
    ]
    whole = alt.Scale(domain=[0, 1])
    bars = chart_of(records).mark_bar().encode(
        alt.X("share:Q", title="Share of reads", axis=percent_axis(), stack="zero", scale=whole),
        alt.Y("sample:N", title=None, sort=[str(name) for name in shares.index]),
        by_name(alt.Color, "kind:N", labels, [GREEN, SKY, ORANGE, BROWN]),
        alt.Order("order:Q"),
        tooltip=tips("sample", "kind", share=".1%"),
    )  # fmt: skip
    return themed(bars, height=18 * len(shares) + 10)


def _figure_of_lengths(checked: CheckedTable) -> Figure:
    found = {"this table": checked.table_lengths, "model": checked.vocabulary_lengths}
    records = [
        {"whose": whose, "length": int(length), "count": int(count), "share": short(count / total)}
        for whose, lengths in found.items()
        for total in [sum(count for _, count in lengths)]
        for length, count in lengths
    ]
    names = list(found)
    points = chart_of(records).mark_point(filled=True, size=60, fillOpacity=0.7).encode(
        alt.X("length:Q", title="Nucleotides", scale=exact()),
        alt.Y("share:Q", title="Share", axis=percent_axis(), scale=exact([0, 1])),
        by_name(alt.Color, "whose:N", names, [PURPLE, BLUE]),
        by_name(alt.Shape, "whose:N", names, ["square", "circle"]),
        tooltip=tips("whose", length="d", count=",", share=".1%"),
    )  # fmt: skip
    index = [f"{record['whose']} {record['length']}" for record in records]
    numbers = pd.DataFrame(records, index)
    return figure("read-lengths", themed(points, height=240), numbers, len(records), wide=True)


def _section_of_unrecognized(unrecognized: pd.DataFrame) -> Section:
    columns = [Column("Feature"), Column("Reads", True), Column("Share of all reads", True)]
    rows = [
        (str(name), format_count(reads), format_fraction(share), Cell(sequence=str(sequence)))
        for name, reads, share, sequence in unrecognized[
            ["reads", "share", "sequence"]
        ].itertuples()
    ]
    blocks = [
        Table("unrecognized-table", [*columns, Column("Sequence")], rows, shown=_ROWS_SHOWN),
        Fasta("unrecognized-fasta", unrecognized["sequence"].astype(str).to_dict()),
        Download("unrecognized", "these sequences", unrecognized.rename_axis("id")),
    ]
    title = "The most abundant sequences that are not recognized"
    return Section("unrecognized", "Not recognized", title, blocks)
