"""What predictions are computed from: embeddings, components, margins, features taken out."""

import numpy as np
import pytest
import scipy.sparse
import torch
from simulated_study import describe_target

from q2_aam import inference
from q2_aam.config.model import ModelConfig
from q2_aam.conformal import conformal_margin
from q2_aam.data.tokens import tokenize_asvs
from q2_aam.importance import spread_removals
from q2_aam.inference import principal_components
from q2_aam.model.network import Network

# an ASV is read once in a process, and read the same whatever is read beside it

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


def test_too_few_samples_give_the_largest_error_and_a_warning(capsys, refused):
    target = describe_target(residuals=(1.0, 2.0, 3.0, 4.0))
    assert conformal_margin(target, 0.9) == 4
    warned = capsys.readouterr().err
    assert "Warning: 4 samples predicted without their group cannot support 90 %" in warned
    assert "about 80 %" in warned
    refused(lambda: conformal_margin(describe_target(), 0.9), "no samples", "at least two groups")


@pytest.mark.parametrize("rows", [4096, 5])
def test_components_are_those_of_the_singular_value_decomposition(monkeypatch, rows):
    monkeypatch.setattr(inference, "_ROWS_CENTERED_AT_ONCE", rows)
    random = np.random.default_rng(0)
    values = random.normal(size=(12, 7)) * np.arange(1, 8) + 100
    centered = values - values.mean(axis=0)
    found = principal_components(values, 7)
    left, size, _ = np.linalg.svd(centered)
    assert np.allclose(np.abs(found), np.abs(left[:, :7] * size))
    weights = np.linalg.lstsq(found, centered, rcond=None)[0]
    assert (weights[np.arange(7), np.abs(weights).argmax(axis=1)] > 0).all()
    order = random.permutation(len(values))
    assert np.allclose(principal_components(values[order], 5), found[order, :5])


@pytest.mark.parametrize("most", [1, 4, 7, 100])
def test_samples_that_a_feature_is_taken_out_of_stand_for_all_that_hold_it(most):
    random = np.random.default_rng(0)
    abundances = random.random((30, 5)) * (random.random((30, 5)) < 0.7)
    found = spread_removals(scipy.sparse.csr_matrix(abundances), most).toarray()
    abundances[(abundances > 0).sum(axis=1) == 1] = 0  # the only feature of a sample stays
    for column, taken in zip(abundances.T, found.T, strict=True):
        holders = np.sort(column[column > 0])
        assert taken.sum() == pytest.approx(len(holders))
        ranks = np.searchsorted(holders, np.sort(column[taken > 0]))
        assert len(ranks) == min(len(holders), most)
        step = len(holders) / len(ranks)  # of abundance, even
        assert (np.abs(np.diff(ranks, prepend=-1) - step) < 1).all()
