import numpy as np
import pytest
from simulated_study import describe_target

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.model.network import Network
from q2_aam.training.optimiser import build_optimiser, learning_rate_at

CONFIG = TrainingConfig(learning_rate=0.01, warmup=0.1)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_the_rate_warms_up_then_falls(steps):
    rates = np.array([learning_rate_at(step, steps, CONFIG) for step in range(steps)])
    warm = max(1, round(0.1 * steps))
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(0.01)
    assert rates.argmax() == warm - 1
    assert (np.diff(rates[:warm]) > 0).all()
    assert (np.diff(rates[warm:]) < 0).all()


def test_the_rate_ends_at_a_hundredth():
    assert learning_rate_at(999, 1000, CONFIG) == pytest.approx(1e-4, rel=0.01)


def test_warm_up_is_linear():
    rates = [learning_rate_at(step, 100, CONFIG) for step in range(10)]
    assert np.allclose(rates, 0.001 * np.arange(1, 11))


def test_matrices_are_decayed_but_no_biases_norms_lengths_or_embeddings():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4, target=describe_target()))
    names = {id(weight): name for name, weight in network.named_parameters()}
    found, rest = set(), set()
    for group in build_optimiser(network, CONFIG).param_groups:
        assert group["weight_decay"] in (0, CONFIG.weight_decay)
        part = found if group["weight_decay"] else rest
        part |= {names[id(weight)] for weight in group["params"]}
    assert found | rest == set(names.values())
    assert not found & rest
    assert all(name.endswith("weight") for name in found)
    assert not any("norm" in name for name in found)
    assert "branches.membership.weight" in found
    assert {"distance_head.log_length", "asv_encoder.positions.weight"} <= rest
    assert {"asv_encoder.nucleotides.weight", "asv_encoder.start"} <= rest


def test_the_target_head_alone_takes_larger_steps():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4, target=describe_target()))
    names = {id(weight): name for name, weight in network.named_parameters()}
    for group in build_optimiser(network, CONFIG).param_groups:
        of_head = {names[id(weight)].startswith("target_head.") for weight in group["params"]}
        assert of_head == {group["factor"] > 1}


def test_frozen_weights_are_left_alone():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4))
    network.asv_encoder.requires_grad_(False)
    chosen = [weight for group in build_optimiser(network, CONFIG).param_groups
              for weight in group["params"]]  # fmt: skip
    assert not {id(w) for w in network.asv_encoder.parameters()} & {id(w) for w in chosen}
