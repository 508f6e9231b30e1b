import numpy as np
import pandas as pd
import pytest

from q2_aam.config import Covariate
from q2_aam.data.covariates import describe_covariates, encode_covariates, unknown_levels

FRAME = pd.DataFrame(
    {"bmi": [20.0, np.nan, 30.0, 25.0], "sex": ["m", "f", None, "m"]}, index=list("abcd")
)
SEX, BMI = Covariate("sex", ("f", "m")), Covariate("bmi", (), 25.0, 5.0)


def test_columns_are_described_by_the_samples_given():
    bmi, sex = describe_covariates(FRAME)
    assert sex == SEX
    assert (bmi.name, bmi.levels, bmi.mean) == ("bmi", (), 25.0)
    assert bmi.scale == pytest.approx(np.std([20, 30, 25]))


def test_columns_become_scaled_numbers_and_one_number_for_each_level():
    found = encode_covariates((BMI, SEX), FRAME)
    assert found.dtype == np.float32
    assert found.tolist() == [
        [-1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
    ]


def test_levels_that_were_not_learned_count_as_missing():
    frame = FRAME.assign(sex=["x", "f", "y", "x"])
    assert encode_covariates((SEX,), frame).tolist() == [[0, 0, 1], [1, 0, 0]] + [[0, 0, 1]] * 2
    assert unknown_levels((BMI, SEX), frame) == {"sex": ["x", "y"]}
    assert unknown_levels((BMI, SEX), FRAME) == {}


@pytest.mark.parametrize("blank", [np.nan, None])
def test_blank_columns_are_missing_whatever_their_type(blank):
    frame = pd.DataFrame({"bmi": [blank] * 2, "sex": [blank] * 2}, index=list("ab"))
    assert encode_covariates((BMI, SEX), frame).tolist() == [[0, 1, 0, 0, 1]] * 2


def test_a_column_of_one_value_and_blanks_says_what_is_missing():
    frame = pd.DataFrame({"bmi": [7.0, np.nan, 7.0]})
    (bmi,) = describe_covariates(frame)
    assert encode_covariates((bmi,), frame).tolist() == [[0, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([4.5] * 3, ["'x' is '4.5' in all 3 training samples", "'covariate_columns'"]),
        (["a"] * 3, ["'x' is 'a' in all 3"]),
        ([np.nan] * 3, ["'x' is blank in all 3"]),
        ([1.0, np.inf, 2.0], ["1 sample", "infinite 'x'", "'1'"]),
        ([f"s{number:03d}" for number in range(101)], ["101 levels", "'s000'", "at most 100"]),
    ],
)
def test_columns_of_which_nothing_can_be_learned(refused, values, parts):
    refused(lambda: describe_covariates(pd.DataFrame({"x": values})), *parts)


def test_a_hundred_levels_and_256_columns_can_be_learned(refused):
    values = [f"s{number:03d}" for number in range(100)]
    assert len(describe_covariates(pd.DataFrame({"x": values}))[0].levels) == 100
    many = pd.DataFrame({f"c{number}": [0.0, 1.0] for number in range(257)})
    refused(lambda: describe_covariates(many), "257 covariates", "at most 256")
    assert len(describe_covariates(many.iloc[:, 1:])) == 256


@pytest.mark.parametrize("value", [1e300, -1e300, 5.1e6, np.inf])
def test_numbers_far_from_all_that_was_learned(refused, value):
    frame = FRAME.assign(bmi=[20.0, value, 30.0, np.nan])
    refused(lambda: encode_covariates((BMI,), frame), "1 sample of 4", "'bmi'", "25", "'b'")
    assert np.isfinite(encode_covariates((BMI,), frame.assign(bmi=4.9e6))).all()
