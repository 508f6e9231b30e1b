"""Heads' forward passes, and the weighted average of what they predict."""

import pytest
import torch
from simulated_study import describe_classes, describe_target

from q2_aam.model.heads.blend import TargetHead
from q2_aam.model.heads.clades import Clades
from q2_aam.model.heads.features import TargetFeatures
from q2_aam.model.heads.forest import ForestHead, quantiles

FOREST = {"trees": 4, "leaves": 3}


def head_of(target) -> TargetHead:
    torch.manual_seed(0)
    return TargetHead(size=8, branches=5, width=21, target=target)


def draw(samples: int):
    return torch.randn(samples, 8), TargetFeatures(torch.rand(samples, 6), torch.rand(samples, 5))


@torch.no_grad()
def test_heads_count_by_their_weights():
    head = head_of(describe_target(heads=("ridge", "forest", "attention"), **FOREST))
    pooled, features = draw(10)
    head.ridge.intercept.fill_(1.0)
    head.forest.value.fill_(2.0)
    head.attention.pooled.bias.fill_(4.0)
    wanted = {"ridge": 0.5, "forest": 0.3, "attention": 0.2}
    head.set_weights(wanted)
    assert head.weights == pytest.approx(wanted)
    assert torch.allclose(head(pooled, features), torch.full((10, 1), 0.5 + 0.6 + 0.8))
    head.set_weights({"ridge": 0.0, "forest": 0.0, "attention": 1.0})
    assert torch.allclose(head(pooled, features), torch.full((10, 1), 4.0))


@torch.no_grad()
def test_a_head_that_does_not_count_is_not_needed():
    head = head_of(describe_target(heads=("ridge", "attention")))
    pooled, features = draw(10)
    head.ridge.vocabulary.copy_(torch.rand(1, 6))
    head.attention.pooled.bias.fill_(3.0)
    head.set_weights({"ridge": 0.5, "attention": 0.5})
    assert head.attends
    head.set_weights({"ridge": 1.0, "attention": 0.0})
    assert not head.attends
    kept = head(pooled, features)
    head.drop_attention()
    assert head.target.heads == ("ridge",)
    assert not [name for name in head.state_dict() if "attention" in name]
    assert torch.equal(head(None, features), kept)


@torch.no_grad()
def test_a_range_is_as_wide_as_the_heads_that_give_one_say():
    head = head_of(describe_target(loss="quantile", heads=("ridge", "forest"), **FOREST))
    _, features = draw(3)
    head.ridge.intercept.fill_(10.0)
    head.forest.value.copy_(torch.arange(4.0).view(4, 1, 1).expand(4, 5, 1))  # trees say 0 to 3
    head.set_weights({"ridge": 0.75, "forest": 0.25})
    lower, median, upper = head(None, features)[0].tolist()
    assert median == pytest.approx(0.75 * 10 + 0.25 * 1.5)
    assert upper - median == pytest.approx(0.95 * 3 - 1.5)
    assert median - lower == pytest.approx(0.95 * 3 - 1.5)


@torch.no_grad()
def test_probabilities_of_every_head_sum_to_one():
    target = describe_classes(heads=("ridge", "logistic", "forest", "attention"), **FOREST)
    head = head_of(target)
    pooled, features = draw(7)
    head.ridge.intercept.copy_(torch.tensor([0.7, 0.5, -0.2]))
    head.logistic.presence.copy_(torch.randn(3, 6))
    head.forest.value.copy_(torch.tensor([0.2, 0.3, 0.5]).expand(4, 5, 3))
    for name in target.heads:
        said = head.predict(name, pooled, features)
        assert torch.allclose(said.sum(dim=1), torch.ones(7)), name
        assert said.min() >= 0, name
    assert not torch.allclose(head.predict("logistic", None, features), torch.full((7, 3), 1 / 3))


@torch.no_grad()
def test_blocks_are_centered_and_have_variance_one_together():
    head = head_of(describe_classes(heads=("ridge", "logistic")))
    _, features = draw(50)
    features = features._replace(vocabulary=features.vocabulary.round())
    parts = zip(*(block.split(20) for block in features[:2]), strict=True)
    head.scaling.fit(TargetFeatures(*part) for part in parts)
    for name in ("vocabulary", "branches", "presence"):
        block = head.scaling(features, [name])
        assert torch.allclose(block.mean(dim=0), torch.zeros(block.shape[1]), atol=1e-6)
        assert block.var(dim=0, correction=0).sum().item() == pytest.approx(1, rel=1e-4)


def test_values_at_a_threshold_go_left():
    forest = ForestHead(1, 3, 1, (), ([0],))
    forest.set_tables(
        torch.zeros(1, 3),
        torch.tensor([[0.5, torch.finfo().max, torch.finfo().max]]),
        torch.tensor([[1, 1, 2]]),
        torch.tensor([[[0.0], [1.0], [2.0]]]),
    )
    said = forest(torch.tensor([[0.5], [torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))]]))
    assert said[:, 0].tolist() == [1.0, 2.0]


def test_a_damaged_table_neither_fails_nor_hangs():
    forest = ForestHead(2, 3, 1, (), ([0],))
    forest.child.copy_(torch.tensor([[2, 0, 2], [1, 2, 0]]))
    forest.threshold.fill_(-1.0)
    assert torch.isfinite(forest(torch.rand(4, 1))).all()


def test_quantiles_are_those_of_torch():
    values = torch.rand(5, 7)
    levels = (0.05, 0.5, 0.95)
    wanted = torch.quantile(values, torch.tensor(levels), dim=1).T
    assert torch.allclose(quantiles(values, levels), wanted)


# clades, of models of format version 1


def test_clades_hold_what_lies_in_them_and_far_asvs_join_none():
    clades = Clades(3, 2, 1)  # ((0, 1), 2): clade 0 joins all, clade 1 the first two ASVs
    clades.set_tables(
        embedding=torch.tensor([[0.0], [1.0], [5.0]]),
        parent=torch.tensor([1, 1, 0, 2, 0]),
        height=torch.tensor([4.5, 1.0]),
        order=torch.tensor([3, 4, 0, 1, 2]),
        start=torch.tensor([0, 1]),
        end=torch.tensor([5, 4]),
    )
    known = torch.tensor([0, 3, 3, 3])
    nodes = clades.nodes_of(torch.tensor([[0.0], [0.5], [3.0], [50.0]]), known)
    assert nodes.tolist() == [0, 4, 3, 5]
    sums = torch.zeros(1, 6).index_add(1, nodes, torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    assert clades(sums[:, :5])[0].tolist() == pytest.approx([0.6, 0.3])


def test_a_damaged_table_that_goes_in_circles_ends():
    clades = Clades(2, 2, 1)
    clades.parent.copy_(torch.tensor([0, 0, 1, 0]))
    assert clades.nodes_of(torch.tensor([[9.0]]), torch.tensor([2])).tolist() == [2]
