import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from q2_aam.data.alignment import (
    group_labels,
    match_samples,
    numeric_labels,
    require_enough,
    with_distances,
)
from q2_aam.data.table import SampleTable

IDS = tuple(f"s{number:02d}" for number in range(12))
TABLE = SampleTable(IDS, ("f",), scipy.sparse.csr_matrix(np.ones((12, 1))))


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


def test_where_half_of_the_ids_match_the_hint_is_given_too(refused):
    refused(
        lambda: match_samples(("A1", "B2", "C3"), ["A1", "b2", "c3"], "the metadata", "error"),
        "2 samples of 3", "'B2', 'C3'", "upper and lower case", "missing_samples",
    )  # fmt: skip


def test_one_sample_is_spoken_of_as_one(refused):
    refused(
        lambda: match_samples(("a", "b"), ["b"], "the metadata", "error"),
        "1 sample of 2 in the table is not",
    )


def test_no_shared_ids_shows_five_of_each(refused):
    others = [f"x{number}" for number in range(9)]
    message = refused(lambda: match_samples(IDS, others, "the matrix", "error"), "12 ids", "9 ids")
    assert "'s04' and 7 more" in message
    assert "'x4' and 4 more" in message


def test_missing_samples_stop_by_default_and_can_be_ignored(refused):
    refused(
        lambda: match_samples(IDS, IDS[7:], "the matrix", "error"),
        "7 samples of 12", "the matrix", "'s04' and 2 more", "'missing_samples' to 'ignore'",
    )  # fmt: skip
    shared, missing = match_samples(IDS, IDS[7:], "the matrix", "ignore")
    assert shared == list(IDS[7:])
    assert missing == list(IDS[:7])


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


def test_blank_targets_are_dropped_and_counted():
    labels = numeric_labels(TABLE, column([np.nan, *range(11)]), "error")
    assert labels.dropped == {"blank in the metadata column 'age'": ["s00"]}
    assert labels.values.tolist() == list(range(11))


def test_values_follow_their_ids():
    labels = numeric_labels(TABLE, column(range(12), IDS[::-1]), "error")
    assert labels.values.to_dict() == {name: 11 - place for place, name in enumerate(IDS)}


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


def test_large_numbers_stay_different_groups():
    ids = [1234567.0 + place // 2 for place in range(12)]
    assert group_labels(TABLE, column(ids), "error").values.nunique() == 6


def test_one_group_is_refused(refused):
    refused(
        lambda: group_labels(TABLE, column(["x"] * 12, name="child"), "error"),
        "'child'", "one group only", "'x'",
    )  # fmt: skip


def test_ten_samples_are_enough(refused):
    require_enough(10, "fitting")
    refused(lambda: require_enough(9, "fitting"), "Only 9 samples", "fitting", "10")
