import numpy as np
import pytest
import torch
from scipy.special import huber
from simulated_study import describe_classes, describe_target
from sklearn import metrics

from q2_aam.config import TARGET_LOSSES
from q2_aam.data.target_scaling import to_scaled
from q2_aam.model.heads.attention import ordered_quantiles
from q2_aam.training.objectives import objective_of

ACTUAL = np.array([0, 1, 2, 2, 1, 2, 2, 0])
WEIGHTS = np.array([1.0, 2, 1, 1, 3, 1, 0.5, 1], dtype=np.float32)
CLASSES = objective_of(describe_classes())


@pytest.fixture
def random():
    return np.random.default_rng(4)


def test_scores_and_losses_of_classes_are_those_of_scikit_learn(random):
    logits = torch.from_numpy(random.normal(size=(len(ACTUAL), 3)))
    shares = torch.softmax(logits, dim=1).numpy()
    favoured = shares.argmax(axis=1)
    assert CLASSES.scores(shares, ACTUAL) == pytest.approx({
        "accuracy": metrics.accuracy_score(ACTUAL, favoured),
        "balanced_accuracy": metrics.balanced_accuracy_score(ACTUAL, favoured),
    })  # fmt: skip
    wanted = metrics.log_loss(ACTUAL, shares, sample_weight=WEIGHTS)
    assert CLASSES.loss_of_predictions(shares, ACTUAL, WEIGHTS) == pytest.approx(wanted)
    found = CLASSES.loss(logits, torch.from_numpy(ACTUAL), torch.from_numpy(WEIGHTS))
    assert float(found) == pytest.approx(wanted)


def test_missing_classes_do_not_count_and_a_probability_of_zero_costs_much_but_not_everything():
    found = CLASSES.scores(np.eye(3)[[0, 1, 0]], np.array([0, 1, 1]))
    assert found == {"accuracy": pytest.approx(2 / 3), "balanced_accuracy": 0.75}
    assert 10 < CLASSES.loss_of_predictions(np.eye(3)[[0]], np.array([1]), np.ones(1)) < 20


def test_the_mean_absolute_error_is_in_the_targets_units(random):
    target = describe_target(scaling="log-z-score", location=1.5, scale=0.5, maximum=100.0)
    truth, said = random.uniform(0, 50, 30), random.uniform(0, 50, 30)
    found = objective_of(target).scores(to_scaled(target, said)[:, None], to_scaled(target, truth))
    wanted = metrics.mean_absolute_error(truth, said)
    assert found["mean_absolute_error"] == pytest.approx(wanted)


@pytest.mark.parametrize("quantile_range", [0.5, 0.9])
def test_the_quantile_loss_is_the_pinball_loss_of_three_quantiles(random, quantile_range):
    raw, actual = torch.from_numpy(random.normal(size=(20, 3))), random.normal(size=20)
    predictions = ordered_quantiles(raw).numpy()
    objective = objective_of(describe_target(loss="quantile", quantile_range=quantile_range))
    low = (1 - quantile_range) / 2
    wanted = np.mean([
        metrics.mean_pinball_loss(actual, predictions[:, place], alpha=level)
        for place, level in enumerate([low, 0.5, 1 - low])
    ])  # fmt: skip
    assert objective.loss_of_predictions(predictions, actual, np.ones(20)) == pytest.approx(wanted)
    learned = objective.loss(raw, torch.from_numpy(actual), torch.ones(20))
    assert float(learned) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("loss", "score"),
    [
        ("mse", metrics.mean_squared_error),
        ("mae", metrics.mean_absolute_error),
        ("huber", lambda actual, predicted: huber(0.5, actual - predicted).mean()),
    ],
)
def test_losses_of_numbers_are_those_of_scikit_learn_and_scipy(random, loss, score):
    predicted, actual = random.normal(size=(20, 1)), random.normal(size=20)
    found = objective_of(describe_target(loss=loss)).loss_of_predictions(
        predicted, actual, np.ones(20)
    )
    assert found == pytest.approx(score(actual, predicted[:, 0]))


@pytest.mark.parametrize("loss", TARGET_LOSSES)
def test_the_best_constant_of_a_loss_is_a_mean_or_a_median(loss):
    """The mean for mse, the median for mae and quantile; huber lies between."""
    actual = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 9.0])
    objective, places = objective_of(describe_target(loss=loss)), np.linspace(-1, 3, 401)
    constants = [np.full((7, 3 if loss == "quantile" else 1), one) for one in places]
    costs = [objective.loss_of_predictions(one, actual, np.ones(7)) for one in constants]
    best = places[int(np.argmin(costs))]
    if loss == "huber":
        assert 0 < best < 1
    else:
        assert best == pytest.approx(actual.mean() if loss == "mse" else 0.0, abs=0.01)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 5000.0])
def test_quantiles_start_from_those_of_all_samples_on_any_scale(random, factor):
    targets = factor * random.exponential(1, 500)
    objective = objective_of(describe_target(loss="quantile", quantile_range=0.8))
    start = torch.from_numpy(objective.start(targets, np.ones(500)))[None]
    assert torch.isfinite(start).all()
    found = ordered_quantiles(start)[0].numpy()
    wanted = np.quantile(targets, [0.1, 0.5, 0.9])
    assert found == pytest.approx(wanted, rel=1e-6, abs=2e-3)


def test_numbers_start_from_their_mean_and_classes_from_their_weights():
    start = objective_of(describe_target()).start(np.array([1.0, 2.0, 6.0]), np.ones(3))
    assert start.tolist() == [3.0]
    share = np.bincount(ACTUAL, WEIGHTS) / WEIGHTS.sum()
    assert np.exp(CLASSES.start(ACTUAL, WEIGHTS)) == pytest.approx(share)
    assert np.isfinite(CLASSES.start(np.zeros(4, dtype=int), np.ones(4))).all()
