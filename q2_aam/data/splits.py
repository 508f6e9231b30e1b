"""Samples to train on and samples to hold out: a pure function of ids, groups and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import AAMError, counted


def hold_out(
    sample_ids: Sequence[str],
    share: float,
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> tuple[list[str], list[str]]:
    """Hold out a share of the samples, whole groups at a time.

    Parameters
    ----------
    sample_ids : sequence of str
        Their order does not matter.
    share : float
        Share of the samples to hold out, above 0 and below 1.
    seed : int
    groups : mapping of str to str, optional
        Group of each sample (subject, site, cage). Without it each sample is its own group.

    Returns
    -------
    kept, held_out : list of str
        Both sorted, disjoint and not empty.

    Raises
    ------
    AAMError
        If there are fewer than two groups.
    """
    group_of = groups or {name: name for name in sample_ids}
    members: dict[str, list[str]] = {}
    for name in sorted(sample_ids):
        members.setdefault(group_of[name], []).append(name)
    if len(members) < 2:
        raise AAMError(
            f"There is only {counted(len(members), 'group')} among "
            f"{counted(len(sample_ids), 'sample')}, so that none can be held out. Choose "
            "another 'groups' column or leave it out."
        )
    names = sorted(members)
    order = np.random.default_rng([seed, 0x5B117]).permutation(len(names))
    wanted = share * len(sample_ids)
    held_out: list[str] = []
    for position in order[:-1]:
        candidate = members[names[position]]
        if held_out and len(held_out) + len(candidate) - wanted > wanted - len(held_out):
            continue
        held_out.extend(candidate)
        if len(held_out) >= wanted:
            break
    chosen = set(held_out)
    return sorted(set(sample_ids) - chosen), sorted(chosen)
