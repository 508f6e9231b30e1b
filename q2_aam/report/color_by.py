"""Points colored by a metadata column, of categories or of numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples
from .samples import SampleCount, count_ids
from .style import CATEGORIES, GREY, NUMBERS, SHAPES, by_name, short, tips

MOST_CATEGORIES = len(CATEGORIES)
OTHER = "(others)"


@dataclass(frozen=True)
class ColorBy:
    """The values of a metadata column that color the points of charts.

    Attributes
    ----------
    name : str
        Of the column.
    values : pd.Series
        Index: sample id. Floats (NaN if blank), or text (None if blank).
    categories : tuple of str
        Those with a color of their own, in the order of the legend; empty for numbers. If there
        are more than `MOST_CATEGORIES`, the most frequent, the rest being `OTHER`.
    """

    name: str
    values: pd.Series
    categories: tuple[str, ...]

    @classmethod
    def of(cls, column: pd.Series, shown: pd.Index) -> ColorBy:
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
        frequency = Counter(value for value in values if value is not None)
        # by frequency, then by name, so that the choice does not depend on the samples' order
        ordered = sorted(frequency, key=lambda name: (-frequency[name], name))
        if len(ordered) > MOST_CATEGORIES:
            categories = (*sorted(ordered[: MOST_CATEGORIES - 1]), OTHER)
        else:
            categories = tuple(sorted(ordered))
        return cls(str(column.name), values, categories)

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers."""
        return not self.categories

    def count_blanks(self) -> SampleCount:
        """Count the samples without a value."""
        blank = self.values.index[self.values.isna()]
        return count_ids(f"samples shown in grey: no value in '{self.name}'", blank)

    def fields_of(self, sample: str) -> dict:
        """Return what a point's record needs: ``color`` (the value) and ``shade`` (its legend)."""
        value = self.values[sample]
        if value is None or (self.is_numeric and not np.isfinite(value)):
            return {}
        if self.is_numeric:
            return {"color": short(value)}
        return {"color": value, "shade": value if value in self.categories else OTHER}

    def color_layers(self, points: alt.Chart, tooltip: list) -> list[alt.Chart]:
        """Color points whose records hold `fields_of`; those without a value lie grey beneath."""
        if self.is_numeric:
            scale = alt.Scale(scheme=NUMBERS, zero=False, nice=False)
            legend = alt.Legend(gradientLength=200, tickCount=4)
            look = [alt.Color("color:Q", title=self.name, scale=scale, legend=legend)]
            tooltip = [*tooltip, *tips(color=(self.name, ".4~g"))]
        else:
            names = list(self.categories)
            colors = [GREY if name == OTHER else c for name, c in zip(names, CATEGORIES)]  # noqa: B905
            look = [
                by_name(alt.Color, "shade:N", names, colors, title=self.name),
                by_name(alt.Shape, "shade:N", names, SHAPES, title=self.name),
            ]
            tooltip = [*tooltip, alt.Tooltip("color:N", title=self.name)]
        points = points.encode(tooltip=tooltip)
        layers = [points.encode(*look).transform_filter("isValid(datum.color)")]
        if self.values.isna().any():
            grey = points.encode(alt.ColorValue(GREY)).transform_filter("!isValid(datum.color)")
            layers.insert(0, grey)
        return layers

    def describe(self) -> str:
        """Say what the colors mean where the legend does not."""
        text = f" Colors show {self.name}."
        if OTHER in self.categories:
            text = (
                f" Colors show the {MOST_CATEGORIES - 1} most frequent of the "
                f"{self.values.dropna().nunique():,} values of {self.name}; hover to see the "
                "others."
            )
        return text + (" Grey circles have no value." if self.values.isna().any() else "")


def color_layers(points: alt.Chart, tooltip: list, color_by: ColorBy | None) -> list[alt.Chart]:
    """Give points their tooltip, and the colors of a column if there is one."""
    if color_by is None:
        return [points.encode(tooltip=tooltip)]
    return color_by.color_layers(points, tooltip)


def describe_colors(color_by: ColorBy | None) -> str:
    """Say what colors mean; nothing without a column."""
    return "" if color_by is None else color_by.describe()
