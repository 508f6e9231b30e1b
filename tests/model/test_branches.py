import numpy as np
import pytest
import torch
from simulated_study import simulate_study

from q2_aam.model import branches as module
from q2_aam.model.branches import BranchDistance, Branches, presence, shared_asvs


@pytest.mark.parametrize("depth", [None, 1, 20, 3000])
@pytest.mark.parametrize("at_once", [1, 2**24])
def test_presence_is_the_chance_that_not_all_asvs_miss_the_branch(depth, at_once, monkeypatch):
    """With a depth, each ASV counts by its chance of being seen."""
    monkeypatch.setattr(module, "_ELEMENTS_AT_ONCE", at_once)
    random = np.random.default_rng(0)
    log_odds, held = random.normal(-3, 3, (9, 7)), random.random((5, 9)) < 0.5
    fractions = held * random.random((5, 9))
    fractions /= fractions.sum(axis=1, keepdims=True).clip(1e-9)
    found = presence(torch.tensor(log_odds).float(), torch.tensor(fractions).float(), depth)
    seen = held if depth is None else 1 - (1 - fractions) ** depth
    misses = 1 - seen[:, :, None] / (1 + np.exp(-log_odds))
    assert np.allclose(found, 1 - misses.prod(axis=1), atol=2e-6)


def test_a_sample_of_one_asv_and_sure_memberships_stay_finite():
    log_odds = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    for depth in (None, 5000):
        found = presence(log_odds, torch.ones(1, 1), depth)
        assert torch.allclose(found, torch.tensor([[1.0, 0.0, 0.5]]))
        (gradient,) = torch.autograd.grad(found.sum(), log_odds)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("asv_tips", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_for_certain_presences_the_distance_is_unweighted_unifrac(seed, asv_tips):
    study = simulate_study(samples=9, asvs=25, seed=seed)
    under, lengths = [], []
    for node in study.tree.traverse(include_self=False):
        if node.is_tip() and asv_tips:
            node.length = 0.3  # tips of one length, as the network has them
            continue
        tips = {tip.name for tip in node.tips(include_self=True)}
        under.append([name in tips for name in study.counts])
        lengths.append(node.length)
    held = study.counts.to_numpy() > 0
    present = (held[:, None, :] & np.array(under)[None]).any(axis=2)
    distance = BranchDistance(len(lengths), asv_tips).double()
    with torch.no_grad():
        distance.log_length.copy_(torch.tensor(lengths, dtype=torch.float64).log())
        if asv_tips:
            distance.log_tip_length.fill_(np.log(0.3))
        asvs = shared_asvs(torch.tensor(held).double())
        found = distance(torch.tensor(present).double(), asvs=asvs).numpy()
    assert np.abs(found - study.unifrac.data).max() < 1e-9


def test_equal_samples_are_at_distance_zero_and_empty_ones_at_a_number():
    assert BranchDistance(30)(torch.rand(1, 30).expand(3, 30)).abs().max() == 0
    assert BranchDistance(4)(torch.zeros(2, 4)).isfinite().all()


@pytest.mark.parametrize("size", [16, 128, 768])
def test_memberships_begin_spread_and_sparse_at_any_width(size):
    torch.manual_seed(0)
    odds = Branches(size, 256)(torch.randn(200, size)).detach()
    held = torch.sigmoid(odds)
    assert float(odds.std()) == pytest.approx(3, rel=0.25)
    assert 0.001 < (held > 0.5).float().mean() < 0.15
