"""vl-convert: the JavaScript that draws charts in the browser, and pictures drawn without one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import altair
import vl_convert

JAVASCRIPT_NAME = "vega.js"


@lru_cache(maxsize=1)
def vega_lite_version() -> str | None:
    """Return the Vega-Lite version altair writes for, as vl-convert names it; None: its newest."""
    wanted = ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    known = vl_convert.get_vegalite_versions()
    if wanted in known:
        return wanted
    same_major = [version for version in known if version.split(".")[0] == wanted.split(".")[0]]
    return same_major[-1] if same_major else None


def write_javascript(folder: Path) -> None:
    """Write Vega, Vega-Lite and vega-embed as one script, for every chart of a page."""
    (folder / JAVASCRIPT_NAME).write_text(_javascript(), encoding="utf-8")


@lru_cache(maxsize=1)
def _javascript() -> str:
    return vl_convert.javascript_bundle(vl_version=vega_lite_version())


def draw_svg(specification: dict) -> str:
    """Draw a Vega-Lite chart as SVG."""
    return vl_convert.vegalite_to_svg(specification, vl_version=vega_lite_version())


def draw_png(svg: str) -> bytes:
    """Draw an SVG as PNG, at twice its size so that it prints well."""
    return vl_convert.svg_to_png(svg, scale=2)
