"""A figure on a page: a chart for the browser, and the same as SVG and PNG to download."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import altair as alt
from markupsafe import Markup

from . import vega

DOWNLOADS = "downloads"
STATIC_WIDTH = 620
MOST_SVG_MARKS = 2000  # beyond it the browser draws on a canvas, which stays quick


@dataclass(frozen=True)
class Figure:
    """A chart with its words.

    Attributes
    ----------
    name : str
        File name of the downloads, ours, never a user's.
    title : str
    chart : alt.Chart
        With width "container".
    caption : str
        How to read it, in one or two sentences.
    n_marks : int
        About how many marks it draws.
    wide : bool
        Whether it takes the page's full width.
    datasets : dict of str to list of dict
        Data that the chart refers to by name and shares with other charts of the page.
    """

    name: str
    title: str
    chart: alt.Chart
    caption: str
    n_marks: int = 0
    wide: bool = False
    datasets: dict[str, list[dict]] = field(default_factory=dict)

    @property
    def renderer(self) -> str:
        """Which of vega-embed's renderers suits the number of marks."""
        return "svg" if self.n_marks <= MOST_SVG_MARKS else "canvas"

    @property
    def specification(self) -> dict:
        """The Vega-Lite specification, without the address of its schema."""
        content = self.chart.to_dict()
        content.pop("$schema", None)
        return content

    @property
    def json_for_script(self) -> Markup:
        """The specification as JSON for a script element."""
        return json_for_script(self.specification)


def json_for_script(content) -> Markup:
    """Write JSON that no text in it can break out of a script element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - made safe just above


def shared_datasets(figures: Sequence[Figure]) -> dict[str, list[dict]]:
    """Collect the data sets that figures share, each once."""
    datasets = {}
    for figure in figures:
        datasets |= figure.datasets
    return datasets


def write_pictures(figure: Figure, output_dir: Path) -> None:
    """Write a figure as SVG and PNG into the page's downloads."""
    folder = output_dir / DOWNLOADS
    specification = figure.specification
    datasets = {**specification.get("datasets", {}), **figure.datasets}
    svg = vega.draw_svg({**specification, "datasets": datasets, "width": STATIC_WIDTH})
    (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{figure.name}.png").write_bytes(vega.draw_png(svg))
