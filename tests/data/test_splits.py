import numpy as np
import pytest

from q2_aam.data.splits import hold_out

IDS = [f"s{number}" for number in range(40)]


def test_a_split_is_whole_disjoint_and_of_the_wanted_size():
    kept, held = hold_out(IDS, 0.25, 0)
    assert sorted(kept + held) == sorted(IDS)
    assert len(held) == 10


def test_a_split_depends_on_ids_and_seed_alone():
    shuffled = list(np.random.default_rng(0).permutation(IDS))
    groups = {name: f"g{number % 7}" for number, name in enumerate(IDS)}
    backwards = dict(reversed(groups.items()))
    assert hold_out(IDS, 0.25, 3) == hold_out(shuffled, 0.25, 3)
    assert hold_out(IDS, 0.25, 3, groups) == hold_out(shuffled, 0.25, 3, backwards)
    splits = {tuple(hold_out(IDS, 0.25, seed)[1]) for seed in range(20)}
    assert len(splits) == 20


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_groups_never_straddle(seed, share):
    random = np.random.default_rng(seed)
    groups = {name: f"g{random.integers(2 + seed)}" for name in IDS}
    kept, held = hold_out(IDS, share, seed, groups)
    assert kept
    assert held
    assert not {groups[name] for name in kept} & {groups[name] for name in held}
    assert sorted(kept + held) == sorted(IDS)


def test_one_group_is_refused(refused):
    refused(lambda: hold_out(IDS, 0.2, 0, dict.fromkeys(IDS, "x")), "1 group", "40 samples")
    refused(lambda: hold_out(["a"], 0.2, 0), "1 group")
