import numpy as np
import pytest
import scipy.sparse

from q2_aam.inference import spread_removals


@pytest.fixture
def abundances():
    random = np.random.default_rng(0)
    return scipy.sparse.csr_matrix(random.random((30, 5)) * (random.random((30, 5)) < 0.7))


@pytest.mark.parametrize("most", [1, 4, 7, 100])
def test_every_holder_is_stood_for(abundances, most):
    found = spread_removals(abundances, most)
    rich = abundances.getnnz(axis=1) > 1
    holders = abundances[np.flatnonzero(rich)].getnnz(axis=0)
    assert np.allclose(found.sum(axis=0), holders)
    assert (found.getnnz(axis=0) == np.minimum(holders, most)).all()
    assert (abundances.toarray()[found.nonzero()] > 0).all()
    assert found[np.flatnonzero(~rich)].nnz == 0


def test_the_samples_are_spread_over_the_abundances():
    column = np.random.default_rng(1).permutation(100) + 1.0
    abundances = scipy.sparse.csr_matrix(np.column_stack([column, np.ones(100)]))
    found = spread_removals(abundances, 4)
    chosen = np.sort(column[found[:, 0].nonzero()[0]])
    assert np.diff(chosen).tolist() == [25, 25, 25]
