"""What the tests of actions (``tests/actions/test_fitting_with_covariates.py``) leave open."""

import numpy as np
import pandas as pd
import pytest

from q2_aam.data.covariates import describe_covariates, encode_covariates, unknown_levels

FRAME = pd.DataFrame(
    {"bmi": [20.0, np.nan, 30.0, 25.0], "sex": ["m", "f", None, "m"]}, index=list("abcd")
)


def test_columns_become_scaled_numbers_and_one_number_for_each_level():
    covariates = bmi, sex = describe_covariates(FRAME)
    assert (sex.name, sex.levels) == ("sex", ("f", "m"))
    assert (bmi.name, bmi.levels, bmi.mean) == ("bmi", (), 25.0)
    assert bmi.scale == pytest.approx(np.std([20, 30, 25]))
    other = FRAME.assign(bmi=25 + np.array([-1, np.nan, 1, 0]) * bmi.scale, sex=[*"mfxm"])
    found = encode_covariates(covariates, other)
    assert found.dtype == np.float32
    assert found.tolist() == [
        [-1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1],  # a level that was not learned counts as missing
        [0, 0, 0, 1, 0],
    ]
    assert unknown_levels(covariates, other) == {"sex": ["x"]}
    assert unknown_levels(covariates, FRAME) == {}
    for blank in (np.nan, None):  # whatever the type of the columns
        nothing = pd.DataFrame({"bmi": [blank] * 2, "sex": [blank] * 2}, index=list("ab"))
        assert encode_covariates(covariates, nothing).tolist() == [[0, 1, 0, 0, 1]] * 2
    same = pd.DataFrame({"bmi": [7.0, np.nan, 7.0]})
    assert encode_covariates(describe_covariates(same), same).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_a_hundred_levels_and_256_columns_can_be_learned_and_no_infinity(refused):
    def describe(**columns):
        return describe_covariates(pd.DataFrame(columns))

    values = [f"s{number:03d}" for number in range(101)]
    refused(lambda: describe(x=values), "101 levels", "'s000'", "at most 100")
    assert len(describe(x=values[:100])[0].levels) == 100
    many = {f"c{number}": [0.0, 1.0] for number in range(257)}
    refused(lambda: describe(**many), "257 covariates", "at most 256")
    assert len(describe(**dict(list(many.items())[1:]))) == 256
    refused(lambda: describe(x=[1.0, np.inf, 2.0]), "1 sample", "infinite 'x'", "'1'")


@pytest.mark.parametrize("value", [-1e300, 5.1e6, np.inf])
def test_numbers_far_from_all_that_was_learned(refused, value):
    (bmi,) = describe_covariates(pd.DataFrame({"bmi": [20.0, 30.0]}))  # 25 with a scale of 5
    frame = FRAME.assign(bmi=[20.0, value, 30.0, np.nan])
    refused(lambda: encode_covariates((bmi,), frame), "1 sample of 4", "'bmi'", "25", "'b'")
    assert np.isfinite(encode_covariates((bmi,), frame.assign(bmi=4.9e6))).all()
