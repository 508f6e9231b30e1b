"""Which weights are decayed, and every schedule as numbers."""

import numpy as np
import pytest
import torch
from simulated_study import describe_target

from q2_aam.config import SCHEDULES, ModelConfig, TrainingConfig
from q2_aam.model.network import Network
from q2_aam.training.optim import build_optimizer, learning_rate_at

CONFIG = TrainingConfig(learning_rate=0.01, warmup=0.1)


def test_matrices_are_decayed_but_no_biases_norms_lengths_or_embeddings():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4, target=describe_target()))
    names = {id(weight): name for name, weight in network.named_parameters()}
    found, rest = set(), set()
    for group in build_optimizer(network, CONFIG).param_groups:
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


def test_frozen_weights_are_left_alone():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4))
    network.asv_encoder.requires_grad_(False)
    chosen = [weight for group in build_optimizer(network, CONFIG).param_groups
              for weight in group["params"]]  # fmt: skip
    assert not {id(w) for w in network.asv_encoder.parameters()} & {id(w) for w in chosen}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_each_optimizer_is_built(name, kind):
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4))
    assert type(build_optimizer(network, TrainingConfig(optimizer=name))) is kind


def rates_of(schedule, epochs=100, steps_per_epoch=10, scores=(), **settings):
    config = TrainingConfig(learning_rate=0.01, schedule=schedule, epochs=epochs, **settings)
    return np.array(
        [
            learning_rate_at(step, steps_per_epoch, config, scores[: step // steps_per_epoch])
            for step in range(epochs * steps_per_epoch)
        ]
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 3), (7, 2), (100, 10)])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.1])
def test_8_11_rates_are_positive_and_warm_up_is_at_most_a_tenth(schedule, epochs, steps, warmup):
    rates = rates_of(schedule, epochs, steps, warmup=warmup)
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(0.01)
    assert rates.argmax() <= max(1, 0.1 * epochs * steps)


def test_8_11_cosine_falls_to_the_minimum():
    rates = rates_of("cosine", warmup=0.1, min_lr=0.05)
    assert np.allclose(rates[:100], 0.0001 * np.arange(1, 101))
    assert (np.diff(rates[100:]) < 0).all()
    assert rates[-1] == pytest.approx(0.0005, rel=0.01)
    assert rates[550] == pytest.approx(0.01 * (0.05 + 0.95 / 2), rel=0.01)


def test_8_11_constant_stays():
    assert (rates_of("constant", warmup=0.1)[100:] == 0.01).all()


def test_8_11_one_cycle_rises_for_a_tenth_and_falls():
    rates = rates_of("one-cycle", min_lr=0.0)
    assert rates.argmax() == 99
    assert rates[0] == pytest.approx(0.0004, rel=0.3)
    assert rates[-1] < 1e-6


def test_11_6_warm_restarts_follow_period_and_multiplier():
    rates = rates_of(
        "cosine-restarts", warmup=0.0, restart_epochs=10, restart_multiplier=2.0, min_lr=0.1
    )
    risen = np.flatnonzero(np.diff(rates) > 0) + 1
    assert risen.tolist() == [101, 301, 701]  # one warm-up step, then periods of 10, 20, 40 epochs
    assert np.allclose(rates[risen], 0.01)
    assert rates.min() == pytest.approx(0.001, rel=0.05)


def test_11_6_plateau_follows_factor_patience_and_minimum():
    scores = [1.0, 0.5] + [0.6] * 98
    rates = rates_of(
        "plateau", warmup=0.0, scores=scores, plateau_factor=0.1, plateau_patience=3,
        min_lr=0.005,
    )  # fmt: skip
    by_epoch = rates[::10]
    assert np.allclose(by_epoch[:5], 0.01)
    assert np.allclose(by_epoch[5:8], 0.001)
    assert np.allclose(by_epoch[8:11], 0.0001) or np.allclose(by_epoch[8:], 0.00005)
    assert rates.min() == pytest.approx(0.00005)
