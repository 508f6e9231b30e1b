"""A page: sections of figures, tables and notes in q2templates' frame, with downloads.

Every value is escaped; charts are drawn in the browser by a script that lies in the page.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import altair
import jinja2
import pandas as pd
import q2templates
import vl_convert
from markupsafe import Markup

from .formatting import format_count
from .words import words

DOWNLOADS = "downloads"
TEMPLATES = Path(__file__).parent / "templates"
DIGITS = 10  # of numbers in downloads: beyond any measurement, and half the size of all 17
STATIC_WIDTH = 620
MOST_SVG_MARKS = 2000  # beyond it the browser draws on a canvas, which stays quick


@dataclass(frozen=True)
class Figure:
    """A chart with its words.

    Attributes
    ----------
    name : str
        File name of the downloads, ours, never a user's.
    numbers : str or pd.DataFrame
        What it shows as a table: the name of a download of the page, or one of its own.
    n_marks : int
        About how many marks it draws.
    wide : bool
        Whether it takes the page's full width.
    datasets : dict of str to list of dict
        Data that the chart refers to by name and shares with other charts of the page.
    """

    name: str
    title: str
    caption: str
    chart: altair.Chart
    numbers: str | pd.DataFrame
    n_marks: int = 0
    wide: bool = False
    datasets: dict[str, list[dict]] = field(default_factory=dict)

    @property
    def renderer(self) -> str:
        """Which of vega-embed's renderers suits the number of marks."""
        return "svg" if self.n_marks <= MOST_SVG_MARKS else "canvas"

    @property
    def numbers_name(self) -> str:
        """File name, without suffix, of the table of its numbers."""
        return self.numbers if isinstance(self.numbers, str) else self.name

    @property
    def specification(self) -> dict:
        """The Vega-Lite specification, named for screen readers, without its schema's address."""
        content = self.chart.properties(description=self.title).to_dict()
        content.pop("$schema", None)
        return content

    @property
    def json_for_script(self) -> Markup:
        """The specification as JSON for a script element."""
        return json_for_script(self.specification)


def figure(file: str, chart, numbers, n_marks=0, wide=False, datasets=None, **values) -> Figure:
    """Make a figure with the words of its file, filled with values."""
    title, caption = (words(file, part, **values) for part in ("title", "caption"))
    title = title[:1].upper() + title[1:]
    return Figure(file, title, caption, chart, numbers, n_marks, wide, datasets or {})


@dataclass(frozen=True)
class Figures:
    """Figures beside each other, as many as there is room for."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Column:
    """A column of a table; the meaning is shown when hovering over its head."""

    label: str
    number: bool = False
    meaning: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell with more than a text: an interval beneath it, codes such as ids, or a sequence."""

    text: str = ""
    detail: str = ""
    codes: Sequence[str] = ()
    sequence: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text or `Cell`; those from `shown` on appear at a click."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Cell]]
    shown: int | None = None


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str
    id: str = ""


@dataclass(frozen=True)
class Definitions:
    """What the columns of a table mean, and a last sentence."""

    columns: Sequence[Column]
    last: str = ""


@dataclass(frozen=True)
class Subtitle:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Command:
    """A line to be typed."""

    text: str


@dataclass(frozen=True)
class Fasta:
    """Sequences by id, folded away, with a button that copies them all."""

    id: str
    sequences: dict[str, str]


@dataclass(frozen=True)
class Download:
    """A table to download as TSV, with an index called ``id``."""

    name: str
    what: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class FileLink:
    """A file of the downloads, written by the caller, and what to do with it."""

    before: str
    file: str
    after: str


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading and an entry in the navigation."""

    id: str
    nav: str
    title: str
    blocks: Sequence[object]


@dataclass(frozen=True)
class Card:
    """A number at the top of the page."""

    label: str
    value: str
    detail: str = ""


def write_page(
    output_dir: str | Path,
    title: str,
    heading: str | Markup,
    headline: str,
    sections: Sequence[Section],
    cards: Sequence[Card] = (),
    warnings: Sequence[str] = (),
    lines: Sequence[str] = (),
) -> None:
    """Write index.html with its charts, scripts and downloads.

    Parameters
    ----------
    headline : str
        The result, in at most two sentences.
    lines : sequence of str
        Said beneath the headline, such as how the samples were divided.
    """
    output_dir = Path(output_dir)
    downloads = output_dir / DOWNLOADS
    downloads.mkdir()
    blocks = [block for section in sections for block in section.blocks]
    figures = [one for block in blocks if isinstance(block, Figures) for one in block.figures]
    tables = {block.name: block.frame for block in blocks if isinstance(block, Download)}
    tables |= {one.name: one.numbers for one in figures if not isinstance(one.numbers, str)}
    for name, table in tables.items():
        path, digits = downloads / f"{name}.tsv", f"%.{DIGITS}g"
        table.to_csv(path, sep="\t", index_label="id", encoding="utf-8", float_format=digits)
    datasets: dict[str, list[dict]] = {}
    for one in figures:
        _write_pictures(one, downloads)
        datasets |= one.datasets
    for name in ("report.css", "report.js"):
        shutil.copyfile(TEMPLATES / name, output_dir / name)
    (output_dir / "vega.js").write_text(_javascript(), encoding="utf-8")
    body = _render_body(
        heading=heading, headline=headline, sections=sections, cards=cards, warnings=warnings,
        lines=lines, datasets=json_for_script(datasets),
    )  # fmt: skip
    # q2templates renders without escaping and writes in the machine's own encoding: it gets only
    # a finished body in ASCII.
    context = {"title": title, "body": body}
    q2templates.render(str(TEMPLATES / "index.html"), str(output_dir), context=context)


def _render_body(**context) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = format_count
    environment.filters["kind"] = lambda block: type(block).__name__
    html = environment.get_template("report.html").render(downloads=DOWNLOADS, **context)
    return html.encode("ascii", "xmlcharrefreplace").decode("ascii")


def json_for_script(content) -> Markup:
    """Write JSON that no text in it can break out of a script element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - made safe just above


def _write_pictures(figure: Figure, folder: Path) -> None:
    """Write a figure as SVG, PDF, and PNG at twice its size so that it prints well."""
    content = {**figure.specification, "width": STATIC_WIDTH}
    content["datasets"] = {**content.get("datasets", {}), **figure.datasets}
    svg = vl_convert.vegalite_to_svg(content, vl_version=_vega_lite_version())
    (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{figure.name}.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))
    (folder / f"{figure.name}.pdf").write_bytes(vl_convert.svg_to_pdf(svg))


@lru_cache(maxsize=1)
def _vega_lite_version() -> str | None:
    """Return the Vega-Lite version altair writes for, as vl-convert names it; None: its newest."""
    wanted = ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    known = vl_convert.get_vegalite_versions()
    same_major = [version for version in known if version.split(".")[0] == wanted.split(".")[0]]
    return wanted if wanted in known else same_major[-1] if same_major else None


@lru_cache(maxsize=1)
def _javascript() -> str:
    """Bundle Vega, Vega-Lite and vega-embed as one script, for every chart of a page."""
    return vl_convert.javascript_bundle(vl_version=_vega_lite_version())
