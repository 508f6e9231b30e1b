"""An ASV is read once in a process, and read the same whatever is read beside it."""

import numpy as np
import pytest
import torch

from q2_aam import inference
from q2_aam.config import ModelConfig
from q2_aam.data.tokens import tokenize_asvs
from q2_aam.model.network import Network

LENGTHS = [60, 57, 60, 44, 31, 60, 44] * 9


@pytest.fixture
def read(monkeypatch):
    """Lists the distinct ASVs of each call of the encoder, which has read none before."""
    calls, real = [], Network.embed_asvs

    def watched(self, tokens, padded):
        calls.append(len(torch.unique(tokens, dim=0)))
        return real(self, tokens, padded)

    monkeypatch.setattr(inference, "embedding_cache", inference.EmbeddingCache())
    monkeypatch.setattr(Network, "embed_asvs", watched)
    return calls


@pytest.fixture(scope="module")
def asvs():
    random = np.random.default_rng(0)
    return tokenize_asvs(["".join(random.choice(list("ACGT"), n)) for n in LENGTHS], 60)[0]


def network_of(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(hidden_size=32, heads=2, branches=8, max_sequence_length=60)
    return Network(config).eval()


def test_each_asv_is_read_once_by_one_encoder(read, asvs):
    network, everything = network_of(), np.arange(len(asvs))
    some = inference.embed_asvs(network, asvs, everything[:20])
    found = inference.embed_asvs(network, asvs, everything)
    assert sum(read) == len(asvs)
    assert torch.equal(found[:20], some)
    other = inference.embed_asvs(network_of(1), asvs, everything)
    assert sum(read) == 2 * len(asvs)
    assert not torch.allclose(found, other, atol=1e-2)
    with torch.no_grad():
        network.asv_encoder.norm.bias += 1  # as a step of training does
    assert not torch.allclose(inference.embed_asvs(network, asvs, everything), found, atol=1e-2)


def test_an_embedding_does_not_depend_on_what_is_read_beside_it(read, asvs, monkeypatch):
    monkeypatch.setattr(inference, "CACHE_BYTES", 0)
    network, everything = network_of(), np.arange(len(asvs))
    together = inference.embed_asvs(network, asvs, everything)
    for part in (everything[::7], everything[3:], everything[5:6]):
        assert torch.equal(inference.embed_asvs(network, asvs, part), together[part])
    assert sum(read) == len(asvs) + len(everything[::7]) + len(asvs) - 3 + 1


def test_no_more_is_remembered_than_there_is_room_for(read, asvs, monkeypatch):
    monkeypatch.setattr(inference, "CACHE_BYTES", 5000)
    inference.embed_asvs(network_of(), asvs, np.arange(len(asvs)))
    assert 0 < len(inference.embedding_cache.rows) < 5000 / 300


def test_a_cross_validation_reads_each_asv_once(aam, study, read):
    aam.regress_samples(
        study.table, study.age_column, sequences=study.sequences, groups=study.subject_column,
        folds=2, device="cpu",
    )  # fmt: skip
    assert sum(read) == study.counts.shape[1]
