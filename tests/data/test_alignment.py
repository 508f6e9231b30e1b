"""What the tests of actions with bad inputs (``tests/actions/test_bad_input.py``) leave open."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from q2_aam.data.alignment import group_labels, match_samples, numeric_labels
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
        (["a", "b"], ["a ", " b"], "blanks around them"),
        (["0001", "0002"], ["1", "2"], "leading zeros"),
        (["s1", "s2"], ["11129.s1", "11129.s2"], "without the prefix '11129.'"),
        (["child.1.s1", "s2"], ["x", "10249.child.1.s1"], "without the prefix '10249.'"),
    ],
)
def test_no_shared_ids_names_both_sides_and_the_likely_cause(refused, table, other, cause):
    refused(
        lambda: match_samples(tuple(table), other, "the metadata", "ignore"),
        "no ids in common", "The table: 2 ids", f"{table[0]!r}", "the metadata: 2 ids",
        f"{other[0]!r}", cause,
    )  # fmt: skip


def test_values_follow_their_ids_and_blanks_are_dropped_and_counted():
    labels = numeric_labels(TABLE, column([*range(11), np.nan], IDS[::-1]), "error")
    assert labels.dropped == {"blank in the metadata column 'age'": ["s00"]}
    assert labels.values.to_dict() == {name: 10 - place for place, name in enumerate(IDS[1:])}


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


TAXA = ["k__Bacteria;p__P;g__G{}", "d__Bacteria;__;{}", "g__Genus{}"]


@pytest.mark.parametrize(
    ("names", "known", "parts"),
    [
        # words that look like DNA are not taken for it
        *(([name], None, ["1 feature id of 1", "not DNA"])
          for name in ("CAT", "A" * 19, DNA + " ", f"k_{DNA}", "")),
        *((["a"], {"a": dna}, ["1 sequence", "'a'", "unaligned"])
          for dna in ("ACGT", DNA + "-", DNA + ".")),
        *(([taxon.format(number) for number in range(40)], {"x": DNA},
           ["40 feature ids", "collapsed", "table of ASVs"]) for taxon in TAXA),
    ],
)  # fmt: skip
def test_what_is_not_dna_is_refused(refused, names, known, parts):
    refused(lambda: sequences_of(names, known), *parts)
