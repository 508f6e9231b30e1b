"""A learning-rate range test in plain words."""

from __future__ import annotations

import pandas as pd

from .number_format import MISSING

_DIGITS = 2  # a third digit of a learning rate means nothing


def write_rate(rate: float | None) -> str:
    """Write a learning rate as it can be typed on a command line, or a dash."""
    return MISSING if rate is None else f"{rate:.{_DIGITS}g}"


def write_headline(curve: pd.DataFrame, suggestion: float | None, action: str) -> str:
    """Say in a sentence or two what was found.

    Parameters
    ----------
    curve : pd.DataFrame
        With the columns learning_rate and smoothed_loss.
    suggestion : float or None
    action : str
        Such as ``fit-regressor``.
    """
    low, high = (write_rate(curve["learning_rate"].iloc[place]) for place in (0, -1))
    if suggestion is None:
        return (
            f"The loss never clearly fell while the learning rate rose from {low} to {high}, so "
            "that no learning rate can be suggested."
        )
    return (
        f"While the learning rate rose from {low} to {high}, the loss fell most steeply at "
        f"{write_rate(suggestion)}: use about that as 'learning_rate' of {action}."
    )


def write_command(suggestion: float | None, action: str) -> str:
    """Write the suggestion as a command line's option, or nothing."""
    if suggestion is None:
        return ""
    return f"qiime aam {action} --p-learning-rate {write_rate(suggestion)} …"


def write_warnings(curve: pd.DataFrame, suggestion: float | None, diverged: bool) -> list[str]:
    """Point at what the curve suggests to do differently."""
    warnings = []
    if suggestion is None:
        warnings.append(
            "Raise 'steps' for a smoother curve, and 'highest_rate' if the curve ends level. If "
            "that changes nothing, check that these samples can predict what is learned at all."
        )
    lowest = int(curve["smoothed_loss"].to_numpy().argmin())
    if not diverged and suggestion is not None and lowest >= len(curve) - 2:
        warnings.append(
            "The loss was still falling at the highest learning rate: raise 'highest_rate' to see "
            "where it stops."
        )
    start, end = curve["learning_rate"].iloc[[0, -1]]
    if suggestion is not None and suggestion < start * (end / start) ** 0.15:
        warnings.append(
            "The loss fell most steeply where the curve begins: lower 'lowest_rate' to see what "
            "lies before."
        )
    return warnings
