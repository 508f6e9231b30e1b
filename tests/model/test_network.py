import pytest
import torch
from simulated_study import describe_target
from torch.nn import functional

from q2_aam.config import ModelConfig
from q2_aam.data.tokens import tokenize
from q2_aam.model.network import Network, SampleBatch

DNA = ["ACGTACGGTC", "ACG", "TTGACCAGTAGGCATT", "A", "GGTACA", "ACGTACGNTC"]


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
        for weight in [
            *network.parameters(),
            network.target_head.ridge.vocabulary,
        ]:
            weight.add_(0.3 * torch.randn_like(weight))
    return network


def embed(network, dna, padding=0):
    tokens, lengths = tokenize(dna)
    tokens = functional.pad(torch.from_numpy(tokens), (0, padding))
    padded = bool(padding) or lengths.min() != lengths.max()
    with torch.no_grad():
        return network.embed_asvs(tokens, bool(padded))


@pytest.mark.parametrize("padding", [0, 1, 7])
def test_an_asv_does_not_depend_on_its_padding_or_its_neighbors(network, padding):
    together = embed(network, DNA, padding)
    for row, dna in enumerate(DNA):
        alone = embed(network, [dna])[0]
        assert torch.allclose(together[row], alone, atol=2e-5), dna


def test_standardised_embeddings_are_spread(network):
    tokens = torch.from_numpy(tokenize([one[:1] * 9 + one[:1] for one in "ACGT"])[0])
    with torch.no_grad():
        network.standardise(network.asv_encoder(tokens, False).float())
        found = network.embed_asvs(tokens, False)
    assert found.mean(dim=0).abs().max() < 1e-4
    assert torch.allclose(found.std(dim=0, correction=0), torch.ones(16), atol=1e-3)


def state_of(network, asvs, index, abundances, hidden=None):
    with torch.no_grad():
        known = torch.tensor([0, 4, 1, 2, 3, 4])[: len(asvs)]  # ASVs 1 and 5 are not known
        batch = SampleBatch(torch.tensor(index), torch.tensor(abundances), known)
        return network.embed_samples(asvs, batch, hidden)


def test_a_sample_is_a_set_of_any_padding_in_any_company(network):
    asvs = embed(network, DNA)
    one = state_of(network, asvs, [[0, 2, 4]], [[0.5, 0.3, 0.2]])
    others = state_of(
        network, asvs,
        [[4, 0, 2, 0, 0], [1, 3, 5, 2, 0]],
        [[0.2, 0.5, 0.3, 0.0, 0.0], [0.1, 0.2, 0.3, 0.3, 0.1]],
    )  # fmt: skip
    for name in ("pooled", "presence", "abundance", "known"):
        alone, among = getattr(one, name)[0], getattr(others, name)
        assert torch.allclose(alone, among[0], atol=1e-5), name
        assert not torch.allclose(alone, among[1], atol=1e-3), name
    with torch.no_grad():
        gap = network.predict_target(one)[0] - network.predict_target(others)[0]
    assert abs(float(gap)) < 1e-5


def test_the_transformer_does_not_see_hidden_abundances(network):
    asvs = embed(network, DNA)
    hidden = torch.tensor([[False, True, False]])
    one = state_of(network, asvs, [[0, 1, 2]], [[0.5, 0.3, 0.2]], hidden)
    other = state_of(network, asvs, [[0, 1, 2]], [[0.5, 0.01, 0.2]], hidden)
    seen = state_of(network, asvs, [[0, 1, 2]], [[0.5, 0.01, 0.2]])
    assert torch.equal(one.slots, other.slots)
    assert not torch.allclose(seen.slots, other.slots, atol=1e-3)


def test_dropout_acts_in_training_only(network):
    network.set_dropout(0.5)
    tokens = torch.from_numpy(tokenize(["ACGTACGT"] * 2)[0])
    with torch.no_grad():
        assert torch.equal(network.embed_asvs(tokens, False), network.embed_asvs(tokens, False))
        network.train()
        one, other = network.embed_asvs(tokens, False)
    assert not torch.allclose(one, other)
