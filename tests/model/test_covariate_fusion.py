import pytest
import torch
from simulated_study import describe_classes

from q2_aam.config import Covariate
from q2_aam.model.heads.covariate_fusion import CovariateFusion

COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi"), Covariate("site", ("a", "b", "c")))


def build(how: str) -> CovariateFusion:
    torch.manual_seed(0)
    target = describe_classes(covariates=COVARIATES)
    return CovariateFusion(4, target.covariate_inputs, target.missing_inputs, how)


def test_the_last_input_of_each_covariate_says_that_it_is_missing():
    assert describe_classes(covariates=COVARIATES).missing_inputs == [2, 4, 8]


@pytest.mark.parametrize("how", ["concatenate", "gate"])
def test_what_says_that_a_value_is_missing_starts_without_effect(how):
    weight = build(how).embedding.weight
    assert (weight[:, [2, 4, 8]] == 0).all()
    assert (weight[:, [0, 1, 3, 5, 6, 7]] != 0).all()


def test_a_gate_starts_open_and_then_scales_each_coordinate():
    fusion, pooled, covariates = build("gate"), torch.randn(3, 4), torch.randn(3, 9)
    assert torch.equal(fusion(pooled, covariates), pooled)
    torch.nn.init.normal_(fusion.gate.weight)
    factor = fusion(pooled, covariates) / pooled
    assert ((factor > 0) & (factor < 2)).all()
    assert factor.std() > 0.1
    assert torch.allclose(factor, fusion(2 * pooled, covariates) / (2 * pooled))


def test_concatenation_keeps_the_pooled_embedding():
    fusion, pooled, covariates = build("concatenate"), torch.randn(3, 4), torch.randn(3, 9)
    joined = fusion(pooled, covariates)
    assert joined.shape == (3, fusion.output_size) == (3, 8)
    assert torch.equal(joined[:, :4], pooled)
    assert torch.allclose(joined[:, 4:], covariates @ fusion.embedding.weight.T)
