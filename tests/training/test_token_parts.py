"""Reads are computed in parts of one number of tokens, so that attention needs no mask."""

import numpy as np
import pytest
import torch
from tasks import make_network

from q2_aam import inference
from q2_aam.data.tokens import tokenize_asvs

LENGTHS = [56, 57, 60, 58, 60, 51, 60, 41, 47, 57, 60, 33]


@pytest.fixture
def asvs():
    random = np.random.default_rng(0)
    return tokenize_asvs(["".join(random.choice(list("ACGT"), n)) for n in LENGTHS], 60)[0]


def network_of(per_token: int):
    return make_network(2, asv_layers=2, nucleotides_per_token=per_token, target=None).eval()


@pytest.mark.parametrize(
    ("per_token", "least", "padded"),
    [
        (1, 1, [False] * 8),  # a part for each length
        (1, 4, [True, False]),  # 60 four times, others together
        (5, 4, [True, False]),  # 56 to 60 nt are 12 tokens
        (1, 99, [True]),
    ],
)
def test_lengths_are_computed_apart_where_enough_asvs_have_them(
    asvs, monkeypatch, per_token, least, padded
):
    monkeypatch.setattr(inference, "LEAST_ALIKE", least)
    network, chosen = network_of(per_token), np.random.default_rng(1).permutation(len(LENGTHS))
    parts, back = inference.token_parts(network, asvs, chosen)
    assert [flag for _, flag in parts] == padded
    assert sorted(back.tolist()) == list(range(len(LENGTHS)))
    if (per_token, least) == (5, 4):
        assert len(parts[1][0]) == sum(length >= 56 for length in LENGTHS)
    found = inference.embed_asvs(network, asvs, chosen)
    for row, one in zip(found, chosen, strict=True):
        alone = torch.tensor(asvs.tokens[one : one + 1, : 1 + asvs.lengths[one]])
        assert torch.allclose(network.embed_asvs(alone, False)[0], row, atol=1e-5)


def test_parts_are_no_larger_than_asked_for(asvs, monkeypatch):
    monkeypatch.setattr(inference, "LEAST_ALIKE", 1)
    for at_once, largest in ((64, 3), (2, 2)):
        monkeypatch.setitem(inference.ASVS_AT_ONCE, "cpu", at_once)
        parts, _ = inference.token_parts(network_of(5), asvs, np.arange(len(LENGTHS)), 3)
        assert max(len(tokens) for tokens, _ in parts) == largest
