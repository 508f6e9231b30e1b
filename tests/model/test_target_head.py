import pytest
import torch
from simulated_study import describe_target

from q2_aam.model.target_head import TargetFeatures, TargetHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    return TargetHead(size=8, branches=5, width=21, target=describe_target())


def draw(samples: int):
    return torch.randn(samples, 8), TargetFeatures(torch.rand(samples, 6), torch.rand(samples, 5))


@torch.no_grad()
def test_readers_weigh_by_the_inverse_of_their_squared_errors(head):
    pooled, features = draw(10)
    head.pooled.bias.fill_(3.0)  # the attention reader always says 3, the ridge reader 1
    head.ridge.intercept.fill_(1.0)
    said = head.read(pooled, features)
    head.weigh(said, torch.zeros(10, 1), torch.ones(10))
    assert head.attention_share.item() == pytest.approx(1 / 10)
    assert torch.allclose(head(pooled, features), torch.full((10, 1), 0.1 * 3 + 0.9 * 1))
    head.weigh(said, torch.full((10, 1), 3.0), torch.ones(10))
    assert torch.allclose(head(pooled, features), torch.full((10, 1), 3.0))


@torch.no_grad()
def test_a_reader_that_does_not_count_is_not_needed(head):
    pooled, features = draw(10)
    head.pooled.bias.fill_(3.0)
    head.ridge.known.copy_(torch.rand(1, 6))
    assert head.attends
    head.attention_share.zero_()
    assert not head.attends
    assert torch.equal(head(None, features), head(pooled, features))


@torch.no_grad()
def test_blocks_are_centred_and_have_variance_one_together(head):
    _, features = draw(50)
    parts = zip(features.known.split(20), features.branches.split(20), strict=True)
    head.fit_scaling(TargetFeatures(*part) for part in parts)
    known, branches = head.scaled(features).split([6, 5], dim=1)
    for block in (known, branches):
        assert torch.allclose(block.mean(dim=0), torch.zeros(block.shape[1]), atol=1e-6)
        assert block.var(dim=0, correction=0).sum().item() == pytest.approx(1, rel=1e-4)
