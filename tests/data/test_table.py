import biom
import numpy as np
import pytest

from q2_aam.data.table import read_table


def table(counts, features=None, samples=None) -> biom.Table:
    counts = np.asarray(counts, dtype=float)
    return biom.Table(
        counts,
        features or [f"f{row}" for row in range(counts.shape[0])],
        samples or [f"s{column}" for column in range(counts.shape[1])],
    )


def test_samples_are_sorted_with_their_counts():
    read = read_table(table([[1, 2, 3], [0, 0, 4]], samples=["c", "a", "b"]))
    assert read.sample_ids == ("a", "b", "c")
    assert read.counts.toarray().tolist() == [[2, 0], [3, 4], [1, 0]]


def test_features_that_no_sample_holds_are_left_out():
    read = read_table(table([[1, 2], [0, 0], [3, 0]]))
    assert read.feature_ids == ("f0", "f2")
    assert read.counts.shape == (2, 2)


def test_select_keeps_samples_and_the_features_that_they_hold():
    read = read_table(table([[1, 0, 5], [0, 2, 0], [3, 0, 0]])).select(["s2", "s1"])
    assert read.sample_ids == ("s1", "s2")
    assert read.feature_ids == ("f0", "f1")
    assert read.counts.toarray().tolist() == [[0, 2], [5, 0]]


@pytest.mark.parametrize(
    ("counts", "samples", "parts"),
    [
        (np.zeros((0, 0)), [], ["is empty", "0 samples", "0 features", "filtering"]),
        (np.zeros((2, 0)), [], ["is empty", "0 samples", "2 features"]),
        ([[1, -1]], None, ["negative"]),
        ([[1, np.nan]], None, ["not finite"]),
        ([[1, np.inf]], None, ["not finite"]),
    ],
)
def test_bad_tables_are_refused(refused, counts, samples, parts):
    refused(lambda: read_table(table(counts, samples=samples)), *parts)


def test_samples_without_features_are_named_up_to_five(refused):
    counts = np.zeros((1, 8))
    counts[0, 0] = 3
    message = refused(
        lambda: read_table(table(counts)),
        "7 samples of 8", "no features", "'s1'", "'s5'", "and 2 more", "filter-samples",
    )  # fmt: skip
    assert "'s6'" not in message
