"""The result of an evaluation in plain words, honest when the baseline or the constant wins."""

from __future__ import annotations

from .bootstrap import Estimate
from .evaluated_samples import EvaluatedSamples
from .interval_words import INTERVALS_NOTE, format_interval, judge_difference
from .number_format import format_number, format_share
from .regression_scores import BASELINE, CONSTANT, MODEL, RegressionScores


def write_headline(samples: EvaluatedSamples, scores: RegressionScores) -> str:
    """Say in one sentence how good the model is, and who wins.

    Parameters
    ----------
    samples : EvaluatedSamples
    scores : RegressionScores

    Returns
    -------
    str
    """
    row = scores.row(MODEL)
    error = row.estimates["mean_absolute_error"]
    count = f"{row.n_samples:,} sample{'s' if row.n_samples != 1 else ''}"
    opening = (
        f"Predictions of {samples.target} miss the true value by {format_number(error.value)} "
        f"on average{_interval_in_brackets(error)}, over {count}"
    )
    verdict = judge_difference(scores.differences[CONSTANT])
    constant = _error_of(scores, CONSTANT)
    if BASELINE not in scores.differences:
        return f"{opening}; {_against_constant(verdict, constant, scores.constant)}."
    sentence = f"{opening}; {_against_baseline(scores)}"
    if verdict != "better":
        sentence += f", and {_against_constant(verdict, constant, scores.constant)}"
    return f"{sentence}."


def _against_baseline(scores: RegressionScores) -> str:
    difference, baseline = scores.differences[BASELINE], _error_of(scores, BASELINE)
    ours = scores.row(MODEL).estimates["mean_absolute_error"].value
    if difference.value == 0:
        return "the baseline misses by exactly as much"
    verdict = judge_difference(difference)
    change = abs(difference.value) / max(abs(difference.value + ours), 1e-300)
    size = f"{'smaller' if difference.value > 0 else 'larger'} by {format_share(change)}"
    if verdict == "better":
        return f"the baseline misses by {baseline}: the model's error is {size}"
    if verdict == "worse":
        return f"the baseline is better and misses by {baseline}: the model's error is {size}"
    return (
        f"the baseline misses by {baseline}: the model's error is {size}, but these samples are "
        "too few to tell the two apart"
    )


def _against_constant(verdict: str, error: str, constant: float) -> str:
    answer = f"always answering {format_number(constant)}"
    if verdict == "better":
        return f"{answer} would miss by {error}"
    if verdict == "worse":
        return f"{answer} is better and misses by {error}: the model is of no use here"
    return (
        f"{answer} misses by {error}: the model cannot be told apart from that constant "
        "with these samples"
    )


def _error_of(scores: RegressionScores, predictor: str) -> str:
    return format_number(scores.row(predictor).estimates["mean_absolute_error"].value)


def _interval_in_brackets(estimate: Estimate) -> str:
    text = format_interval(estimate)
    return f" ({INTERVALS_NOTE} {text})" if text else ""


def describe_coverage(scores: RegressionScores) -> str:
    """Say how many true values lie inside their interval; empty without intervals."""
    if scores.coverage is None:
        return ""
    text = format_share(scores.coverage.value)
    ends = scores.coverage
    if ends.lower <= ends.upper:
        text += f" ({INTERVALS_NOTE} {100 * ends.lower:.0f} to {100 * ends.upper:.0f} %)"
    return (
        f"The prediction intervals hold the true value of {scores.n_inside:,} of "
        f"{scores.n_intervals:,} samples: {text}. The median interval is "
        f"{format_number(scores.interval_width)} wide. Compare that share with the level that was "
        "asked for when predicting (90 % unless it was changed): a lower share means that the "
        "model is surer than it should be."
    )
