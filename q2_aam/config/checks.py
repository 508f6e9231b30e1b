"""Checks of single settings; each names the setting, what it is and what it must be."""

import dataclasses
import sys

from ..errors import AAMError, examples

_LONGEST_SHOWN = 60  # characters of a value: a file from a stranger may hold any


def _check(name: str, value, passed: bool, must_be: str) -> None:
    if not passed:
        raise AAMError(f"{name} is {shown(value)}, but must be {must_be}.")


def shown(value) -> str:
    """Write a value for a message, shortened."""
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value):,}"
    written = repr(value)
    return written if len(written) <= _LONGEST_SHOWN else f"{written[:_LONGEST_SHOWN]}…"


def whole(name: str, value, low: int, high: int) -> None:
    """Refuse what is not a whole number from `low` to `high`; true and false are none."""
    passed = type(value) is int and low <= value <= high
    _check(name, value, passed, f"a whole number from {low} to {high}")


def finite(name: str, value) -> None:
    """Refuse what is not a finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # whole numbers of JSON have no bound
    _check(name, value, number and abs(value) <= sys.float_info.max, "a finite number")


def positive(name: str, value) -> None:
    """Refuse what is not a finite number above 0."""
    finite(name, value)
    _check(name, value, value > 0, "above 0")


def flag(name: str, value) -> None:
    """Refuse what is neither true nor false."""
    _check(name, value, isinstance(value, bool), "true or false")


def choice(name: str, value, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of the choices."""
    passed = isinstance(value, str) and value in choices
    _check(name, value, passed, f"one of {', '.join(choices)}")


def text(name: str, value) -> None:
    """Refuse what is not text."""
    _check(name, value, isinstance(value, str), "text")


def names(name: str, values: tuple, what: str) -> None:
    """Refuse values that are not all text, or not distinct; `what` says whose they are."""
    for value in values:
        text(name, value)
    if len(set(values)) < len(values):
        raise AAMError(f"{what} has the same {name.split()[-1]} twice.")


def keys(cls, content) -> dict:
    """Return a copy of a table that has exactly the fields of a dataclass."""
    if not isinstance(content, dict):
        raise AAMError(f"The model's config holds {type(content).__name__} where a table belongs.")
    own = {item.name for item in dataclasses.fields(cls)}
    for what, found in (("lacks", own - set(content)), ("has unknown", set(content) - own)):
        if found:
            names = examples(one[:_LONGEST_SHOWN] for one in sorted(found))
            raise AAMError(
                f"The model's config {what} {names}. "
                "It was written by another version of q2-aam or was changed by hand."
            )
    return dict(content)


def listed(name: str, content, most: int) -> tuple:
    """Return a list of the config as a tuple; its length is checked before anything is built."""
    if not isinstance(content, (list, tuple)):
        raise AAMError(f"The model's config has {name} that are not a list.")
    if len(content) > most:
        raise AAMError(f"The model's config has {len(content):,} {name}, but at most {most:,} fit.")
    return tuple(content)
