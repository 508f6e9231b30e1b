import pytest
import torch

from q2_aam.config import ModelConfig
from q2_aam.model.network import Network, SampleBatch
from q2_aam.training.losses import unifrac_loss

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
    assert torch.equal(found, found.T) or (found - found.T).abs().max() < 1e-6
    assert found.diagonal().abs().max() < 1e-5
    assert found.min() >= 0
    assert found.max() <= 1
    assert 0.05 < off_diagonal.mean() < 0.95
    assert off_diagonal.max() < 0.99
    assert off_diagonal.std() > 0.005
    truth = torch.rand(len(found), len(found))
    unifrac_loss(found, truth).backward()
    # `euclidean` reads the pooled embeddings, `branches` the memberships
    unused = ("nucleotide_head", "abundance_head", "sample_encoder", "branches")
    for name, weight in network.named_parameters():
        if name == "asv_encoder.blocks.0.query_key_value.bias" or name.startswith(unused):
            continue
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 1e-8, name
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
