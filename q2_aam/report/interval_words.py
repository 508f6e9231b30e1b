"""Intervals of scores in words: how they were made, and what they allow to say."""

from __future__ import annotations

from ..errors import counted
from .bootstrap import Estimate
from .number_format import decimals_for, format_decimals

FEW_SAMPLES = 10
INTERVALS_NOTE = "95 % interval"


def format_interval(estimate: Estimate, decimals: int | None = None) -> str:
    """Write an interval as ``2.1 to 2.9``; nothing if it is not known."""
    if not estimate.lower <= estimate.upper:
        return ""
    places = decimals_for(estimate.value) if decimals is None else decimals
    low, high = (format_decimals(end, places) for end in (estimate.lower, estimate.upper))
    return f"{low} to {high}"


def judge_difference(difference: Estimate) -> str:
    """Say whether a difference (positive: the model is better) is ``better`` or ``worse``.

    Returns
    -------
    str
        ``unclear`` if the interval holds zero or is not known.
    """
    if difference.lower > 0:
        return "better"
    return "worse" if difference.upper < 0 else "unclear"


def describe_bootstrap(samples) -> str:
    """Say what was drawn for the intervals of the scores, and when to distrust them.

    Parameters
    ----------
    samples : EvaluatedSamples or ClassifiedSamples

    Returns
    -------
    str
    """
    drawn = "Brackets: 95 % bootstrap intervals, from drawing"
    if samples.group_codes is not None:
        n_groups = f"{samples.n_groups:,} groups ('{samples.group_name}')"
        return f"{drawn} whole groups 1,000 times out of {n_groups}."
    text = f"{drawn} samples 1,000 times. "
    if samples.group_name is None:
        text += (
            "If samples belong together (one subject, site or cage), give that column as groups: "
            "these intervals are too narrow otherwise. "
        )
    else:
        text += (
            f"The {samples.n_groups} groups of '{samples.group_name}' are too few to draw whole "
            "groups: if they are subjects, sites or cages, these intervals are too narrow. "
        )
    if len(samples.frame) < FEW_SAMPLES:
        text += f"With only {counted(len(samples.frame), 'sample')}, they are rough. "
    return text.strip()
