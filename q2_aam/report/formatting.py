"""Numbers as people read them, and the words of the pages from templates/words.ini."""

import configparser
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ..errors import percent

TEMPLATES = Path(__file__).parent / "templates"
MISSING = "\u2013"
_SMALLEST, _LARGEST = 1e-4, 1e6  # measured numbers outside are written as powers of ten
_MOST_DIGITS = 8


def format_count(count: int | None) -> str:
    """Write a count in full, as ``1,234,567``."""
    return MISSING if count is None else _minus(f"{int(count):,}")


def format_number(value, significant: int = 3) -> str:
    """Write a measured number: ``2.41``, ``1,234``, ``3.97e-09``."""
    if not _is_missing(value) and float(value).is_integer() and abs(value) < _LARGEST:
        return format_count(value)
    return format_like(value, value, significant)


def format_like(value, reference, significant: int = 3) -> str:
    """Write a number as precisely as a reference that has so many digits."""
    if _is_missing(value):
        return MISSING
    if _is_missing(reference) or reference == 0:
        reference = value or 1.0
    last = _magnitude(reference) - significant + 1  # power of ten of the last digit shown
    if all(one == 0 or _SMALLEST <= abs(one) < _LARGEST for one in (value, reference)):
        return format_decimals(value, min(_MOST_DIGITS, max(0, -last)))
    digits = min(_MOST_DIGITS, max(0, _magnitude(value) - last)) if value else 0
    return _minus(f"{value:.{digits}e}") if value else "0"


def format_decimals(value, decimals: int) -> str:
    """Write a number with a fixed count of decimals."""
    if _is_missing(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    return _minus(text if float(text.replace(",", "")) else text.lstrip("-"))


def format_fraction(value) -> str:
    """Write a fraction from 0 to 1 as whole percent; what is not all or nothing never looks so."""
    return MISSING if _is_missing(value) else percent(value)


def format_p(value) -> str:
    """Write a p value: three decimals, or a power of ten."""
    if _is_missing(value) or value >= 0.001:
        return format_decimals(value, 3)
    return f"{value:.0e}" if value else "< 1e-300"


def format_duration(seconds: float) -> str:
    """Write a time in its most fitting unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def format_setting(value) -> str:
    """Write a setting's value, of any JSON type."""
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, (str, int)):
        return str(value)
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def format_cell(value) -> str:
    """Write a value of a metadata column: text as it is, numbers short, blanks as a dash."""
    return value if isinstance(value, str) else format_number(value)


def natural_order(name: str) -> tuple:
    """Sort as people do: week 2 before week 10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def join_words(words: Iterable[str]) -> str:
    """Write ``a, b and c``."""
    *first, end = words
    return f"{', '.join(first)} and {end}" if first else end


@lru_cache(maxsize=1)
def _read_words() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(TEMPLATES / "words.ini", encoding="utf-8")
    return parser


def words(section: str, key: str, /, **values) -> str:
    """Return a text in one line, its {names} filled in; empty if there is none."""
    return " ".join(_read_words().get(section, key, fallback="").split()).format(**values)


def parts(section: str, key: str) -> list[str]:
    """Return the parts of a text that `` | `` divides."""
    return [part.strip() for part in words(section, key).split(" | ")]


def _is_missing(value) -> bool:
    return value is None or not math.isfinite(value)


def _magnitude(value) -> int:
    return math.floor(math.log10(abs(value)))


def _minus(text: str) -> str:
    return "\u2212" + text[1:] if text.startswith("-") else text
