"""The words of the pages, read from templates/words.ini."""

from __future__ import annotations

import configparser
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _read() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(Path(__file__).parent / "templates" / "words.ini", encoding="utf-8")
    return parser


def words(section: str, key: str, /, **values) -> str:
    """Return a text in one line, its {names} filled in; empty if there is none."""
    text = " ".join(_read().get(section, key, fallback="").split())
    return text.format(**values)


def parts(section: str, key: str) -> list[str]:
    """Return the parts of a text that `` | `` divides."""
    return [part.strip() for part in words(section, key).split(" | ")]


def keys(section: str) -> list[str]:
    """Return the keys of a section, in their order."""
    return list(_read()[section])
