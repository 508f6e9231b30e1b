import pytest
import torch
from simulated_study import describe_target

from q2_aam.config import ModelConfig
from q2_aam.data.tokens import tokenize
from q2_aam.model.network import Network, SampleBatch


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
