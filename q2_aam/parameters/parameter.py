"""What every parameter has: a type, a default and a help sentence."""

from typing import Any, NamedTuple

from qiime2.plugin import Float, Int, Range


class Parameter(NamedTuple):
    """The QIIME 2 type of a parameter, its default and its help."""

    type: Any
    default: Any
    help: str


def share(default: float, text: str, largest: float = 0.9) -> Parameter:
    """Describe a share from 0 to `largest`."""
    return Parameter(Float % Range(0.0, largest, inclusive_end=True), default, text)


def count(default: int, text: str) -> Parameter:
    """Describe a whole number of at least 1."""
    return Parameter(Int % Range(1, None), default, text)


def weight(default: float, text: str) -> Parameter:
    """Describe a weight from 0 to 100."""
    return Parameter(Float % Range(0.0, 100.0, inclusive_end=True), default, text)
