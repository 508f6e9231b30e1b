import numpy as np
import scipy.sparse

from q2_aam.data.known_asvs import match_asvs, padded_tokens, prevalent_asvs
from q2_aam.data.study import Study
from q2_aam.data.tokens import distinct_asvs

ASVS, _ = distinct_asvs(["ACG", "ACGT", "GGN", "TT"], limit=9)


def test_asvs_are_found_by_their_tokens_whatever_the_width():
    for width in (5, 12):
        known = padded_tokens(ASVS, np.array([3, 0]), width)
        assert known.shape == (2, width)
        assert match_asvs(ASVS, known).tolist() == [1, 2, 2, 0]


def test_an_asv_is_not_taken_for_a_longer_one_that_begins_with_it():
    longer, _ = distinct_asvs(["ACGTA", "ACGA", "TT"], limit=9)
    known = padded_tokens(ASVS, np.arange(4), 6)
    assert match_asvs(longer, known).tolist() == [4, 4, 3]


def test_known_asvs_that_repeat_are_refused(refused):
    known = padded_tokens(ASVS, np.array([1, 1, 2]), 6)
    refused(lambda: match_asvs(ASVS, known), "1 ASV twice", "damaged")


def test_prevalent_asvs_are_those_of_the_samples_given():
    held = scipy.sparse.csr_matrix(np.array([[1.0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0]]))
    study = Study(("a", "b", "c"), held)
    assert prevalent_asvs(study, np.array([0, 1])).tolist() == [0, 1, 3]
    assert prevalent_asvs(study, np.array([2])).tolist() == [2]


def test_rare_asvs_are_not_known_and_no_more_than_the_limit(monkeypatch):
    counts = np.zeros((250, 3))
    counts[:, 0], counts[:2, 1], counts[:3, 2] = 1, 1, 1
    study = Study(tuple(map(str, range(250))), scipy.sparse.csr_matrix(counts))
    assert prevalent_asvs(study, np.arange(250)).tolist() == [0, 2]
    monkeypatch.setattr("q2_aam.data.known_asvs.MOST_KNOWN", 1)
    assert prevalent_asvs(study, np.arange(250)).tolist() == [0]
