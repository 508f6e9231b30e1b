"""The frame of a page: q2templates around a body in which every value is escaped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pandas as pd
import q2templates

from . import number_format, vega
from .figure import DOWNLOADS, Figure, json_for_script, shared_datasets, write_pictures

TEMPLATES = Path(__file__).parent / "templates"
DIGITS = 10  # of numbers in downloads: beyond any measurement, and half the size of all 17
ASSETS = ("report.css", "report.js")


def write_page(
    output_dir: str | Path,
    template: str,
    context: dict,
    figures: Sequence[Figure],
    tables: dict[str, pd.DataFrame],
) -> None:
    """Write index.html with its charts, scripts and downloads.

    Parameters
    ----------
    output_dir : str or Path
        The visualizer's folder.
    template : str
        File name of the body among the templates; it extends ``report.html``.
    context : dict
        Values for the template; all strings are escaped there.
    figures : sequence of Figure
        All that the template shows.
    tables : dict of str to pd.DataFrame
        Downloads, as TSV, by file name without suffix.
    """
    output_dir = Path(output_dir)
    (output_dir / DOWNLOADS).mkdir()
    for name, table in tables.items():
        path = output_dir / DOWNLOADS / f"{name}.tsv"
        table.to_csv(path, sep="\t", encoding="utf-8", float_format=f"%.{DIGITS}g")
    for figure in figures:
        write_pictures(figure, output_dir)
    for name in ASSETS:
        shutil.copyfile(TEMPLATES / name, output_dir / name)
    vega.write_javascript(output_dir)
    datasets = json_for_script(shared_datasets(figures))
    body = _render_body(template, {**context, "datasets": datasets})
    # q2templates renders without escaping and writes in the machine's own encoding: it gets only
    # a finished body in ASCII.
    q2templates.render(
        str(TEMPLATES / "index.html"),
        str(output_dir),
        context={"title": context["title"], "body": body},
    )


def _render_body(template: str, context: dict) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number_format.format_number
    html = environment.get_template(template).render(downloads=DOWNLOADS, **context)
    return html.encode("ascii", "xmlcharrefreplace").decode("ascii")
