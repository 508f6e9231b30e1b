"""Numbers as people read them: sensible digits, a real minus sign, a dash for what is missing."""

from __future__ import annotations

import math

MISSING = "\u2013"


def format_number(value, significant: int = 3) -> str:
    """Write a number with a few significant digits, large ones in full with separators.

    Parameters
    ----------
    value : float, int or None
    significant : int
        Digits that count; whole numbers are never rounded.

    Returns
    -------
    str
        ``2.41``, ``1,234``, ``1.2e-05``, or a dash if the value is missing or not finite.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < 1e15:
        return _minus(f"{int(value):,}")
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 < magnitude < 9:
        return _minus(f"{value:.{significant - 1}e}")
    return format_decimals(value, max(0, significant - 1 - magnitude))


def decimals_for(value, significant: int = 3) -> int:
    """Return how many decimals show a value with so many significant digits (0 to 8)."""
    if value is None or not math.isfinite(value) or value == 0:
        return significant - 1
    return min(8, max(0, significant - 1 - math.floor(math.log10(abs(value)))))


def format_decimals(value, decimals: int) -> str:
    """Write a number with a fixed count of decimals, or a dash if it is missing."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    return _minus(text if float(text.replace(",", "")) else text.lstrip("-"))


def format_share(value) -> str:
    """Write a share between 0 and 1 as whole percent."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{100 * value:.0f} %"


def _minus(text: str) -> str:
    return text.replace("-", "\u2212", 1) if text.startswith("-") else text
