"""Samples on a page: how many were used and left out, those that charts draw, their colors."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples
from . import style
from .formatting import format_count, words
from .page import Cell, Download, Table, table_of

FEW_SAMPLES = 10
MOST_POINTS = 1500  # of a scatter plot
ALWAYS_DRAWN = 10
POINTS = "points"  # name of the data set that the charts of a page share
EXAMPLES_SHOWN = 5
MOST_CATEGORIES = len(style.CATEGORIES)
OTHER = "(others)"


def count_ids(what: str, ids) -> dict:
    """Count ids and keep the first few as examples, as the ``data`` of a training log do."""
    return {"what": what, "count": len(ids), "examples": [str(one) for one in ids[:EXAMPLES_SHOWN]]}


def table_of_counts(counts: Iterable[dict], name: str) -> Table:
    """Show counts, of `count_ids` or of a training log, and their examples."""
    counts = [one for one in counts if one["count"]]
    return table_of(name, [
        ("What", [one["what"] for one in counts]),
        ("Count", [format_count(one["count"]) for one in counts], True),
        ("Such as", [Cell(codes=_examples(one)) for one in counts]),
    ])  # fmt: skip


def _examples(one: dict) -> list[str]:
    return [str(name) for name in one.get("examples") or []]


def count_blocks(counts: Iterable[dict], table: str, download: str) -> list:
    """Show counts and offer them as a download."""
    records = [(one["what"], one["count"], ", ".join(_examples(one))) for one in counts]
    frame = pd.DataFrame(records, columns=["id", "count", "examples"]).set_index("id")
    return [table_of_counts(counts, table), Download(download, "these counts", frame)]


def draw(frame: pd.DataFrame, error: pd.Series, color_by=None) -> dict[str, list[dict]]:
    """Return the shared data set: all samples, or of very many the worst and others at random."""
    if len(frame) > MOST_POINTS:
        worst = error.abs().to_numpy().argsort(kind="stable")[::-1][:ALWAYS_DRAWN]
        others = np.setdiff1d(np.arange(len(frame)), worst)
        drawn = np.random.default_rng(0).choice(others, MOST_POINTS - len(worst), replace=False)
        frame = frame.iloc[np.sort(np.concatenate([worst, drawn]))]
    return {POINTS: as_records(frame, color_by)}


def describe_drawn(n_drawn: int, n_samples: int) -> str:
    """Say that not every sample is drawn, or nothing if all are."""
    if n_drawn == n_samples:
        return ""
    return " " + words("notes", "drawn", drawn=n_drawn, samples=n_samples, worst=ALWAYS_DRAWN)


def as_records(frame: pd.DataFrame, color_by=None) -> list[dict]:
    """Turn samples into the records that charts read, without blanks and needless digits."""
    records = []
    for sample, row in zip(frame.index, frame.to_dict("records"), strict=True):
        known = {name: value for name, value in row.items() if not pd.isna(value)}
        record = {k: v if isinstance(v, str) else style.short(v) for k, v in known.items()}
        record = {"sample": str(sample), **record}
        records.append(record if color_by is None else record | color_by.fields_of(sample))
    return records


class ColorBy(NamedTuple):
    """The values of a metadata column that color the points of charts."""

    name: str
    values: pd.Series  # by sample id: floats (NaN if blank), or text (None if blank)
    # with a color of their own, in the order of the legend: the most frequent, and for the rest
    # `OTHER`; empty for numbers
    categories: tuple[str, ...]

    @classmethod
    def of(cls, column: pd.Series, shown: pd.Index) -> "ColorBy":
        """Take the values of the samples shown, which an `AAMError` says if there are none."""
        values = column.reindex(shown)
        if values.isna().all():
            raise AAMError(
                f"None of the {counted(len(shown), 'sample')} shown has a value in the metadata "
                f"column {column.name!r} that is to color them, such as {examples(shown)}. Fill "
                "in the column, name another one, or leave it out."
            )
        if pd.api.types.is_numeric_dtype(values):
            return cls(str(column.name), values.astype(float), ())
        values = values.astype(object).where(values.notna(), None)
        frequency = Counter(values.dropna())
        categories = sorted(frequency)
        if len(categories) > MOST_CATEGORIES:
            # of equally frequent ones the first by name, whatever the samples' order
            most = sorted(categories, key=frequency.get, reverse=True)[: MOST_CATEGORIES - 1]
            categories = [*sorted(most), OTHER]
        return cls(str(column.name), values, tuple(categories))

    def count_blanks(self) -> dict:
        """Count the samples without a value."""
        blank = self.values.index[self.values.isna()]
        return count_ids(f"samples shown in grey: no value in '{self.name}'", blank)

    def fields_of(self, sample: str) -> dict:
        """Return what a point's record needs: ``color`` (the value) and ``shade`` (its legend)."""
        value = self.values[sample]
        if pd.isna(value):
            return {}
        if not self.categories:
            return {"color": style.short(value)}
        return {"color": value, "shade": value if value in self.categories else OTHER}


def color_layers(points: alt.Chart, tooltip: list, color_by: ColorBy | None) -> list[alt.Chart]:
    """Give points, of `ColorBy.fields_of`, a tooltip and colors; blanks lie grey beneath."""
    if color_by is None:
        return [points.encode(tooltip=tooltip)]
    title, names = color_by.name, list(color_by.categories)
    if names:
        colors = dict(zip(names, style.CATEGORIES, strict=False))
        colors = [style.GREY if name == OTHER else colors[name] for name in names]
        look = style.marks_by_name("shade:N", names, title, colors)
        tooltip = [*tooltip, alt.Tooltip("color:N", title=title)]
    else:
        scale = alt.Scale(scheme=style.NUMBERS, zero=False, nice=False)
        legend = alt.Legend(gradientLength=200, tickCount=4)
        look = [alt.Color("color:Q", title=title, scale=scale, legend=legend)]
        tooltip = [*tooltip, *style.tips(color=(title, ".4~g"))]
    points = points.encode(tooltip=tooltip)
    layers = [points.encode(*look).transform_filter("isValid(datum.color)")]
    if color_by.values.isna().any():
        grey = points.encode(alt.ColorValue(style.GREY))
        layers.insert(0, grey.transform_filter("!isValid(datum.color)"))
    return layers


def describe_colors(color_by: ColorBy | None) -> str:
    """Say what colors mean where the legend does not; nothing without a column."""
    if color_by is None:
        return ""
    some, name = "others" if OTHER in color_by.categories else "all", color_by.name
    values, most = color_by.values, MOST_CATEGORIES - 1
    text = " " + words("colors", some, name=name, most=most, values=values.nunique())
    return text + (f" {words('colors', 'blank')}" if values.isna().any() else "")
