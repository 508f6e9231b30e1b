import numpy as np
import pytest
import scipy.sparse

from q2_aam.data.study import build_studies, keep_most_abundant, relative
from q2_aam.data.table import SampleTable

A, C, G, T = ("A" * 20, "C" * 20, "G" * 20, "T" * 20)


def sample_table(counts, features, names=None) -> SampleTable:
    counts = scipy.sparse.csr_matrix(np.asarray(counts, dtype=float))
    names = names or [f"s{row}" for row in range(counts.shape[0])]
    return SampleTable(tuple(names), tuple(features), counts)


def test_relative_abundances_sum_to_one():
    found = relative(scipy.sparse.csr_matrix([[1.0, 0, 3], [0, 5, 0]]))
    assert found.toarray().tolist() == [[0.25, 0, 0.75], [0, 1, 0]]


def test_the_most_abundant_are_kept_and_ties_go_to_the_first_sequence():
    rows = scipy.sparse.csr_matrix([[0.1, 0.3, 0.3, 0.3], [0.4, 0, 0.2, 0.4], [0, 0, 1.0, 0]])
    kept = keep_most_abundant(rows, 2).toarray()
    assert kept.tolist() == [[0, 0.3, 0.3, 0], [0.4, 0, 0, 0.4], [0, 0, 1, 0]]


def test_a_large_limit_keeps_everything():
    rows = scipy.sparse.random(20, 30, 0.4, format="csr", random_state=0)
    assert (keep_most_abundant(rows, 30) != rows).nnz == 0


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_ties_do_not_depend_on_the_order_of_the_features(order):
    features = [[A, C, G, T][place] for place in order]
    counts = np.array([[5, 5, 5, 5], [1, 2, 2, 2]])[:, order]
    studies = build_studies([sample_table(counts, features)], None, 20, 2)
    held = studies.studies[0].abundances.toarray() > 0
    assert held.tolist() == [[True, True, False, False], [False, True, True, False]]
    assert studies.cut_samples == 2
    assert studies.cut_share == pytest.approx(0.5)


def test_features_of_one_sequence_are_merged():
    known = {"x": A, "y": C, "z": A}
    (one,) = build_studies([sample_table([[1, 2, 1]], ["x", "y", "z"])], known, 20, 9).studies
    assert one.abundances.toarray().tolist() == [[0.5, 0.5]]


def test_studies_share_their_asvs():
    tables = [sample_table([[1, 3]], [G, A]), sample_table([[2, 2]], [T, A])]
    studies = build_studies(tables, None, 20, 9)
    assert len(studies.asvs) == 3
    first, second = (study.abundances.toarray().tolist() for study in studies.studies)
    assert first == [[0.75, 0.25, 0]]
    assert second == [[0.5, 0, 0.5]]
