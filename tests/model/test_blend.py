"""Heads' forward passes, and the weighted average of what they predict."""

import numpy as np
import pytest
import torch
from simulated_study import describe_classes, describe_target

from q2_aam.config.target import Covariate
from q2_aam.model.heads.attention import CovariateFusion
from q2_aam.model.heads.blend import TargetHead, forest_columns
from q2_aam.model.heads.features import Clades, SampleState
from q2_aam.model.heads.forest import ForestHead
from q2_aam.model.heads.linear import RandomFeatures, random_signs

FOREST = {"trees": 4, "leaves": 3}
COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi"), Covariate("site", ("a", "b", "c")))


def head_of(target) -> TargetHead:
    torch.manual_seed(0)
    return TargetHead(size=8, branches=5, width=21, target=target)


def draw(samples: int) -> SampleState:
    vocabulary, branches = torch.rand(samples, 6), torch.rand(samples, 5)
    return SampleState(torch.randn(samples, 8), vocabulary=vocabulary, branches=branches)


@torch.no_grad()
def test_heads_count_by_their_weights_and_one_that_does_not_is_not_needed():
    head = head_of(describe_target(heads=("ridge", "forest", "attention"), **FOREST))
    state = draw(10)
    head.ridge.intercept.fill_(1.0)
    head.forest.value.fill_(2.0)
    head.attention.pooled.bias.fill_(4.0)
    for weights in ([0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]):
        wanted = dict(zip(head.target.heads, weights, strict=True))
        head.set_weights(wanted)
        assert head.weights == pytest.approx(wanted)
        assert head.attends == (weights[2] > 0)
        found = head(state if head.attends else state._replace(pooled=None))
        assert torch.allclose(found, torch.full((10, 1), np.dot(weights, [1.0, 2, 4])))
    head.drop_attention()
    assert head.target.heads == ("ridge", "forest")
    assert not [name for name in head.state_dict() if "attention" in name]
    assert torch.equal(head(state._replace(pooled=None)), found)


def test_the_attention_head_learns_what_two_clades_do_together_unless_it_reads_them_linearly():
    errors = {}
    for hidden in (0, 16):
        head = head_of(describe_target(heads=("attention",), hidden_units=hidden))
        state = draw(400)._replace(pooled=torch.zeros(400, 8))
        first, second = (2 * state.branches[:, place] - 1 for place in (0, 1))
        wanted = torch.sign(first * second)
        assert not head.attention(state, head.scaling).any()
        optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
        for _ in range(200):
            raw = head.attention(state, head.scaling)
            error = (raw[:, 0] - wanted).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        errors[hidden] = float(error.detach())
    assert errors[16] < 0.5
    assert errors[0] > 0.9


@torch.no_grad()
def test_a_range_is_as_wide_as_the_heads_that_give_one_say():
    head = head_of(describe_target(loss="quantile", heads=("ridge", "forest"), **FOREST))
    state = draw(3)
    head.ridge.intercept.fill_(10.0)
    head.forest.value.copy_(torch.arange(4.0).view(4, 1, 1).expand(4, 5, 1))  # trees say 0 to 3
    head.set_weights({"ridge": 0.75, "forest": 0.25})
    lower, median, upper = head(state)[0].tolist()
    assert median == pytest.approx(0.75 * 10 + 0.25 * 1.5)
    assert upper - median == pytest.approx(0.95 * 3 - 1.5)
    assert median - lower == pytest.approx(0.95 * 3 - 1.5)


@torch.no_grad()
def test_probabilities_of_every_head_sum_to_one():
    target = describe_classes(heads=("ridge", "logistic", "forest", "attention"), **FOREST)
    head = head_of(target)
    state = draw(7)
    head.ridge.intercept.copy_(torch.tensor([0.7, 0.5, -0.2]))
    head.logistic.presence.copy_(torch.randn(3, 6))
    head.forest.value.copy_(torch.tensor([0.2, 0.3, 0.5]).expand(4, 5, 3))
    for name in target.heads:
        predicted = head.predict(name, state)
        assert torch.allclose(predicted.sum(dim=1), torch.ones(7)), name
        assert predicted.min() >= 0, name
    assert not torch.allclose(head.predict("logistic", state), torch.full((7, 3), 1 / 3))


@torch.no_grad()
def test_blocks_are_centered_and_have_variance_one_together():
    head = head_of(describe_classes(heads=("ridge", "logistic")))
    state = draw(50)
    state = state._replace(vocabulary=state.vocabulary.round())
    parts = zip(state.vocabulary.split(20), state.branches.split(20), strict=True)
    head.scaling.fit(SampleState(vocabulary=one, branches=other) for one, other in parts)
    for name in ("vocabulary", "branches", "presence"):
        block = head.scaling(state, [name])
        assert torch.allclose(block.mean(dim=0), torch.zeros(block.shape[1]), atol=1e-6)
        assert block.var(dim=0, correction=0).sum().item() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        ("auto", ([0, 1, 2, 3, 4, 5, *range(6, 15)], [*range(6, 15), *range(15, 20)])),
        ("asvs", ([*range(15)],)),
        ("clades", ([*range(14)],)),
    ],
)
def test_each_tree_reads_asvs_or_branches_and_every_one_the_covariates(features, columns):
    size = {"vocabulary_size": 0} if features == "clades" else {}
    target = describe_classes(features=features, covariates=COVARIATES, **size)
    assert forest_columns(target.forest_blocks(5)) == columns


def test_a_damaged_table_neither_fails_nor_hangs():
    forest = ForestHead(2, 3, 1, (), ([0],))
    forest.child.copy_(torch.tensor([[2, 0, 2], [1, 2, 0]]))
    forest.threshold.fill_(-1.0)
    assert torch.isfinite(forest(torch.rand(4, 1))).all()
    clades = Clades(2, 2, 1)
    clades.parent.copy_(torch.tensor([0, 0, 1, 0]))
    assert clades.nodes_of(torch.tensor([[9.0]]), torch.tensor([2])).tolist() == [2]


def test_clades_hold_what_lies_in_them_and_far_asvs_join_none():
    clades = Clades(3, 2, 1)  # ((0, 1), 2): clade 0 joins all, clade 1 the first two ASVs
    tables = {
        "embedding": [[0.0], [1.0], [5.0]], "parent": [1, 1, 0, 2, 0], "height": [4.5, 1.0],
        "order": [3, 4, 0, 1, 2], "start": [0, 1], "end": [5, 4],
    }  # fmt: skip
    clades.load_state_dict({name: torch.tensor(table) for name, table in tables.items()})
    known = torch.tensor([0, 3, 3, 3])
    nodes = clades.nodes_of(torch.tensor([[0.0], [0.5], [3.0], [50.0]]), known)
    assert nodes.tolist() == [0, 4, 3, 5]
    sums = torch.zeros(1, 6).index_add(1, nodes, torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    assert clades(sums[:, :5])[0].tolist() == pytest.approx([0.6, 0.3])


# covariates


def test_a_gate_starts_open_and_then_scales_each_coordinate():
    torch.manual_seed(0)
    target = describe_classes(covariates=COVARIATES)
    fusion = CovariateFusion(4, target.covariate_inputs, target.missing_inputs, "gate")
    is_zero = (fusion.embedding.weight == 0).all(dim=0)  # that a value is missing has no effect yet
    assert is_zero.nonzero().flatten().tolist() == target.missing_inputs == [2, 4, 8]
    pooled, covariates = torch.randn(3, 4), torch.randn(3, 9)
    assert torch.equal(fusion(pooled, covariates), pooled)
    torch.nn.init.normal_(fusion.gate.weight)
    factor = fusion(pooled, covariates) / pooled
    assert ((factor > 0) & (factor < 2)).all()
    assert factor.std() > 0.1
    assert torch.allclose(factor, fusion(2 * pooled, covariates) / (2 * pooled))


# random features


def test_signs_are_balanced_and_never_change():
    signs = random_signs(3, 1000)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert signs.mean().abs() < 0.1
    start = "".join("-+"[int(sign > 0)] for sign in signs[0, :16])
    assert start == "-+-++++++-----+-"  # a stored model means nothing with others
    assert not RandomFeatures(3, 4).state_dict()  # and none stores them


def test_their_products_are_an_arc_cosine_kernel():
    x = torch.randn(6, 200, generator=torch.Generator().manual_seed(0))
    x = x / x.norm(dim=1, keepdim=True)
    features = RandomFeatures(200, 20_000)(x)
    cosines = (x @ x.T).double().clamp(-1, 1)
    # of |u v| for two standard normal numbers with this correlation
    exact = 2 / torch.pi * ((1 - cosines**2).sqrt() + cosines * cosines.arcsin())
    assert (features @ features.T - exact).abs().max() < 0.03
