import numpy as np

from q2_aam.data.tokens import START, UNKNOWN, tokenize, tokenize_asvs


def test_tokenize_begins_with_start_and_ends_with_padding():
    tokens, lengths = tokenize(["ACGT", "TT", "GANTC"])
    assert tokens.dtype == np.uint8
    assert lengths.tolist() == [4, 2, 5]
    assert tokens.tolist() == [
        [START, 1, 2, 3, 4, 0],
        [START, 4, 4, 0, 0, 0],
        [START, 3, 1, UNKNOWN, 4, 2],
    ]


def test_every_letter_but_four_is_unknown():
    tokens, _ = tokenize(["RYSWKMBDHVN"])
    assert (tokens[0, 1:] == UNKNOWN).all()


def test_equal_sequences_become_one_asv():
    asvs, index = tokenize_asvs(["GG", "AA", "GG", "CC"], limit=10)
    assert len(asvs) == 3
    assert index.tolist() == [2, 0, 2, 1]
    assert asvs.shortened == 0
    assert asvs.unknown == 0


def test_sequences_that_differ_behind_the_limit_only_become_one():
    asvs, index = tokenize_asvs(["ACGTA", "ACGTC", "ACG"], limit=4)
    assert len(asvs) == 2
    assert index.tolist() == [1, 1, 0]
    assert asvs.shortened == 2
    assert asvs.tokens.shape == (2, 5)


def test_asvs_do_not_depend_on_the_order_of_the_features():
    sequences = ["TTG", "ACG", "NNN", "ACGT", "TTG"]
    one, index = tokenize_asvs(sequences, limit=9)
    other, backwards = tokenize_asvs(sequences[::-1], limit=9)
    assert (one.tokens == other.tokens).all()
    assert index.tolist() == backwards[::-1].tolist()
    assert one.unknown == 3


def test_tokens_cannot_be_changed():
    asvs, index = tokenize_asvs(["ACG"], limit=9)
    assert not asvs.tokens.flags.writeable
    assert not index.flags.writeable
