"""Points coloured by a metadata column, of categories or of numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from ..errors import AAMError, counted, examples
from .sample_counts import SampleCount, count_ids
from .theme import CATEGORIES, GREY, NUMBER_SCHEME, SHAPES

MOST_CATEGORIES = len(CATEGORIES)
OTHER = "(others)"


@dataclass(frozen=True)
class PointColours:
    """The values of a metadata column that colour the points of charts.

    Attributes
    ----------
    name : str
        Of the column.
    values : pd.Series
        Index: sample id. Floats (NaN if blank), or text (None if blank).
    categories : tuple of str
        Those with a colour of their own, in the order of the legend; empty for numbers. If there
        are more than `MOST_CATEGORIES`, the most frequent, the rest being `OTHER`.
    """

    name: str
    values: pd.Series
    categories: tuple[str, ...]

    @classmethod
    def of(cls, column: pd.Series, shown: pd.Index) -> PointColours:
        """Take the values of the samples shown.

        Parameters
        ----------
        column : pd.Series
            Categorical or numeric, named like its metadata column; blanks are NaN.
        shown : pd.Index

        Returns
        -------
        PointColours

        Raises
        ------
        AAMError
            If no sample shown has a value.
        """
        values = column.reindex(shown)
        if values.isna().all():
            raise AAMError(
                f"None of the {counted(len(shown), 'sample')} shown has a value in the metadata "
                f"column {column.name!r} that is to colour them, such as {examples(shown)}. Fill "
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

    @property
    def has_blanks(self) -> bool:
        """Whether a sample has no value."""
        return bool(self.values.isna().any())

    def count_blanks(self) -> SampleCount:
        """Count the samples without a value."""
        blank = self.values.index[self.values.isna()]
        return count_ids(f"samples shown in grey: no value in '{self.name}'", blank)

    def fields_of(self, sample: str) -> dict:
        """Return what a point's record needs: ``colour`` (the value) and ``shade`` (its legend)."""
        value = self.values[sample]
        if value is None or (self.is_numeric and not np.isfinite(value)):
            return {}
        if self.is_numeric:
            return {"colour": float(f"{value:.7g}")}
        return {"colour": value, "shade": value if value in self.categories else OTHER}

    def tooltip(self) -> alt.Tooltip:
        """Return the entry of a tooltip that shows the value."""
        return alt.Tooltip("colour:Q" if self.is_numeric else "colour:N", title=self.name)

    def colour_layers(self, points: alt.Chart) -> list[alt.Chart]:
        """Colour points; those without a value are a grey layer of their own, beneath.

        Parameters
        ----------
        points : alt.Chart
            Points whose records hold `fields_of`.

        Returns
        -------
        list of alt.Chart
        """
        if self.is_numeric:
            look = [
                alt.Color(
                    "colour:Q",
                    title=self.name,
                    scale=alt.Scale(scheme=NUMBER_SCHEME, zero=False, nice=False),
                    legend=alt.Legend(gradientLength=200, tickCount=4),
                )
            ]
        else:
            domain = list(self.categories)
            colours = [
                GREY if name == OTHER else colour
                for name, colour in zip(domain, CATEGORIES)  # noqa: B905 - as many as needed
            ]
            look = [
                alt.Color(
                    "shade:N", title=self.name, scale=alt.Scale(domain=domain, range=colours)
                ),
                alt.Shape(
                    "shade:N",
                    title=self.name,
                    scale=alt.Scale(domain=domain, range=SHAPES[: len(domain)]),
                ),
            ]
        layers = [points.encode(*look).transform_filter("isValid(datum.colour)")]
        if self.has_blanks:
            grey = points.encode(alt.ColorValue(GREY)).transform_filter("!isValid(datum.colour)")
            layers.insert(0, grey)
        return layers

    def describe(self) -> str:
        """Say what the colours mean where the legend does not."""
        text = f" Colours show {self.name}."
        if OTHER in self.categories:
            n_categories = self.values.dropna().nunique()
            text = (
                f" Colours show the {MOST_CATEGORIES - 1} most frequent of the {n_categories:,} "
                f"values of {self.name}; hover to see the others."
            )
        return text + (" Grey circles have no value." if self.has_blanks else "")
