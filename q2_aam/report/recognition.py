"""How a model recognizes the reads of samples: on pages of evaluations, and the page of a table."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from ..data.matching import CLADES_ONLY
from ..errors import AAMError, counted, examples
from . import page, style
from .formatting import format_count, format_fraction, words
from .samples import as_records
from .style import short, tips

_KINDS = ("same", "overlapping", "embedding_only")
SHARES = {name: page.column_of("recognition", name) for name in _KINDS}
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


def _describe_recognition(known: pd.DataFrame) -> str:
    shares = {name: format_fraction(known[name].mean()) for name in SHARES}
    text, few = words("notes", "recognized", **shares), int((recognized(known) < HALF).sum())
    if few:
        samples = {"few": counted(few, "sample"), "samples": len(known)}
        text += " " + words("notes", "few_recognized", **samples)
    return text


def recognition_blocks(
    shares: pd.DataFrame | None, error: pd.Series, y_title: str = "", is_mistake: bool = False
) -> list:
    """Show how reads were recognized, and whether absolute errors (or mistakes) follow it."""
    if shares is not None and CLADES_ONLY in shares:
        return [page.Text(words("notes", "clades_only"), "recognition")]
    if shares is None or shares["embedding_only"].isna().all():
        return []
    blocks = [page.Text(_describe_recognition(shares.dropna()), "recognition")]
    frame = pd.DataFrame({"recognized": recognized(shares), "error": error}).dropna()
    if len(frame) and frame["recognized"].min() < WELL_RECOGNIZED:
        axis, whole = alt.Axis(format="%"), style.exact([0, 1])
        points = style.chart_of(as_records(frame)).mark_point(
            filled=True, color=style.BLUE, fillOpacity=0.6, aria=False
        ).encode(
            alt.X("recognized:Q", title="Reads recognized", scale=whole, axis=axis),
            alt.Y("error:Q", title=y_title, scale=style.exact([0, frame["error"].max()])),
            tooltip=tips("sample", recognized=".0%", error=".3~g"),
        )  # fmt: skip
        chart = _histogram(frame) if is_mistake else style.themed(points, height=240)
        what, file = "mistakes" if is_mistake else "errors", "error-by-recognition"
        blocks.append([page.figure(file, chart, frame, len(frame), True, what=words(file, what))])
    return blocks


def _histogram(frame: pd.DataFrame) -> alt.Chart:
    """Count samples by share recognized, of an evaluation those with mistakes apart."""
    records = [{"recognized": short(share)} for share in frame["recognized"]]
    bars = style.chart_of(records).mark_bar(color=style.BLUE)
    if "error" in frame:
        for record, mistake in zip(records, frame["error"], strict=True):
            record["kind"] = "wrong" if mistake else "right"
        colors = [style.SKY, style.BLACK]
        bars = bars.encode(style.by_name(alt.Color, "kind:N", ["right", "wrong"], colors))
    bins, axis = alt.Bin(extent=[0, 1], step=0.05), alt.Axis(format="%")
    x = alt.X("recognized:Q", bin=bins, title="Reads recognized", axis=axis)
    return style.themed(bars.encode(x, style.count_samples()), height=240)


def write_recognition_page(
    output_dir: str | Path, model: str, verdict: str, recommendation: str, shares: pd.DataFrame,
    features_by_kind: dict[str, int], lengths: dict[str, list[tuple[int, int]]], orientation: str,
    orientation_counts: dict[str, int], unrecognized: pd.DataFrame,
) -> None:  # fmt: skip
    """Write what a model recognizes of a table: `SHARES` by sample id, which also name the kinds of
    features; by length in nucleotides how many reads have it; how many features are turned how;
    the most abundant unrecognized features by id: reads, share (of all), sequence.
    """
    labels = {name: column.label for name, column in SHARES.items()}
    kinds = {labels.get(name, str(name)): count for name, count in features_by_kind.items()}
    reads = [
        [_figure_of_shares(shares)],
        _describe_recognition(shares),
        _table_of_features("kinds-table", kinds),
        page.define(list(SHARES.values())),
        page.Download("recognition", "the shares of every sample", shares),
    ]
    note = f"Compared with the reads that the model knows: {orientation}."
    turns = [note, _table_of_features("orientation-table", orientation_counts)]
    sections = [
        page.Section("reads", "Reads", "Reads recognized", reads),
        page.Section("lengths", "Lengths", "Read lengths", [[_figure_of_lengths(lengths)]]),
        page.Section("orientation", "Orientation", "Orientation of the reads", turns),
    ]
    if len(unrecognized):
        sequences = unrecognized["sequence"].astype(str)
        columns = [
            ("Feature", sequences.index.map(str)),
            ("Reads", unrecognized["reads"].map(format_count), True),
            ("Share of all reads", unrecognized["share"].map(format_fraction), True),
            ("Sequence", [page.Cell(sequence=one) for one in sequences]),
        ]
        blocks = [
            page.table_of("unrecognized-table", columns, _ROWS_SHOWN),
            page.Fasta("unrecognized-fasta", sequences.to_dict()),
            page.Download("unrecognized", "these sequences", unrecognized),
        ]
        title = "The most abundant sequences that are not recognized"
        sections.append(page.Section("unrecognized", "Not recognized", title, blocks))
    known = recognized(shares)
    cards = [
        page.Card("reads recognized", format_fraction(known.mean()), "mean of the samples"),
        page.Card("samples", format_count(len(shares)), f"{(known < HALF).sum():,} below half"),
        page.Card("orientation", orientation),
    ]
    headline, lines = f"{verdict} {recommendation}", [f"Model: {model}."]
    heading = "What the model recognizes of this table"
    page.write_page(output_dir, "Check of a table", heading, headline, sections, cards, lines=lines)


def _table_of_features(id: str, counts: dict[str, int]) -> page.Table:
    numbers = map(format_count, counts.values())
    return page.table_of(id, [("Features", counts), ("Count", numbers, True)])


def _figure_of_shares(shares: pd.DataFrame) -> page.Figure:
    """Draw a bar for each sample, or of many the number of samples by share recognized."""
    ordered = shares.loc[recognized(shares).sort_values(kind="stable").index]
    few = len(ordered) <= _MOST_BARS
    chart = _chart_bars(ordered) if few else _histogram(recognized(ordered).to_frame())
    file, n_marks = "recognition-by-sample", 4 * _MOST_BARS
    what = words(file, "bars" if few else "histogram")
    return page.figure(file, chart, "recognition", n_marks, True, what=what)


def _chart_bars(shares: pd.DataFrame) -> alt.Chart:
    labels = [column.label for column in SHARES.values()]
    records = [
        {"sample": str(sample), "kind": label, "share": short(share), "order": labels.index(label)}
        for sample, row in shares[list(SHARES)].set_axis(labels, axis=1).iterrows()
        for label, share in row.items()
    ]
    axis, whole = alt.Axis(format="%"), alt.Scale(domain=[0, 1])
    colors = [style.GREEN, style.SKY, style.ORANGE, style.BROWN]
    bars = style.chart_of(records).mark_bar().encode(
        alt.X("share:Q", title="Share of reads", axis=axis, stack="zero", scale=whole),
        alt.Y("sample:N", title=None, sort=[str(name) for name in shares.index]),
        style.by_name(alt.Color, "kind:N", labels, colors),
        alt.Order("order:Q"),
        tooltip=tips("sample", "kind", share=".1%"),
    )  # fmt: skip
    return style.themed(bars, height=18 * len(shares) + 10)


def _figure_of_lengths(found: dict[str, list[tuple[int, int]]]) -> page.Figure:
    records = [
        {"whose": whose, "length": int(length), "count": int(count), "share": short(count / total)}
        for whose, lengths in found.items()
        for total in [sum(count for _, count in lengths)]
        for length, count in lengths
    ]
    names, axis, whole = list(found), alt.Axis(format="%"), style.exact([0, 1])
    points = style.chart_of(records).mark_point(filled=True, size=60, fillOpacity=0.7).encode(
        alt.X("length:Q", title="Nucleotides", scale=style.exact()),
        alt.Y("share:Q", title="Share", axis=axis, scale=whole),
        style.by_name(alt.Color, "whose:N", names, [style.PURPLE, style.BLUE]),
        style.by_name(alt.Shape, "whose:N", names, ["square", "circle"]),
        tooltip=tips("whose", length="d", count=",", share=".1%"),
    )  # fmt: skip
    numbers = pd.DataFrame(records, [f"{one['whose']} {one['length']}" for one in records])
    chart = style.themed(points, height=240)
    return page.figure("read-lengths", chart, numbers, len(records), wide=True)
