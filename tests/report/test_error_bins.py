import numpy as np
import pandas as pd
import pytest

from q2_aam.report.regression_charts import _error_bins


@pytest.mark.parametrize("far", [5.0, 1e6, 1e12, 1e300, -1e308])
def test_one_error_far_from_the_others_makes_few_bins(far):
    errors = pd.Series([*np.random.default_rng(0).normal(size=50), far])
    edges = _error_bins(errors)
    assert 5 <= len(edges) <= 60
    assert edges[0] <= errors.min()
    assert edges[-1] > errors.max()
    assert 0 in edges
