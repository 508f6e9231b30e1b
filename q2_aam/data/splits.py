"""Samples to train on and samples to hold out: a pure function of ids, groups, classes and seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ..errors import AAMError, counted

_DRAWS = 32  # of splits by group and class, of which the best is taken


def train_test_split(
    sample_ids: Sequence[str], test_size: float, seed: int, groups: Mapping[str, str] | None = None,
    classes: Mapping[str, str] | None = None,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """Hold out a share of the samples, whole groups at a time; return the kept and the held out.

    Without groups (subjects, sites, cages) each sample is its own. With classes the share is held
    out of each, as nearly as groups allow; one that cannot be on both sides is kept. AAMError if
    there are fewer than two groups.
    """
    members: dict[str, list[str]] = {}
    for name in sorted(sample_ids):
        members.setdefault(groups[name] if groups else name, []).append(name)
    if len(members) < 2:
        raise AAMError(
            f"There is only {counted(len(members), 'group')} among "
            f"{counted(len(sample_ids), 'sample')}, so that none can be held out. Choose "
            "another 'groups' column or leave it out."
        )
    random = np.random.default_rng([seed, 0x5B117])
    draw = _draw if classes is None else partial(_draw_by_class, classes=classes)
    held_out = set(draw(members, test_size, random))
    return sorted(set(sample_ids) - held_out), sorted(held_out)


def _draw(members: dict[str, list[str]], share: float, random, kept=frozenset()) -> list[str]:
    """Draw groups until the share is reached, skipping those that are too large or must be kept."""
    names = sorted(members)
    order = [names[at] for at in random.permutation(len(names)) if names[at] not in kept]
    if len(order) == len(names):
        order.pop()
    wanted = share * sum(map(len, members.values()))
    held_out: list[str] = []
    for name in order:
        candidate = members[name]
        if held_out and len(held_out) + len(candidate) - wanted > wanted - len(held_out):
            continue
        held_out.extend(candidate)
        if len(held_out) >= wanted:
            break
    return held_out


def _draw_by_class(
    members: dict[str, list[str]], share: float, random, classes: Mapping[str, str]
) -> list[str]:
    """Draw from the groups of each class apart; among several draws take the most even one.

    A group belongs to the class that most of its samples have; classes of a single group stand
    together. Groups that hold all samples of a class are kept, unless all do.
    """
    of_group = {group: Counter(map(classes.get, samples)) for group, samples in members.items()}
    total = sum(of_group.values(), Counter())
    sole = {name for name, held in of_group.items() if any(held[n] == total[n] for n in held)}
    kept = sole if len(sole) < len(members) else set()
    strata: dict[str, dict[str, list[str]]] = {}
    for group, samples in members.items():
        most = max(of_group[group], key=lambda one: (of_group[group][one], one))
        strata.setdefault(most, {})[group] = samples
    alone = [name for name, stratum in strata.items() if len(stratum) < 2]
    rest = {group: samples for name in alone for group, samples in strata.pop(name).items()}
    parts = [*(strata[name] for name in sorted(strata)), *([rest] if rest else [])]

    def unevenness(held_out: list[str]) -> tuple[int, int, float]:
        held = Counter(map(classes.get, held_out))
        lost = sum(held[name] == number for name, number in total.items())
        absent = sum(held[name] == 0 for name in total)
        return lost, absent, sum(abs(held[name] - share * total[name]) for name in total)

    mixed = any(len(samples) > 1 for samples in members.values())
    draws = [
        [name for part in parts for name in _draw(part, share, random, kept)]
        for _ in range(_DRAWS if mixed or len(rest) > 1 else 1)
    ]
    best = min(draws, key=unevenness)
    return best or _draw(members, share, random, kept)
