"""Checks of single settings; each names the setting, what it is and what it must be."""

from __future__ import annotations

import dataclasses
import sys

from ..errors import AAMError, examples

_LONGEST_SHOWN = 60  # characters of a value: a file from a stranger may hold any


def shown(value) -> str:
    """Write a value for a message, shortened."""
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value):,}"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def check_whole(name: str, value, low: int, high: int) -> None:
    """Refuse what is not a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise AAMError(
            f"{name} is {shown(value)}, but must be a whole number from {low} to {high}."
        )


def check_finite(name: str, value) -> None:
    """Refuse what is not a finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not abs(value) <= sys.float_info.max:  # whole numbers of JSON have no bound
        raise AAMError(f"{name} is {shown(value)}, but must be a finite number.")


def check_positive(name: str, value) -> None:
    """Refuse what is not a finite number above 0."""
    check_finite(name, value)
    if value <= 0:
        raise AAMError(f"{name} is {value}, but must be above 0.")


def check_flag(name: str, value) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise AAMError(f"{name} is {shown(value)}, but must be true or false.")


def check_choice(name: str, value, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise AAMError(f"{name} is {shown(value)}, but must be one of {', '.join(choices)}.")


def check_text(name: str, value) -> None:
    """Refuse what is not text."""
    if not isinstance(value, str):
        raise AAMError(f"{name} is {shown(value)}, but must be text.")


def checked_keys(cls, content) -> dict:
    """Return a copy of a table that has exactly the fields of a dataclass."""
    if not isinstance(content, dict):
        raise AAMError(f"The model's config holds {type(content).__name__} where a table belongs.")
    own = {item.name for item in dataclasses.fields(cls)}
    for what, keys in (("lacks", own - set(content)), ("has unknown", set(content) - own)):
        if keys:
            names = examples(key[:_LONGEST_SHOWN] for key in sorted(keys))
            raise AAMError(
                f"The model's config {what} {names}. "
                "It was written by another version of q2-aam or was changed by hand."
            )
    return dict(content)


def checked_list(name: str, content, most: int) -> tuple:
    """Return a list of the config as a tuple; its length is checked before anything is built."""
    if not isinstance(content, (list, tuple)):
        raise AAMError(f"The model's config has {name} that are not a list.")
    if len(content) > most:
        raise AAMError(f"The model's config has {len(content):,} {name}, but at most {most:,} fit.")
    return tuple(content)
