"""Every schedule as numbers, which weights are decayed, and the search for a learning rate."""

import numpy as np
import pytest
import torch
from simulated_study import describe_target
from tasks import make_network, make_task

from q2_aam.config.training import SCHEDULES, TrainingConfig
from q2_aam.training.device import build_accelerator
from q2_aam.training.logger import TrainingLogger
from q2_aam.training.lr_finder import find_rate, rising_rates, sweep
from q2_aam.training.optim import build_optimizer, learning_rate_at

RATES = rising_rates(1e-4, 100, 100)


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


def descend(curvatures, noise=0.0):
    """Sweep plain gradient descent on a quadratic, which is stable up to 2 / largest curvature."""
    curvatures = np.asarray(curvatures, dtype=float)
    place, random = np.ones(len(curvatures)), np.random.default_rng(0)

    def losses():
        nonlocal place
        for rate in RATES:
            yield 0.1 + 0.5 * float(curvatures @ place**2) * (1 + noise * random.normal())
            place = place * (1 - rate * curvatures)

    return sweep(losses(), RATES)


@pytest.mark.parametrize("noise", [0, 0.05])
@pytest.mark.parametrize("curvatures", [[4.0, 4.0], [0.25] * 3, np.geomspace(0.04, 4, 20)])
def test_11_6_a_tenth_of_the_stable_limit_is_suggested(curvatures, noise):
    found = descend(curvatures, noise)
    stable = 2 / max(curvatures)
    assert stable / 30 < found.suggestion < stable / 10 * 3
    assert found.suggestion < found.rates[found.smoothed.argmin()]


def test_11_6_the_test_stops_where_the_loss_explodes_or_is_not_finite():
    found = descend([4.0, 4.0])
    assert found.diverged
    assert len(found.rates) < len(RATES)
    assert found.smoothed[-1] > 4 * found.smoothed.min()
    assert (found.smoothed[:-1] <= 4 * np.minimum.accumulate(found.smoothed)[:-1]).all()
    found = sweep([3.0, 2.0, 1.0, float("nan")], RATES)
    assert found.diverged
    assert found.losses.tolist() == [3.0, 2.0, 1.0]


def test_11_6_a_loss_that_never_clearly_fell_suggests_nothing():
    flat = sweep(np.full(100, 2.0), RATES)
    assert flat.smoothed == pytest.approx(np.full(100, 2.0))  # corrected for its start
    assert not flat.diverged
    assert flat.suggestion is None
    assert sweep(2.0 + RATES, RATES).suggestion is None
    noise = (np.random.default_rng(seed).normal(2, 0.3, 100) for seed in range(60))
    assert sum(sweep(one, RATES).suggestion is not None for one in noise) <= 4


def test_11_6_a_loss_without_a_value_at_the_start_is_refused(refused):
    refused(lambda: sweep([float("nan")], RATES), "before anything was learned")


def test_11_6_weights_are_left_as_they_were_and_the_curve_is_a_function_of_the_seed():
    task = make_task(20, 30, 2, weights={"unifrac": 1.0})
    network, accelerator = make_network(), build_accelerator("cpu", "fp32", 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def find(seed):
        config = TrainingConfig(batch_size=8, dropout=0.1, random_seed=seed)
        logger, rates = TrainingLogger("test", 1), rising_rates(1e-4, 0.1, 30)
        return find_rate(network, task, config, accelerator, logger, rates).losses.tolist()

    losses = find(0)
    assert len(set(np.round(losses, 6))) > 10  # the copy did learn
    assert find(0) == losses != find(1)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(weight.grad is None for weight in network.parameters())
