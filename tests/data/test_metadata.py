"""What the tests of actions with bad inputs, covariates and held-out samples leave open."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from q2_aam.data.alignment import group_labels, match_samples, numeric_labels
from q2_aam.data.covariates import describe_covariates, encode_covariates, unknown_levels
from q2_aam.data.sequences import sequences_of
from q2_aam.data.splits import train_test_split
from q2_aam.data.table import SampleTable
from q2_aam.data.target_scaling import describe_target, refuse_far_values, to_scaled, to_units

IDS = [f"s{number:02d}" for number in range(40)]
TABLE = SampleTable(tuple(IDS[:12]), ("f",), scipy.sparse.csr_matrix(np.ones((12, 1))))
DNA = "ACGTACGTACGTACGTACGTA"
TAXA = ["k__Bacteria;p__P;g__G{}", "d__Bacteria;__;{}", "g__Genus{}"]
FRAME = pd.DataFrame(
    {"bmi": [20.0, np.nan, 30.0, 25.0], "sex": ["m", "f", None, "m"]}, index=list("abcd")
)


def column(values, ids=TABLE.sample_ids, name="age") -> pd.Series:
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
    labels = numeric_labels(TABLE, column([*range(11), np.nan], IDS[11::-1]), "error")
    assert labels.dropped == {"blank in the metadata column 'age'": ["s00"]}
    assert labels.values.to_dict() == {name: 10 - place for place, name in enumerate(IDS[1:12])}


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


def test_columns_become_scaled_numbers_and_one_number_for_each_level():
    covariates = bmi, sex = describe_covariates(FRAME)
    assert (sex.name, sex.levels) == ("sex", ("f", "m"))
    assert (bmi.name, bmi.levels, bmi.mean) == ("bmi", (), 25.0)
    assert bmi.scale == pytest.approx(np.std([20, 30, 25]))
    other = FRAME.assign(bmi=25 + np.array([-1, np.nan, 1, 0]) * bmi.scale, sex=[*"mfxm"])
    found = encode_covariates(covariates, other)
    assert found.dtype == np.float32
    assert found.tolist() == [
        [-1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1],  # a level that was not learned counts as missing
        [0, 0, 0, 1, 0],
    ]
    assert unknown_levels(covariates, other) == {"sex": ["x"]}
    assert unknown_levels(covariates, FRAME) == {}
    for blank in (np.nan, None):  # whatever the type of the columns
        nothing = pd.DataFrame({"bmi": [blank] * 2, "sex": [blank] * 2}, index=list("ab"))
        assert encode_covariates(covariates, nothing).tolist() == [[0, 1, 0, 0, 1]] * 2
    same = pd.DataFrame({"bmi": [7.0, np.nan, 7.0]})
    assert encode_covariates(describe_covariates(same), same).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_a_hundred_levels_and_256_columns_can_be_learned_and_no_infinity(refused):
    def describe(**columns):
        return describe_covariates(pd.DataFrame(columns))

    values = [f"s{number:03d}" for number in range(101)]
    refused(lambda: describe(x=values), "101 levels", "'s000'", "at most 100")
    assert len(describe(x=values[:100])[0].levels) == 100
    many = {f"c{number}": [0.0, 1.0] for number in range(257)}
    refused(lambda: describe(**many), "257 covariates", "at most 256")
    assert len(describe(**dict(list(many.items())[1:]))) == 256
    refused(lambda: describe(x=[1.0, np.inf, 2.0]), "1 sample", "infinite 'x'", "'1'")


@pytest.mark.parametrize("value", [-1e300, 5.1e6, np.inf])
def test_numbers_far_from_all_that_was_learned(refused, value):
    (bmi,) = describe_covariates(pd.DataFrame({"bmi": [20.0, 30.0]}))  # 25 with a scale of 5
    frame = FRAME.assign(bmi=[20.0, value, 30.0, np.nan])
    refused(lambda: encode_covariates((bmi,), frame), "1 sample of 4", "'bmi'", "25", "'b'")
    assert np.isfinite(encode_covariates((bmi,), frame.assign(bmi=4.9e6))).all()


@pytest.mark.parametrize(
    ("scaling", "location", "scale"),
    [
        ("none", 0, 1),
        ("min-max", 1, 4),
        ("z-score", 3, np.std([1, 3, 5])),
        ("log-min-max", np.log(2), np.log(6) - np.log(2)),
        ("log-z-score", np.log([2, 4, 6]).mean(), np.log([2, 4, 6]).std()),
    ],
)
def test_11_9_targets_are_scaled_by_the_samples_given(scaling, location, scale):
    target = describe_target("age", np.array([1.0, 5.0, 3.0]), scaling, 7)
    assert (target.location, target.scale) == pytest.approx((location, scale))
    assert (target.minimum, target.maximum, target.mean) == (1, 5, 3)
    others = np.array([0.0, 0.5, 7.0, 1e5])
    assert to_units(target, to_scaled(target, others)) == pytest.approx(others, rel=1e-9, abs=1e-9)
    assert np.isfinite(to_units(target, np.array([1e6]))).all()


@pytest.mark.parametrize("far", [1e13, -1e20, np.nan, np.inf])
def test_row_10_values_too_far_for_a_model_are_named(refused, far):
    values = pd.Series([1.0, far, 3.0], index=["a", "b", "c"])
    refused(
        lambda: refuse_far_values(values, values.to_numpy(), "age"),
        "1 sample of 3", "'age'", f"'b: {far:g}'", "'target_scaling'",
    )  # fmt: skip
    refuse_far_values(values[["a", "c"]], np.array([1e12, -3.0]), "age")


def classes_of(random, kinds: int) -> dict[str, str]:
    return {name: f"c{random.integers(kinds)}" for name in IDS}


def backwards(values):
    return values and dict(reversed(values.items()))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("classed", [False, True])
def test_a_split_depends_on_ids_and_seed_alone(grouped, classed):
    random = np.random.default_rng(1)
    groups = {name: f"g{random.integers(9)}" for name in IDS} if grouped else None
    classes = classes_of(random, 3) if classed else None
    shuffled = list(random.permutation(IDS))
    assert train_test_split(IDS, 0.25, 3, groups, classes) == train_test_split(
        shuffled, 0.25, 3, backwards(groups), backwards(classes)
    )
    assert len({tuple(train_test_split(IDS, 0.25, n, None, classes)[1]) for n in range(9)}) == 9
    assert len(train_test_split(IDS, 0.25, 0)[1]) == 10


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("classed", [False, True])
def test_groups_never_straddle_and_no_class_is_lost(seed, share, classed):
    random = np.random.default_rng(seed)
    groups = {name: f"g{random.integers(4 + seed)}" for name in IDS}
    classes = classes_of(random, 2 + seed % 4) if classed else None
    kept, held = parts = train_test_split(IDS, share, seed, groups, classes)
    assert all(parts)
    assert not {groups[name] for name in kept} & {groups[name] for name in held}
    assert sorted(kept + held) == sorted(IDS)
    if classed and share < 0.6:
        assert {classes[name] for name in kept} == set(classes.values())
        assert abs(len(held) - share * len(IDS)) <= 12


def test_one_group_is_refused(refused):
    refused(lambda: train_test_split(IDS, 0.2, 0, dict.fromkeys(IDS, "x")), "1 group", "40 samples")
    refused(lambda: train_test_split(["a"], 0.2, 0), "1 group")


def test_a_share_of_each_class_is_held_out_and_a_class_of_one_sample_is_kept():
    classes = {name: "abbbccccccc"[number % 11] for number, name in enumerate(IDS[:33])}
    classes[IDS[0]] = "alone"
    _, held = train_test_split(IDS[:33], 1 / 3, 0, None, classes)
    counts = {one: sum(classes[name] == one for name in held) for one in set(classes.values())}
    assert counts == {"a": 1, "b": 3, "c": 7, "alone": 0}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("size", "of_groups", "share", "held_out"),
    [
        # subjects of one class each are held out by class
        (4, ["ill"] * 3 + ["well"] * 7, 0.3, [["ill"] * 4 + ["well"] * 8]),
        # two classes are in one group each: if one were held out, nothing could learn it
        (8, ["a", "b", "c", "c", "c"], 0.3, [["c"] * 8, ["c"] * 16]),
        # something is held out though every group is a class
        (8, list("abcde"), 0.2, [[one] * 8 for one in "abcde"]),
    ],
)
def test_classes_of_few_groups_are_kept_and_held_out_where_they_can_be(
    seed, size, of_groups, share, held_out
):
    groups = {name: f"g{number // size}" for number, name in enumerate(IDS)}
    classes = {name: of_groups[number // size] for number, name in enumerate(IDS)}
    _, held = train_test_split(IDS, share, seed, groups, classes)
    assert sorted(classes[name] for name in held) in held_out


@pytest.mark.parametrize("seed", range(5))
def test_a_group_that_stands_apart_is_held_out_if_no_other_can_be(seed):
    groups = dict(zip("abcdefgh", ["1", "1", "1", "1", "2", "2", "2", "3"], strict=True))
    classes = dict(zip("abcdefgh", "yypxyyqx", strict=True))
    assert train_test_split("abcdefgh", 0.3, seed, groups, classes)[1] == ["h"]
