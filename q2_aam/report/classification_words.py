"""The result of an evaluation in plain words, honest when the baseline or the constant wins."""

from __future__ import annotations

from .bootstrap import Estimate
from .calibration import calibration_error
from .classification_scores import BASELINE, CONSTANT, MODEL, ClassificationScores
from .classified_samples import ClassifiedSamples
from .interval_words import INTERVALS_NOTE, format_interval, judge_difference
from .number_format import format_decimals, format_share


def write_headline(samples: ClassifiedSamples, scores: ClassificationScores) -> str:
    """Say in a few sentences how good the model is, and who wins.

    Parameters
    ----------
    samples : ClassifiedSamples
    scores : ClassificationScores

    Returns
    -------
    str
    """
    row = scores.row(MODEL)
    found = row.overall["accuracy"]
    count = f"{row.n_samples:,} sample{'s' if row.n_samples != 1 else ''}"
    opening = (
        f"The model predicts the right {samples.target} for {format_share(found.value)} of {count}"
        f"{_in_brackets(found)}"
    )
    constant = _against_constant(scores)
    if BASELINE not in scores.differences:
        return f"{opening}; {constant}. {_balanced(scores)}"
    return f"{opening}; {_against_baseline(scores)}, and {constant}. {_balanced(scores)}"


def _against_baseline(scores: ClassificationScores) -> str:
    difference = scores.differences[BASELINE]["accuracy"]
    share = format_share(scores.row(BASELINE).overall["accuracy"].value)
    if difference.value == 0:
        return f"the baseline is right exactly as often ({share})"
    text = f"the baseline is right for {share}"
    verdict = judge_difference(difference)
    if verdict == "better":
        return f"{text}: the model is better"
    if verdict == "worse":
        return f"{text}: the baseline is better"
    return f"{text}, but these samples are too few to tell the two apart"


def _against_constant(scores: ClassificationScores) -> str:
    difference = scores.differences[CONSTANT]["accuracy"]
    share = format_share(scores.row(CONSTANT).overall["accuracy"].value)
    answer = f"always answering '{scores.constant}', {scores.constant_is}, "
    verdict = judge_difference(difference)
    if verdict == "better":
        return f"{answer}would be right for {share}"
    if verdict == "worse":
        return f"{answer}is right more often, for {share}"
    return f"{answer}is right for {share}, which cannot be told apart with these samples"


def _balanced(scores: ClassificationScores) -> str:
    """Say what the model finds when every class counts the same."""
    found = scores.row(MODEL).overall["balanced_accuracy"]
    guess = scores.row(CONSTANT).overall["balanced_accuracy"]
    text = (
        "With every class counting the same, it finds "
        f"{format_share(found.value)}{_in_brackets(found)}; the constant, "
        f"{format_share(guess.value)}."
    )
    verdict = judge_difference(scores.differences[CONSTANT]["balanced_accuracy"])
    if verdict == "better":
        return text
    return f"{text} These samples do not show that the model tells the classes apart."


def _in_brackets(estimate: Estimate) -> str:
    if not estimate.lower <= estimate.upper:
        return ""
    low, high = 100 * estimate.lower, 100 * estimate.upper
    return f" ({INTERVALS_NOTE} {format_decimals(low, 0)} to {format_decimals(high, 0)} %)"


def describe_differences(scores: ClassificationScores) -> str:
    """Say by how much the model's accuracy differs from the baseline's; empty without one."""
    difference = scores.differences.get(BASELINE, {}).get("balanced_accuracy")
    if difference is None:
        return ""
    interval = format_interval(difference, 2)
    return (
        "Differences are the model's score minus the other's on the same samples: above zero the "
        "model is better. If the bracket holds zero, these samples do not tell the two apart. In "
        f"balanced accuracy, model and baseline differ by {format_decimals(difference.value, 2)}"
        f"{f' [{interval}]' if interval else ''}."
    )


def describe_calibration(table, predictor: str = "this model") -> str:
    """Say how far a predictor's probabilities are off on average."""
    bins = table[table["predictor"] == predictor]
    off = 100 * calibration_error(bins)
    return (
        f"On average over the bins, the probabilities of {predictor} are off by "
        f"{format_decimals(off, 0)} percentage points."
    )
