import numpy as np
import pytest

from q2_aam.data.splits import train_test_split

IDS = [f"s{number}" for number in range(40)]


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
