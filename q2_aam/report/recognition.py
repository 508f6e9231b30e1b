"""How a model recognizes the reads of samples: on pages of evaluations, and the page of a table."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..data.matching import CLADES_ONLY
from ..errors import AAMError, counted, examples
from . import style
from .formatting import format_count, format_fraction, keys, parts, words
from .page import (
    Card,
    Cell,
    Column,
    Download,
    Fasta,
    Figure,
    Section,
    Table,
    Text,
    define,
    figure,
    write_page,
)
from .samples import as_records
from .style import short, tips

SHARES = {name: Column(*parts("recognition", name)[:1], True, parts("recognition", name)[1])
          for name in keys("recognition")}  # fmt: skip
WELL_RECOGNIZED, HALF = 0.95, 0.5
_ROUNDING = 0.01
_MOST_BARS = 60  # samples with a bar each
_ROWS_SHOWN = 20


def read_shares(frame: pd.DataFrame | None, name: str, shown: pd.Index) -> pd.DataFrame | None:
    """Return the shares of the samples shown, checked to add up to 1; None if there are none."""
    if frame is not None and CLADES_ONLY in frame.columns:
        return frame[[CLADES_ONLY]].reindex(shown)
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
    return shares.reindex(shown)


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
    shares = {"same": same, "overlapping": overlapping, "strange": strange}
    text, few = words("notes", "recognized", **shares), int((recognized(known) < HALF).sum())
    if few:
        samples = {"few": counted(few, "sample"), "samples": len(known)}
        text += " " + words("notes", "few_recognized", **samples)
    return text


def recognition_blocks(
    shares: pd.DataFrame | None, error: pd.Series, y_title: str = "", is_mistake: bool = False
) -> list:
    """Show on an evaluation's page how reads were recognized, and whether errors follow it.

    The error is the absolute error of each sample, or whether it is a mistake.
    """
    sentence = describe_recognition(shares)
    if not sentence:
        return []
    blocks = [Text(sentence, "recognition")]
    if CLADES_ONLY in shares:
        return blocks
    frame = pd.DataFrame({"recognized": recognized(shares), "error": error}).dropna()
    if len(frame) and frame["recognized"].min() < WELL_RECOGNIZED:
        chart = _histogram(frame) if is_mistake else _chart_errors(frame, y_title)
        what = words("error-by-recognition", "mistakes" if is_mistake else "errors")
        one = figure("error-by-recognition", chart, frame, len(frame), wide=True, what=what)
        blocks.append([one])
    return blocks


def _chart_errors(frame: pd.DataFrame, y_title: str) -> alt.Chart:
    axis, whole = style.percent_axis(), style.exact([0, 1])
    points = style.chart_of(as_records(frame)).mark_point(
        filled=True, color=style.BLUE, fillOpacity=0.6, aria=False
    ).encode(
        alt.X("recognized:Q", title="Reads recognized", scale=whole, axis=axis),
        alt.Y("error:Q", title=y_title, scale=style.exact([0, frame["error"].max()])),
        tooltip=tips("sample", recognized=".0%", error=".3~g"),
    )  # fmt: skip
    return style.themed(points, height=240)


def _histogram(frame: pd.DataFrame) -> alt.Chart:
    """Count samples by share recognized, of an evaluation those with mistakes apart."""
    records = [{"recognized": short(share)} for share in frame["recognized"]]
    bars = style.chart_of(records).mark_bar(color=style.BLUE)
    if "error" in frame:
        for record, mistake in zip(records, frame["error"], strict=True):
            record["kind"] = "wrong" if mistake else "right"
        colors = [style.SKY, style.BLACK]
        bars = bars.encode(style.by_name(alt.Color, "kind:N", ["right", "wrong"], colors))
    bins, axis = alt.Bin(extent=[0, 1], step=0.05), style.percent_axis()
    x = alt.X("recognized:Q", bin=bins, title="Reads recognized", axis=axis)
    return style.themed(bars.encode(x, style.count_samples()), height=240)


def write_recognition_page(
    output_dir: str | Path, model: str, verdict: str, recommendation: str, shares: pd.DataFrame,
    features_by_kind: dict[str, int], lengths: dict[str, list[tuple[int, int]]], orientation: str,
    orientation_counts: dict[str, int], unrecognized: pd.DataFrame,
) -> None:  # fmt: skip
    """Write what a model recognizes of a table as index.html with its downloads.

    Shares are by sample id, with the columns `SHARES`, which also name the kinds of features;
    lengths are pairs of nucleotides and how many reads have so many; orientation counts are of
    features. Unrecognized are the most abundant features, by id: reads, share (of all), sequence.
    """
    shares, columns = shares.rename_axis("id"), [Column("Features"), Column("Count", True)]
    known = recognized(shares)
    kinds = [
        (SHARES[name].label if name in SHARES else str(name), format_count(count))
        for name, count in features_by_kind.items()
    ]
    reads = [
        [_figure_of_shares(shares)],
        describe_recognition(shares),
        Table("kinds-table", columns, kinds),
        define(list(SHARES.values())),
        Download("recognition", "the shares of every sample", shares),
    ]
    turned = [(str(name), format_count(n)) for name, n in orientation_counts.items()]
    note = f"Compared with the reads that the model knows: {orientation}."
    turns = [note, Table("orientation-table", columns, turned)]
    sections = [
        Section("reads", "Reads", "Reads recognized", reads),
        Section("lengths", "Lengths", "Read lengths", [[_figure_of_lengths(lengths)]]),
        Section("orientation", "Orientation", "Orientation of the reads", turns),
    ]
    if len(unrecognized):
        sections.append(_section_of_unrecognized(unrecognized))
    cards = [
        Card("reads recognized", format_fraction(known.mean()), "mean of the samples"),
        Card("samples", format_count(len(shares)), f"{(known < HALF).sum():,} below half"),
        Card("orientation", orientation),
    ]
    headline, lines = f"{verdict} {recommendation}", [f"Model: {model}."]
    heading = "What the model recognizes of this table"
    write_page(output_dir, "Check of a table", heading, headline, sections, cards, lines=lines)


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
    axis, whole = style.percent_axis(), alt.Scale(domain=[0, 1])
    colors = [style.GREEN, style.SKY, style.ORANGE, style.BROWN]
    bars = style.chart_of(records).mark_bar().encode(
        alt.X("share:Q", title="Share of reads", axis=axis, stack="zero", scale=whole),
        alt.Y("sample:N", title=None, sort=[str(name) for name in shares.index]),
        style.by_name(alt.Color, "kind:N", labels, colors),
        alt.Order("order:Q"),
        tooltip=tips("sample", "kind", share=".1%"),
    )  # fmt: skip
    return style.themed(bars, height=18 * len(shares) + 10)


def _figure_of_lengths(found: dict[str, list[tuple[int, int]]]) -> Figure:
    records = [
        {"whose": whose, "length": int(length), "count": int(count), "share": short(count / total)}
        for whose, lengths in found.items()
        for total in [sum(count for _, count in lengths)]
        for length, count in lengths
    ]
    names, axis, whole = list(found), style.percent_axis(), style.exact([0, 1])
    points = style.chart_of(records).mark_point(filled=True, size=60, fillOpacity=0.7).encode(
        alt.X("length:Q", title="Nucleotides", scale=style.exact()),
        alt.Y("share:Q", title="Share", axis=axis, scale=whole),
        style.by_name(alt.Color, "whose:N", names, [style.PURPLE, style.BLUE]),
        style.by_name(alt.Shape, "whose:N", names, ["square", "circle"]),
        tooltip=tips("whose", length="d", count=",", share=".1%"),
    )  # fmt: skip
    numbers = pd.DataFrame(records, [f"{one['whose']} {one['length']}" for one in records])
    chart = style.themed(points, height=240)
    return figure("read-lengths", chart, numbers, len(records), wide=True)


def _section_of_unrecognized(unrecognized: pd.DataFrame) -> Section:
    columns = [Column("Feature"), Column("Reads", True), Column("Share of all reads", True)]
    rows = [
        (str(name), format_count(reads), format_fraction(share), Cell(sequence=str(sequence)))
        for name, reads, share, sequence in unrecognized.itertuples()
    ]
    blocks = [
        Table("unrecognized-table", [*columns, Column("Sequence")], rows, shown=_ROWS_SHOWN),
        Fasta("unrecognized-fasta", unrecognized["sequence"].astype(str).to_dict()),
        Download("unrecognized", "these sequences", unrecognized.rename_axis("id")),
    ]
    title = "The most abundant sequences that are not recognized"
    return Section("unrecognized", "Not recognized", title, blocks)
