"""The result of a comparison of distances in plain words."""

from __future__ import annotations

from ..errors import counted
from .compared_distances import ComparedDistances
from .distance_scores import RESAMPLES, DistanceScores
from .interval_words import INTERVALS_NOTE, format_interval
from .number_format import format_decimals
from .ordinations import Ordinations


def write_headline(
    compared: ComparedDistances, scores: DistanceScores, ordinations: Ordinations | None
) -> str:
    """Say in a few sentences how well distances are predicted.

    Parameters
    ----------
    compared : ComparedDistances
    scores : DistanceScores
    ordinations : Ordinations, optional

    Returns
    -------
    str
    """
    found = scores.estimates
    error, r_squared = found["mean_absolute_error"], found["r_squared"]
    text = (
        f"Predicted distances are off by {format_decimals(error.value, 3)} on average"
        f"{_in_brackets(error, 3)}, over {counted(compared.n_pairs, 'pair')} of "
        f"{counted(len(compared.ids), 'sample')}; always answering the mean distance, "
        f"{format_decimals(scores.mean_actual, 2)}, would be off by "
        f"{format_decimals(scores.constant_error, 3)}"
    )
    if not r_squared.value > 0:
        text += ": the model is no better than that"
    correlation = found["correlation"]
    if correlation.value == correlation.value:  # not NaN
        text += (
            f". They correlate with the actual ones with r = "
            f"{format_decimals(correlation.value, 2)}{_in_brackets(correlation, 2)} and explain "
            f"{_share(r_squared.value)} of their variance"
        )
    return f"{text}. {_agreement(ordinations)}".strip()


def _share(r_squared: float) -> str:
    return f"{format_decimals(100 * r_squared, 0)} %" if r_squared > 0 else "nothing"


def _agreement(ordinations: Ordinations | None) -> str:
    if ordinations is None:
        return ""
    numbers = (
        f"(Procrustes disparity {format_decimals(ordinations.disparity, 2)}, "
        f"p = {format_decimals(ordinations.p_value, 3)})"
    )
    if ordinations.p_value <= 0.05:
        return f"The two ordinations agree more than by chance {numbers}."
    return f"These samples do not show that the two ordinations agree {numbers}."


def _in_brackets(estimate, places: int) -> str:
    text = format_interval(estimate, places)
    return f" ({INTERVALS_NOTE} {text})" if text else ""


def describe_intervals(compared: ComparedDistances) -> str:
    """Say what was drawn for the intervals of the scores."""
    return (
        "Brackets: 95 % bootstrap intervals, from drawing samples with all their pairs "
        f"{RESAMPLES} times out of {len(compared.ids):,}: pairs that share a sample are not "
        "independent."
    )


def write_warnings(compared: ComparedDistances, scores: DistanceScores, ordinations) -> list[str]:
    """Warn of results that cannot be taken at their word."""
    warnings = []
    spread = scores.estimates["spread_ratio"].value
    if spread != spread:
        warnings.append(
            "The actual or the predicted distances are all equal: there is no correlation, and "
            "nothing to tell samples apart by."
        )
    elif spread < 0.5:
        warnings.append(
            "The predicted distances vary less than half as much as the actual ones: the model "
            "draws samples together."
        )
    if ordinations is None:
        warnings.append(
            "There are no ordinations: the samples of one matrix all lie in the same place."
        )
    if len(compared.ids) < 10:
        warnings.append(f"With only {len(compared.ids)} samples, the numbers here are rough.")
    return warnings
