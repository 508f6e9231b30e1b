import numpy as np
import pytest
import torch
from simulated_study import simulate_study

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.distances import Distances
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.errors import AAMError
from q2_aam.training.device import build_accelerator
from q2_aam.training.init import new_network
from q2_aam.training.logger import TrainingLogger
from q2_aam.training.lr_finder import find_rate, rising_rates, sweep
from q2_aam.training.pretrain import pretraining_task

LOGGER = TrainingLogger("test", 1)
RATES = rising_rates(1e-4, 100, 100)


def descend(curvatures, rates=RATES, noise=0.0):
    """Sweep plain gradient descent on a quadratic, which is stable up to 2 / largest curvature."""
    curvatures = np.asarray(curvatures, dtype=float)
    place, random = np.ones(len(curvatures)), np.random.default_rng(0)

    def take_step(rate):
        nonlocal place
        loss = 0.1 + 0.5 * float(curvatures @ place**2) * (1 + noise * random.normal())
        place = place * (1 - rate * curvatures)
        return loss

    return sweep(take_step, rates)


@pytest.mark.parametrize("noise", [0, 0.05])
@pytest.mark.parametrize("curvatures", [[4.0, 4.0], [0.25] * 3, np.geomspace(0.04, 4, 20)])
def test_11_6_a_tenth_of_the_stable_limit_is_suggested(curvatures, noise):
    found = descend(curvatures, noise=noise)
    stable = 2 / max(curvatures)
    assert stable / 30 < found.suggestion < stable / 10 * 3
    assert found.suggestion < found.rates[found.smoothed.argmin()]


def test_11_6_the_test_stops_where_the_loss_explodes():
    found = descend([4.0, 4.0])
    assert found.diverged
    assert len(found.rates) < len(RATES)
    assert found.smoothed[-1] > 4 * found.smoothed.min()
    assert (found.smoothed[:-1] <= 4 * np.minimum.accumulate(found.smoothed)[:-1]).all()


def test_11_6_the_test_stops_where_the_loss_is_not_finite():
    losses = iter([3.0, 2.0, 1.0, float("nan")])
    found = sweep(lambda rate: next(losses), RATES)
    assert found.diverged
    assert found.losses.tolist() == [3.0, 2.0, 1.0]


def test_11_6_the_smoothed_loss_is_corrected_for_its_start():
    found = sweep(lambda rate: 2.0, RATES)
    assert found.smoothed == pytest.approx(np.full(100, 2.0))
    assert not found.diverged


def test_11_6_a_loss_that_never_clearly_fell_suggests_nothing():
    assert sweep(lambda rate: 2.0, RATES).suggestion is None
    assert sweep(lambda rate: 2.0 + rate, RATES).suggestion is None
    found = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        curve = sweep(lambda rate, random=random: random.normal(2, 0.3), RATES)
        found += curve.suggestion is not None
    assert found <= 4  # noise alone, one time in fifteen at most


def test_11_6_a_loss_without_a_value_at_the_start_is_refused(refused):
    refused(lambda: sweep(lambda rate: float("nan"), RATES), "before anything was learned")
    with pytest.raises(AAMError, match="cannot rise"):
        rising_rates(0.1, 0.1, 20)


@pytest.fixture(scope="module")
def ready():
    """A network as pretraining would start from it, and what is learned."""
    study = simulate_study(20, 30, 2, ids_are_dna=True)
    distances = [Distances(study.unifrac.data.astype(np.float32), np.arange(20))]
    studies = build_studies([read_table(study.biom)], None, 60, 64, distances)
    config = TrainingConfig(batch_size=8, dropout=0.1, validation_size=0.0)
    accelerator = build_accelerator("cpu", "fp32", 1)
    model = ModelConfig(hidden_size=16, heads=2, branches=32, max_sequence_length=60)
    network = new_network(model, studies, 0, accelerator.device)
    return network, pretraining_task(studies, config), config, accelerator


def test_11_6_weights_are_left_as_they_were(ready):
    network = ready[0]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = find_rate(*ready, LOGGER, rising_rates(1e-4, 0.1, 30))
    assert len(set(found.losses.round(6))) > 10  # the copy did learn
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(weight.grad is None for weight in network.parameters())


def test_11_6_the_curve_is_a_function_of_the_seed(ready):
    network, task, config, accelerator = ready
    one, again = (find_rate(*ready, LOGGER, rising_rates(1e-4, 0.1, 20)) for _ in range(2))
    assert one.losses.tolist() == again.losses.tolist()
    other = TrainingConfig(batch_size=8, dropout=0.1, validation_size=0.0, random_seed=1)
    found = find_rate(network, task, other, accelerator, LOGGER, rising_rates(1e-4, 0.1, 20))
    assert found.losses.tolist() != one.losses.tolist()
