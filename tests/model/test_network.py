import pytest
import torch
from simulated_study import describe_target

from q2_aam.config.model import ModelConfig
from q2_aam.data.tokens import tokenize
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
