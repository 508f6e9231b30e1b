import numpy as np
import pytest
import torch
from tasks import make_network, make_task

from q2_aam.config.training import TrainingConfig
from q2_aam.training.device import build_accelerator
from q2_aam.training.logger import TrainingLogger
from q2_aam.training.lr_finder import find_rate, rising_rates, sweep

RATES = rising_rates(1e-4, 100, 100)


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
