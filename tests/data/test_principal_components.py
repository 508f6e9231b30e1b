import numpy as np
import pytest

from q2_aam import inference
from q2_aam.inference import principal_components


@pytest.mark.parametrize("rows", [4096, 5])
def test_components_are_those_of_the_singular_value_decomposition(monkeypatch, rows):
    monkeypatch.setattr(inference, "_ROWS_CENTERED_AT_ONCE", rows)
    random = np.random.default_rng(0)
    values = random.normal(size=(12, 7)) * np.arange(1, 8) + 100
    centered = values - values.mean(axis=0)
    found = principal_components(values, 7)
    left, size, _ = np.linalg.svd(centered)
    assert np.allclose(np.abs(found), np.abs(left[:, :7] * size))
    weights = np.linalg.lstsq(found, centered, rcond=None)[0]
    assert (weights[np.arange(7), np.abs(weights).argmax(axis=1)] > 0).all()
    order = random.permutation(len(values))
    assert np.allclose(principal_components(values[order], 5), found[order, :5])
