import numpy as np
from simulated_study import describe_target

from q2_aam.conformal import conformal_margin


def target(residuals):
    residuals = tuple(float(value) for value in sorted(residuals))
    return describe_target(residuals=residuals)


def test_too_few_samples_give_the_largest_error_and_a_warning(capsys):
    assert conformal_margin(target([3, 1, 4, 2]), 0.9) == 4
    warned = capsys.readouterr().err
    assert "Warning: 4 samples predicted without their group cannot support 90%" in warned
    assert "about 80%" in warned


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = []
    for _ in range(400):
        errors = np.abs(random.standard_cauchy(40))
        held.append(errors[0] <= conformal_margin(target(errors[1:]), 0.8))
    assert 0.74 < np.mean(held) < 0.86


def test_a_model_without_errors_of_other_groups_is_refused(refused):
    refused(lambda: conformal_margin(target([]), 0.9), "no samples", "at least two groups")
