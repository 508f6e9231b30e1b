"""The attention reader answers only where it surely helps."""

import numpy as np
import pytest

from q2_aam.training.reader_choice import surely_positive

random = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("gains", "groups", "sure"),
    [
        (np.full(40, 0.1), np.arange(40), True),
        (random.normal(1, 1, 40), np.arange(40), True),
        (random.normal(-1, 1, 40), np.arange(40), False),
        (random.normal(0.05, 1, 40), np.arange(40), False),
        (np.ones(40), np.zeros(40, int), False),  # one group shows nothing
        (np.repeat([5.0, -1, 2], 40), np.repeat([0, 1, 2], 40), False),  # three groups, not 120
        (np.repeat([5.0, -1, 2], 40), np.arange(120), True),
        (np.zeros(40), np.arange(40), False),
    ],
)
def test_gains_are_tested_over_groups(gains, groups, sure):
    assert surely_positive(gains, groups) is sure
