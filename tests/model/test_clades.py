"""Clades against what their definition says, computed one by one."""

import numpy as np
import pytest
import scipy.cluster.hierarchy
import torch

from q2_aam.model.clades import Clades
from q2_aam.training.clades import clade_tables

ASVS, SIZE = 12, 3


def draw(seed: int = 0):
    random = np.random.default_rng(seed)
    embedding = random.normal(size=(ASVS, SIZE)).astype(np.float32)
    fractions = random.dirichlet(np.full(ASVS, 0.2), size=20).astype(np.float32)
    return embedding, fractions


def grown(embedding, fractions, most: int = ASVS - 1) -> Clades:
    clades = Clades(len(embedding), most, embedding.shape[1])
    tables = clade_tables(embedding, fractions, most)
    clades.set_tables(
        embedding=torch.from_numpy(embedding),
        **{name: torch.from_numpy(table) for name, table in tables.items()},
    )
    return clades


def defined(embedding) -> list[tuple[frozenset, float]]:
    """Return the members and the height of each clade of average linkage."""
    members = [frozenset([asv]) for asv in range(len(embedding))]
    found = []
    for left, right, height, _ in scipy.cluster.hierarchy.linkage(embedding, "average"):
        members.append(members[int(left)] | members[int(right)])
        found.append((members[-1], height))
    return found


def members_of(clades: Clades) -> list[frozenset]:
    """Read which ASVs each clade holds from what it sums."""
    number = len(clades.embedding)
    one_each = torch.eye(number, len(clades.order))
    return [frozenset(np.flatnonzero(column).tolist()) for column in clades(one_each).T.numpy()]


def test_clades_are_those_of_average_linkage():
    embedding, fractions = draw()
    clades = grown(embedding, fractions)
    found = dict(zip(members_of(clades), clades.height.tolist(), strict=True))
    assert found == pytest.approx(dict(defined(embedding)))


@pytest.mark.parametrize("most", [1, 4, ASVS - 1])
def test_what_a_sample_holds_of_a_clade_is_the_sum_of_its_asvs(most):
    embedding, fractions = draw()
    clades = grown(embedding, fractions, most)
    of_nodes = torch.zeros(20, ASVS + most)
    of_nodes[:, :ASVS] = torch.from_numpy(fractions)
    wanted = np.stack([fractions[:, sorted(one)].sum(axis=1) for one in members_of(clades)], 1)
    assert np.allclose(clades(of_nodes).numpy(), wanted, atol=1e-6)
    assert np.ptp(wanted) > 0.5


@pytest.mark.parametrize("most", [1, 4, ASVS - 1])
def test_clades_that_vary_most_are_kept(most):
    embedding, fractions = draw()
    kept = set(members_of(grown(embedding, fractions, most)))

    def variance(members):
        return np.log1p(1e4 * fractions[:, sorted(members)].sum(axis=1)).var()

    every = sorted((members for members, _ in defined(embedding)), key=variance)
    assert kept == set(every[-most:])


def test_clades_in_too_few_samples_are_left_empty():
    embedding, fractions = draw()
    fractions = np.tile(fractions, (20, 1))
    pair = min((members for members, _ in defined(embedding)), key=len)
    fractions[:, sorted(pair)] = 0
    fractions[:3, sorted(pair)] = 0.5  # of 400 samples
    assert pair not in members_of(grown(embedding, fractions))
    fractions[:4, sorted(pair)] = 0.5
    assert pair in members_of(grown(embedding, fractions))


@pytest.mark.parametrize("most", [1, 4, ASVS - 1])
def test_new_asvs_join_clades_that_are_as_high_as_they_are_far(most):
    embedding, fractions = draw()
    clades = grown(embedding, fractions, most)
    random = np.random.default_rng(1)
    new = (embedding[random.integers(ASVS, size=40)] + random.normal(size=(40, SIZE))).astype("f4")
    asvs = torch.from_numpy(np.concatenate([new, embedding[:2]]))
    known = torch.tensor([ASVS] * 40 + [0, 1])
    nodes = clades.nodes_of(asvs, known)
    assert nodes[40:].tolist() == [0, 1]
    joined = torch.zeros(42, ASVS + most + 1)
    joined[torch.arange(42), nodes] = 1
    found = clades(joined[:, :-1])[:40].numpy() > 0.5
    distance = np.linalg.norm(new[:, None] - embedding[None], axis=2)
    nearest, heights = distance.argmin(axis=1), clades.height.numpy()
    for row, (asv, far) in enumerate(zip(nearest, distance.min(axis=1), strict=True)):
        holds = np.array([asv in members for members in members_of(clades)])
        assert found[row].tolist() == (holds & (heights >= far)).tolist()
    if most > 1:
        assert 0 < found.mean() < 0.5


def test_an_asv_that_is_far_from_all_joins_none():
    clades = grown(*draw())
    nodes = clades.nodes_of(torch.full((1, SIZE), 1e3), torch.tensor([ASVS]))
    assert nodes.tolist() == [ASVS + ASVS - 1]


def test_nothing_comes_of_rounding():
    embedding, _ = draw()
    fractions = np.zeros((2, ASVS), dtype=np.float32)
    fractions[:, 0], fractions[:, 1:3] = 1 - 2e-4, 1e-4
    clades = grown(embedding, np.tile(fractions, (5, 1)))
    of_nodes = torch.zeros(2, ASVS + ASVS - 1)
    of_nodes[:, :ASVS] = torch.from_numpy(fractions)
    sums = clades(of_nodes)[0].numpy()
    for members, found in zip(members_of(clades), sums, strict=True):
        assert found == pytest.approx(fractions[0, sorted(members)].sum(), abs=1e-9)


def test_the_order_of_asvs_changes_no_clade():
    embedding, fractions = draw()
    order = np.random.default_rng(2).permutation(ASVS)
    turned = members_of(grown(embedding[order], fractions[:, order], 5))
    assert {frozenset(order[sorted(one)].tolist()) for one in turned} == set(
        members_of(grown(embedding, fractions, 5))
    )


def test_one_asv_has_no_clade():
    clades = grown(np.ones((1, SIZE), dtype=np.float32), np.ones((4, 1), dtype=np.float32), 1)
    assert clades(torch.ones(2, 2)).tolist() == [[0.0], [0.0]]
    assert clades.nodes_of(torch.zeros(1, SIZE), torch.tensor([1])).tolist() == [2]


def test_a_damaged_table_that_goes_in_circles_ends():
    clades = grown(*draw(), 4)
    clades.parent[:ASVS] = 0
    clades.parent[ASVS:] = torch.tensor([1, 0, 3, 2])
    clades.height.zero_()
    asked = clades.nodes_of(torch.full((1, SIZE), 9.0), torch.tensor([ASVS]))
    assert 0 <= asked.item() <= ASVS + 4
