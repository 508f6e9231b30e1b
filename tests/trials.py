"""Randomized checks: a few trials in ``make test``, many in ``make test-hard``.

``Q2_AAM_TESTS=full`` asks for the full counts, ``Q2_AAM_TRIAL=17`` for one trial alone.
"""

import os

import numpy as np
import pytest

FULL = os.environ.get("Q2_AAM_TESTS") == "full"
ALONE = os.environ.get("Q2_AAM_TRIAL")


def count(small: int, full: int) -> int:
    return full if FULL else small


def pick(random: np.random.Generator, choices):
    """Draw one of some things, which numpy need not be able to put into an array."""
    return choices[int(random.integers(len(choices)))]


def repeat(check, small: int, full: int, seed: int = 0) -> None:
    """Run a check in independent, repeatable trials; say which one failed.

    It is given a random generator, which depends on seed and trial only, and the trial's number.
    """
    for number in [int(ALONE)] if ALONE else range(count(small, full)):
        try:
            check(np.random.default_rng([seed, number]), number)
        except (Exception, pytest.fail.Exception) as error:
            raise AssertionError(
                f"Trial {number} of seed {seed} failed (repeat it with Q2_AAM_TRIAL={number}): "
                f"{type(error).__name__}: {error}"
            ) from error
