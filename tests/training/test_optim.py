"""Which weights are decayed, and every schedule as numbers."""

import numpy as np
import pytest
import torch
from simulated_study import describe_target
from tasks import make_network

from q2_aam.config.training import SCHEDULES, TrainingConfig
from q2_aam.training.optim import build_optimizer, learning_rate_at


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_matrices_are_decayed_but_no_biases_norms_lengths_or_embeddings(name, kind):
    network, config = make_network(), TrainingConfig(optimizer=name)
    names = {id(weight): name for name, weight in network.named_parameters()}
    optimizer = build_optimizer(network, config)
    assert type(optimizer) is kind
    groups = optimizer.param_groups
    decayed, other = ({names[id(weight)] for weight in group["params"]} for group in groups)
    assert [group["weight_decay"] for group in groups] == [config.weight_decay, 0]
    assert decayed | other == set(names.values())
    assert not decayed & other
    assert all(name.endswith("weight") and "norm" not in name for name in decayed)
    assert "branches.membership.weight" in decayed
    assert {"distance_head.log_length", "asv_encoder.positions.weight"} <= other
    assert {"asv_encoder.nucleotides.weight", "asv_encoder.start"} <= other


def test_the_perceptron_of_the_attention_head_is_decayed_more_by_adamw_alone():
    network = make_network(target=describe_target(hidden_units=4))
    for name, wanted in (("adamw", {0.01, 0.0, 1.0}), ("adam", {0.01, 0.0})):
        groups = build_optimizer(network, TrainingConfig(optimizer=name)).param_groups
        assert {group["weight_decay"] for group in groups} == wanted
    heavy = TrainingConfig(weight_decay=2.0)
    assert {one["weight_decay"] for one in build_optimizer(network, heavy).param_groups} == {2.0, 0}


def rates_of(schedule, epochs=100, steps_per_epoch=10, scores=(), **settings):
    config = TrainingConfig(learning_rate=0.01, schedule=schedule, epochs=epochs, **settings)
    return np.array([
        learning_rate_at(step, steps_per_epoch, config, scores[: step // steps_per_epoch])
        for step in range(epochs * steps_per_epoch)
    ])  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 3), (7, 2), (100, 10)])
def test_8_11_rates_are_positive_and_warm_up_is_at_most_a_tenth(schedule, epochs, steps):
    for warmup in (0.0, 0.05, 0.1):
        rates = rates_of(schedule, epochs, steps, warmup=warmup)
        assert (rates > 0).all()
        assert rates.max() == pytest.approx(0.01)
        assert rates.argmax() <= max(1, 0.1 * epochs * steps)


def test_8_11_cosine_falls_to_the_minimum_and_constant_stays():
    rates = rates_of("cosine", warmup=0.1, min_lr=0.05)
    assert np.allclose(rates[:100], 0.0001 * np.arange(1, 101))
    assert (np.diff(rates[100:]) < 0).all()
    assert rates[-1] == pytest.approx(0.0005, rel=0.01)
    assert rates[550] == pytest.approx(0.01 * (0.05 + 0.95 / 2), rel=0.01)
    assert (rates_of("constant", warmup=0.1)[100:] == 0.01).all()


def test_8_11_one_cycle_rises_for_a_tenth_and_falls():
    rates = rates_of("one-cycle", min_lr=0.0)
    assert rates.argmax() == 99
    assert rates[0] == pytest.approx(0.0004, rel=0.3)
    assert rates[-1] < 1e-6


def test_11_6_warm_restarts_follow_period_and_multiplier():
    settings = {"restart_epochs": 10, "restart_multiplier": 2.0, "min_lr": 0.1}
    rates = rates_of("cosine-restarts", warmup=0.0, **settings)
    risen = np.flatnonzero(np.diff(rates) > 0) + 1
    assert risen.tolist() == [101, 301, 701]  # one warm-up step, then periods of 10, 20, 40 epochs
    assert np.allclose(rates[risen], 0.01)
    assert rates.min() == pytest.approx(0.001, rel=0.05)


def test_11_6_plateau_follows_factor_patience_and_minimum():
    scores = [1.0, 0.5] + [0.6] * 98
    settings = {"plateau_factor": 0.1, "plateau_patience": 3, "min_lr": 0.005}
    rates = rates_of("plateau", warmup=0.0, scores=scores, **settings)[::10]
    assert np.allclose(rates, [0.01] * 5 + [0.001] * 3 + [0.0001] * 3 + [0.00005] * 89)
