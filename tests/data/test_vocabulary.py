import numpy as np
import scipy.sparse

from q2_aam.config import KNOWN_ASVS
from q2_aam.data.study import Study
from q2_aam.data.tokens import tokenize_asvs
from q2_aam.data.vocabulary import padded_tokens, prevalent_asvs, read_vocabulary

ASVS, _ = tokenize_asvs(["ACG", "ACGT", "GGN", "TT"], limit=9)


def model_of(tokens: np.ndarray) -> dict:
    means = np.linspace(0.1, 0.5, len(tokens), dtype=np.float32)
    return {KNOWN_ASVS: tokens, "target_head.scaling.vocabulary.mean": means}


def test_the_vocabulary_of_a_model_is_what_was_stored_whatever_the_width():
    for width in (5, 12):
        tokens = padded_tokens(ASVS, np.array([3, 0, 2]), width)
        assert tokens.shape == (3, width)
        vocabulary = read_vocabulary(model_of(tokens))
        assert vocabulary.sequences == ["TT", "ACG", "GGN"]
        assert (np.diff(vocabulary.abundance) > 0).all()


def test_a_vocabulary_that_repeats_is_refused(refused):
    tokens = padded_tokens(ASVS, np.array([1, 1, 2]), 6)
    refused(lambda: read_vocabulary(model_of(tokens)), "1 ASV twice", "damaged")


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
    monkeypatch.setattr("q2_aam.data.vocabulary.MOST_KNOWN", 1)
    assert prevalent_asvs(study, np.arange(250)).tolist() == [0]
