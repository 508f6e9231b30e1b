"""What the tests of actions with bad inputs (``tests/actions/test_bad_input.py``) leave open."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from q2_aam.data.alignment import group_labels, match_samples, numeric_labels, with_distances
from q2_aam.data.sequences import sequences_of
from q2_aam.data.table import SampleTable

IDS = tuple(f"s{number:02d}" for number in range(12))
TABLE = SampleTable(IDS, ("f",), scipy.sparse.csr_matrix(np.ones((12, 1))))
DNA = "ACGTACGTACGTACGTACGTA"


def column(values, ids=IDS, name="age") -> pd.Series:
    return pd.Series(values, index=pd.Index(ids, name="id"), name=name)


@pytest.mark.parametrize(
    ("table", "other", "cause"),
    [
        (["a.1", "b.1"], ["A.1", "B.1"], "upper and lower case"),
        (["a", "b"], ["a ", " b"], "blanks around them"),
        (["0001", "0002"], ["1", "2"], "leading zeros"),
        (["s1", "s2"], ["11129.s1", "11129.s2"], "without the prefix '11129.'"),
        (["child.1.s1", "s2"], ["x", "10249.child.1.s1"], "without the prefix '10249.'"),
        (["s1", "s2"], ["x", "y"], "same study"),
    ],
)
def test_no_shared_ids_names_both_sides_and_the_likely_cause(refused, table, other, cause):
    refused(
        lambda: match_samples(tuple(table), other, "the metadata", "ignore"),
        "no ids in common", "The table: 2 ids", f"{table[0]!r}", "the metadata: 2 ids",
        f"{other[0]!r}", cause,
    )  # fmt: skip


def test_missing_samples_stop_by_default_and_can_be_ignored(refused):
    refused(
        lambda: match_samples(IDS, IDS[7:], "the matrix", "error"),
        "7 samples of 12", "the matrix", "'s04' and 2 more", "'missing_samples' to 'ignore'",
    )  # fmt: skip
    refused(lambda: match_samples(IDS[:2], IDS[:1], "the matrix", "error"), "1 sample of 2", "is")
    assert match_samples(IDS, IDS[7:], "the matrix", "ignore") == (list(IDS[7:]), list(IDS[:7]))


def test_distances_follow_the_samples_whatever_the_order_of_the_matrix():
    random = np.random.default_rng(0)
    names = [*IDS[2:], "other"]
    ids = [names[place] for place in random.permutation(len(names))]
    matrix = random.random((len(ids), len(ids))).astype(np.float32)
    table, distances, missing = with_distances(TABLE, ids, matrix, "the matrix", "ignore")
    assert missing == ["s00", "s01"]
    assert table.sample_ids == IDS[2:]
    assert distances.matrix is matrix
    block = distances.block(np.array([4, 0]))
    left, right = ids.index(table.sample_ids[4]), ids.index(table.sample_ids[0])
    assert block[0, 1] == matrix[left, right]
    assert block[1, 0] == matrix[right, left]


def test_values_follow_their_ids_and_blanks_are_dropped_and_counted():
    labels = numeric_labels(TABLE, column([*range(11), np.nan], IDS[::-1]), "error")
    assert labels.dropped == {"blank in the metadata column 'age'": ["s00"]}
    assert labels.values.to_dict() == {name: 10 - place for place, name in enumerate(IDS[1:])}


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([np.inf, -np.inf, *range(10)], ["2 samples", "infinite 'age'", "'s00'", "'s01'"]),
        ([3.5] * 12, ["All 12 samples", "same 'age' (3.5)", "another column"]),
        ([np.nan] * 3 + list(range(9)), ["Only 9 samples", "learning 'age'", "at least 10"]),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(refused, values, parts):
    refused(lambda: numeric_labels(TABLE, column(values), "error"), *parts)


def test_groups_may_be_text_or_numbers_and_blank_ones_are_dropped():
    text = group_labels(TABLE, column([None, *"aabbccddeef"], name="child"), "error")
    assert text.dropped == {"blank in the metadata column 'child'": ["s00"]}
    numbers = group_labels(TABLE, column([1.0, 2.0] * 6), "error")
    assert set(numbers.values) == {"1", "2"}
    large = [1234567.0 + place // 2 for place in range(12)]
    assert group_labels(TABLE, column(large), "error").values.nunique() == 6


def test_sequences_are_found_by_id_in_the_order_of_the_features():
    known = {"one": DNA, "two": DNA.replace("T", "U") + "n"}
    assert sequences_of(["two", "one"], known) == [DNA + "N", DNA]
    assert sequences_of([DNA, DNA.lower()], None) == [DNA, DNA]


@pytest.mark.parametrize("name", ["CAT", "A" * 19, DNA + " ", f"k_{DNA}", ""])
def test_words_that_look_like_dna_are_not_taken_for_it(refused, name):
    refused(lambda: sequences_of([name], None), "1 feature id of 1", "not DNA")


@pytest.mark.parametrize("dna", ["ACGT", DNA + "-", DNA + "."])
def test_sequences_that_are_not_dna_are_named(refused, dna):
    refused(lambda: sequences_of(["a"], {"a": dna}), "1 sequence", "'a'", "unaligned")


@pytest.mark.parametrize("rank", ["k__Bacteria;p__P;g__G{}", "d__Bacteria;__;{}", "g__Genus{}"])
def test_a_collapsed_table_is_named_as_such(refused, rank):
    taxa = [rank.format(number) for number in range(40)]
    refused(lambda: sequences_of(taxa, {"x": DNA}), "40 feature ids", "collapsed", "table of ASVs")
