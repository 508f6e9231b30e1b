import pytest
import torch
from simulated_study import describe_target

from q2_aam.model.target_head import TargetFeatures, TargetHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    return TargetHead(size=8, branches=5, width=21, target=describe_target(clades=3))


def draw(samples: int):
    blocks = (torch.rand(samples, size) for size in (6, 5, 3))
    return torch.randn(samples, 8), TargetFeatures(*blocks)


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
    parts = zip(*(block.split(20) for block in features[:3]), strict=True)
    head.fit_scaling(TargetFeatures(*part) for part in parts)
    for block in head.scaled(features).split([6, 5, 3], dim=1):
        assert torch.allclose(block.mean(dim=0), torch.zeros(block.shape[1]), atol=1e-6)
        assert block.var(dim=0, correction=0).sum().item() == pytest.approx(1, rel=1e-4)


@torch.no_grad()
def test_blocks_can_be_scaled_one_by_one(head):
    _, features = draw(50)
    head.fit_scaling([features])
    before = head.scaled(features)[:, :11].clone()
    changed = features._replace(clades=5 + 3 * features.clades)
    head.fit_scaling([changed], ["clades"])
    assert torch.equal(head.scaled(changed)[:, :11], before)
    assert torch.allclose(head.scaled(changed)[:, 11:].mean(dim=0), torch.zeros(3), atol=1e-6)
