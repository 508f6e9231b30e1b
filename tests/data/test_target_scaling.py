import numpy as np
import pandas as pd
import pytest

from q2_aam.data.target_scaling import describe_target, refuse_far_values, to_scaled, to_units

VALUES = np.array([1.0, 5.0, 3.0])


@pytest.mark.parametrize(
    ("scaling", "location", "scale"),
    [
        ("none", 0, 1),
        ("min-max", 1, 4),
        ("z-score", 3, np.std([1, 3, 5])),
        ("log-min-max", np.log(2), np.log(6) - np.log(2)),
        ("log-z-score", np.log([2, 4, 6]).mean(), np.log([2, 4, 6]).std()),
    ],
)
def test_11_9_targets_are_scaled_by_the_samples_given(scaling, location, scale):
    target = describe_target("age", VALUES, scaling, 7)
    assert (target.location, target.scale) == pytest.approx((location, scale))
    assert (target.minimum, target.maximum, target.mean) == (1, 5, 3)
    others = np.array([0.0, 0.5, 7.0, 1e5])
    assert to_units(target, to_scaled(target, others)) == pytest.approx(others, rel=1e-9, abs=1e-9)
    assert np.isfinite(to_units(target, np.array([1e6]))).all()


@pytest.mark.parametrize("far", [1e13, -1e20, np.nan, np.inf])
def test_row_10_values_too_far_for_a_model_are_named(refused, far):
    values = pd.Series([1.0, far, 3.0], index=["a", "b", "c"])
    refused(
        lambda: refuse_far_values(values, values.to_numpy(), "age"),
        "1 sample of 3", "'age'", f"'b: {far:g}'", "'target_scaling'",
    )  # fmt: skip
    refuse_far_values(values[["a", "c"]], np.array([1e12, -3.0]), "age")
