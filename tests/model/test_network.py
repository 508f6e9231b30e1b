"""The network from ASVs to distances, as training finds it, and the distances of branches."""

import numpy as np
import pytest
import torch
from simulated_study import describe_target, simulate_study

from q2_aam.config.model import ModelConfig
from q2_aam.data.tokens import tokenize
from q2_aam.model import branches as module
from q2_aam.model.branches import BranchDistance, Branches, presence, shared_asvs
from q2_aam.model.network import Network, SampleBatch
from q2_aam.training.losses import unifrac_loss


@pytest.fixture(params=[1, 3])
def network(request):
    torch.manual_seed(0)
    config = ModelConfig(
        hidden_size=16, heads=2, branches=12, max_sequence_length=40,
        nucleotides_per_token=request.param, target=describe_target(vocabulary_size=4),
    )  # fmt: skip
    network = Network(config).eval()
    with torch.no_grad():
        # nothing may hide behind a zero of the start
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network


def test_standardised_embeddings_are_spread(network):
    tokens = torch.from_numpy(tokenize([one[:1] * 9 + one[:1] for one in "ACGT"])[0])
    with torch.no_grad():
        network.standardise(network.asv_encoder(tokens, False).float())
        found = network.embed_asvs(tokens, False)
    assert found.mean(dim=0).abs().max() < 1e-4
    assert torch.allclose(found.std(dim=0, correction=0), torch.ones(16), atol=1e-3)


@torch.no_grad()
def test_the_transformer_does_not_see_hidden_abundances(network):
    asvs = network.embed_asvs(torch.from_numpy(tokenize(["ACGT", "GGCA", "TTGA"])[0]), False)

    def read(abundance: float, *hidden):
        abundances = torch.tensor([[0.5, abundance, 0.2]])
        batch = SampleBatch(torch.tensor([[0, 1, 2]]), abundances, torch.tensor([0, 4, 1]))
        return network.embed_samples(asvs, batch, *hidden).slots

    hidden = torch.tensor([[False, True, False]])
    assert torch.equal(read(0.3, hidden), read(0.01, hidden))
    assert not torch.allclose(read(0.01), read(0.01, hidden), atol=1e-3)


def test_dropout_acts_in_training_only(network):
    network.set_dropout(0.5)
    tokens = torch.from_numpy(tokenize(["ACGTACGT"] * 2)[0])
    with torch.no_grad():
        assert torch.equal(network.embed_asvs(tokens, False), network.embed_asvs(tokens, False))
        network.train()
        one, other = network.embed_asvs(tokens, False)
    assert not torch.allclose(one, other)


# distances

FORMS = ["branches", "euclidean"]


def start(size: int, form: str, samples: int = 8, asvs: int = 60):
    """Build a network as training finds it, and a batch of random ASVs."""
    torch.manual_seed(size)
    config = ModelConfig(
        hidden_size=size, heads=4, branches=128, distance_form=form, max_sequence_length=100
    )
    network = Network(config).eval()
    tokens = torch.randint(1, 5, (asvs, 101), dtype=torch.uint8)
    tokens[:, 0] = 5
    # ASVs of one marker gene differ in few places
    tokens[:, 1:80] = tokens[:1, 1:80]
    with torch.no_grad():
        network.standardise(network.asv_encoder(tokens, False).float())
    index = torch.stack([torch.randperm(asvs)[:20] for _ in range(samples)])
    abundances = torch.rand(samples, 20)
    batch = SampleBatch(index, abundances / abundances.sum(dim=1, keepdim=True))
    return network, tokens, batch


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [16, 128, 768])
def test_distances_begin_well_formed_unsaturated_and_with_live_gradients(size, form):
    network, tokens, batch = start(size, form)
    state = network.embed_samples(network.embed_asvs(tokens, False), batch)
    found = network.distances(state)
    off_diagonal = found[~torch.eye(len(found), dtype=torch.bool)]
    assert (found - found.T).abs().max() < 1e-6
    assert found.diagonal().abs().max() < 1e-5
    assert found.min() >= 0
    assert 0.05 < off_diagonal.mean() < 0.95
    assert off_diagonal.max() < 0.99
    assert off_diagonal.std() > 0.005
    unifrac_loss(found, torch.rand(len(found), len(found))).backward()
    # `euclidean` reads the pooled embeddings, `branches` the memberships
    unused = ("nucleotide_head", "abundance_head", "sample_encoder", "branches")
    for name, weight in network.named_parameters():
        if name == "asv_encoder.blocks.0.query_key_value.bias" or name.startswith(unused):
            continue
        assert 1e-8 < weight.grad.abs().max() < torch.inf, name
    read = network.sample_encoder.norm if form == "euclidean" else network.branches.membership
    assert read.weight.grad.abs().max() > 1e-8


@pytest.mark.parametrize("form", FORMS)
def test_equal_samples_have_finite_gradients(form):
    network, tokens, batch = start(16, form)
    twice = SampleBatch(batch.index[[0, 0]], batch.abundances[[0, 0]])
    found = network.distances(network.embed_samples(network.embed_asvs(tokens, False), twice))
    assert found.abs().max() < 1e-5
    unifrac_loss(found, torch.full((2, 2), 0.5)).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), name


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
