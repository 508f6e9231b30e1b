"""A page: sections of figures, tables and notes in q2templates' frame, with downloads."""

import json
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import altair
import jinja2
import pandas as pd
import q2templates
import vl_convert
from altair.utils import schemapi
from markupsafe import Markup

from .formatting import TEMPLATES, format_count, parts, words

DOWNLOADS = "downloads"
DIGITS = 10  # of numbers in downloads: beyond any measurement, and half the size of all 17
STATIC_WIDTH = 620
MOST_SVG_MARKS = 2000  # beyond it the browser draws on a canvas, which stays quick
# Vega, Vega-Lite and vega-embed as one script, for every chart of a page
_bundle = lru_cache(maxsize=1)(vl_convert.javascript_bundle)


class Figure(NamedTuple):
    """A chart with its words."""

    name: str  # file name of the downloads, ours, never a user's
    title: str
    caption: str
    specification: dict  # in Vega-Lite, named for screen readers, without its schema's address
    numbers: str | pd.DataFrame  # what it shows: the name of a download of the page, or its own
    n_marks: int  # about how many marks it draws
    wide: bool  # takes the page's full width
    datasets: dict[str, list[dict]]  # by name, shared with other charts of the page


def figure(
    file: str, chart: altair.Chart, numbers: str | pd.DataFrame, n_marks: int = 0,
    wide: bool = False, datasets: dict | None = None, texts: Sequence[str] = (), **values,
) -> Figure:  # fmt: skip
    """Make a figure with the texts (title and caption), or those of its file with values."""
    title, caption = texts or (words(file, part, **values) for part in ("title", "caption"))
    title = title[:1].upper() + title[1:]
    content = chart.properties(description=title).to_dict(validate=schemapi.DEBUG_MODE)
    content.pop("$schema", None)
    return Figure(file, title, caption, content, numbers, n_marks, wide, datasets or {})


class Column(NamedTuple):
    """A column of a table; the meaning is shown when hovering over its head."""

    label: str
    number: bool = False
    meaning: str = ""


def column_of(section: str, name: str) -> Column:
    """Make a column of numbers whose label and meaning are words of a section."""
    label, meaning = parts(section, name)
    return Column(label, True, meaning)


class Cell(NamedTuple):
    """A cell with more than a text: an interval beneath it, codes such as ids, or a sequence."""

    text: str = ""
    detail: str = ""
    codes: Sequence[str] = ()
    sequence: str = ""


class Table(NamedTuple):
    """Rows of text or `Cell`; those from `shown` on appear at a click."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Cell]]
    shown: int | None = None


def table_of(id: str, columns: Sequence[tuple], shown: int | None = None) -> Table:
    """Make a table of columns: their label, their cells and, of numbers, True."""
    rows = list(zip(*(cells for _, cells, *_ in columns), strict=True))
    return Table(id, [Column(label, *number) for label, _, *number in columns], rows, shown)


class Text(NamedTuple):
    """A paragraph (p) with an id, a heading in a section (h3), or a line to be typed (pre)."""

    text: str | Markup
    id: str = ""
    tag: str = "p"


def define(columns: Sequence[Column], last: str = "") -> Markup:
    """Say what the columns of a table mean, and a last sentence."""
    meaning = Markup("<strong>{}</strong>: {}. ")
    known = [meaning.format(one.label, one.meaning) for one in columns if one.meaning]
    return Markup().join([*known, last])


class Fasta(NamedTuple):
    """Sequences by id, folded away, with a button that copies them all."""

    id: str
    sequences: dict[str, str]


class Download(NamedTuple):
    """A table to download as TSV, with an index called ``id``."""

    name: str
    what: str
    frame: pd.DataFrame


class Section(NamedTuple):
    """A part of the page: texts are paragraphs, figures in a list stand beside each other."""

    id: str
    nav: str
    title: str
    blocks: Sequence[str | list[Figure] | Text | Table | Fasta | Download]


class Card(NamedTuple):
    """A number at the top of the page."""

    label: str
    value: str
    detail: str = ""


def write_page(
    output_dir: str | Path, title: str, heading: str | Markup, headline: str,
    sections: Sequence[Section], cards: Sequence[Card] = (), warnings: Sequence[str] = (),
    lines: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write index.html and its downloads; lines stand beneath the headline."""
    output_dir = Path(output_dir)
    downloads = output_dir / DOWNLOADS
    downloads.mkdir()
    blocks = [block for section in sections for block in section.blocks]
    figures = [one for block in blocks if isinstance(block, list) for one in block]
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
    script = _bundle(vl_version=_vega_lite_version())
    (output_dir / "vega.js").write_text(script, encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"count": format_count, "json_for_script": json_for_script}
    environment.filters["kind"] = lambda block: type(block).__name__
    body = environment.get_template("report.html").render(
        heading=heading, headline=headline, sections=sections, cards=cards, warnings=warnings,
        lines=lines, datasets=datasets, downloads=DOWNLOADS, most_svg_marks=MOST_SVG_MARKS,
    )  # fmt: skip
    # q2templates renders without escaping and writes in the machine's own encoding: it gets only
    # a finished body in ASCII.
    context = {"title": title, "body": body.encode("ascii", "xmlcharrefreplace").decode("ascii")}
    q2templates.render(str(TEMPLATES / "index.html"), str(output_dir), context=context)


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
