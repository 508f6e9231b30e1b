import numpy as np
import pytest

from q2_aam.data import principal_components as module
from q2_aam.data.principal_components import principal_components


@pytest.fixture
def values():
    random = np.random.default_rng(0)
    return random.normal(size=(12, 7)) * np.arange(1, 8) + 100


@pytest.mark.parametrize("rows", [4096, 5])
def test_components_are_those_of_the_singular_value_decomposition(values, monkeypatch, rows):
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", rows)
    found = principal_components(values, 3)
    left, size, _ = np.linalg.svd(values - values.mean(axis=0))
    assert np.allclose(np.abs(found), np.abs(left[:, :3] * size[:3]))
    assert np.allclose(found.mean(axis=0), 0)


def test_signs_do_not_depend_on_the_order_of_samples(values):
    order = np.random.default_rng(1).permutation(len(values))
    assert np.allclose(
        principal_components(values[order], 5), principal_components(values, 5)[order]
    )


def test_the_largest_weight_is_positive(values):
    found = principal_components(values, 7)
    weights = np.linalg.lstsq(found, values - values.mean(axis=0), rcond=None)[0]
    assert (weights[np.arange(7), np.abs(weights).argmax(axis=1)] > 0).all()
