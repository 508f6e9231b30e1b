"""Losses and scores against their definitions, scikit-learn and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.special import huber
from simulated_study import describe_classes, describe_target
from sklearn import metrics
from tasks import losses_of, make_network, make_task
from torch.nn import functional

from q2_aam import inference
from q2_aam.config.model import ModelConfig
from q2_aam.data.target_scaling import to_scaled
from q2_aam.data.tokens import MASK, START, UNKNOWN, tokenize
from q2_aam.model.encoders import scaled_log
from q2_aam.model.heads.attention import ordered_quantiles
from q2_aam.training import evaluation
from q2_aam.training.fit import distance_state_after
from q2_aam.training.losses import (
    EpochPredictions,
    Task,
    abundance_loss,
    hide_nucleotides,
    nucleotide_loss,
    unifrac_loss,
)
from q2_aam.training.objectives import objective_of

ACTUAL = np.array([0, 1, 2, 2, 1, 2, 2, 0])
WEIGHTS = np.array([1.0, 2, 1, 1, 3, 1, 0.5, 1], dtype=np.float32)
CLASSES = objective_of(describe_classes())
BATCHES = [np.array([4, 0, 3]), np.array([7, 1, 2, 6]), np.array([5])]


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
    truth, predicted = random.uniform(0, 50, 30), random.uniform(0, 50, 30)
    found = objective_of(target).scores(
        to_scaled(target, predicted)[:, None], to_scaled(target, truth)
    )
    wanted = metrics.mean_absolute_error(truth, predicted)
    assert found["mean_absolute_error"] == pytest.approx(wanted)


@pytest.mark.parametrize("quantile_range", [0.5, 0.9])
def test_the_quantile_loss_is_the_pinball_loss_of_three_quantiles(random, quantile_range):
    raw, actual = torch.from_numpy(random.normal(0, 10, (20, 3))), random.normal(size=20)
    predictions = ordered_quantiles(raw).numpy()
    assert (np.diff(predictions) >= 0).all()  # they cannot cross
    assert (predictions[:, 1] == raw[:, 1].numpy()).all()
    objective = objective_of(describe_target(loss="quantile", quantile_range=quantile_range))
    low = (1 - quantile_range) / 2
    levels = zip(predictions.T, (low, 0.5, 1 - low), strict=True)
    wanted = np.mean([metrics.mean_pinball_loss(actual, one, alpha=level) for one, level in levels])
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
    objective = objective_of(describe_target(loss=loss))
    found = objective.loss_of_predictions(predicted, actual, np.ones(20))
    assert found == pytest.approx(score(actual, predicted[:, 0]))


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


# what is not a target


def test_the_unifrac_loss_is_over_pairs_and_ignores_diagonal_and_lower_half():
    truth = torch.tensor([[0.0, 0.0, 0.4], [0.0, 0.0, 0.6], [0.4, 0.6, 0.0]])  # 0 counts alike
    guess = truth + torch.tensor([[9.0, 0.1, 0.2], [7.0, 9.0, 0.3], [7.0, 7.0, 9.0]])
    wanted = (0.1**2 + 0.2**2 + 0.3**2) / 3
    assert float(unifrac_loss(guess, truth)) == pytest.approx(wanted, rel=1e-5)
    truth.fill_diagonal_(math.nan)
    assert unifrac_loss(guess, truth).isfinite()
    alone = torch.rand(1, 1, requires_grad=True)
    loss = unifrac_loss(alone, torch.rand(1, 1))
    loss.backward()
    assert float(loss) == float(alone.grad) == 0


@pytest.mark.parametrize("share_drawn", [0.0, 0.1499, 0.15, 0.9999])
def test_fifteen_in_a_hundred_of_known_nucleotides_are_hidden(share_drawn):
    tokens = torch.from_numpy(tokenize(["ACGTNACG", "NN", "A", "ACGTACGTACGT"])[0])
    masked, hidden = hide_nucleotides(tokens, torch.full(tokens.shape, share_drawn))
    known = (tokens >= 1) & (tokens <= 4)
    assert torch.equal(hidden, known & (share_drawn < 0.15))
    assert (masked[hidden] == MASK).all()
    assert torch.equal(masked[~hidden], tokens[~hidden])
    assert (masked[:, 0] == START).all()
    for kept in (0, START, UNKNOWN):
        assert torch.equal(masked == kept, tokens == kept)


def test_the_nucleotide_loss_is_the_mean_over_what_is_hidden():
    torch.manual_seed(0)
    tokens = torch.from_numpy(tokenize(["ACGTN", "TTG"])[0])
    logits = torch.randn(2, 5, 4)
    hidden = torch.zeros(2, 6, dtype=torch.bool)
    hidden[0, 2] = hidden[1, 1] = True  # C and T
    wanted = functional.cross_entropy(logits[[0, 1], [1, 0]], torch.tensor([1, 3]))
    assert float(nucleotide_loss(logits, tokens, hidden)) == pytest.approx(float(wanted), rel=1e-5)
    changed = logits.clone()
    changed[~hidden[:, 1:]] = 50.0
    assert nucleotide_loss(changed, tokens, hidden) == nucleotide_loss(logits, tokens, hidden)


def test_the_abundance_loss_is_over_hidden_scaled_logarithms_only():
    abundances = torch.tensor([[1.0, 0.25, math.exp(-6), 0.0]])
    hidden = torch.tensor([[True, False, True, False]])
    found = abundance_loss(torch.tensor([[2.3, 99.0, 0.1, 99.0]]), abundances, hidden)
    assert float(found) == pytest.approx((0.3**2 + 0.1**2) / 2, rel=1e-4)  # the scaled are 2 and 0
    assert float(abundance_loss(abundances, abundances, torch.zeros_like(hidden))) == 0
    found = scaled_log(torch.tensor([0.0, 1e-30]))
    assert found[0] == 0
    assert found.isfinite().all()


@pytest.fixture(scope="module")
def task():
    weights = {"unifrac": 1.0, "nucleotide": 0.1, "abundance": 0.1, "target": 1.0}
    return make_task(13, 30, 2, weights=weights, validation=[np.arange(4, 13)])


@pytest.fixture
def network():
    return make_network(0, target=describe_target(scaling="z-score", location=4.0, scale=2.0))


@pytest.mark.parametrize("at_once", [64, 4, 1])
def test_scores_are_those_of_all_predictions_in_original_units(network, task, monkeypatch, at_once):
    with monkeypatch.context() as patch:
        patch.setattr(inference, "SAMPLES_AT_ONCE", at_once)
        scores = evaluation.validate(network, task, 0)
    state = inference.all_states(network.eval(), task.studies, 0, task.validation[0])
    with torch.no_grad():
        predicted = network.predict_target(state)[:, 0].numpy()
    wanted = 2.0 * np.abs(predicted - task.targets[4:]).mean()
    assert scores["mean_absolute_error"] == pytest.approx(wanted, rel=1e-5)
    upper = np.triu_indices(9, 1)
    truth = task.studies.studies[0].distances.matrix[4:, 4:][upper]
    guess = inference.predict_distances(network, state)[upper]
    assert scores["unifrac_loss"] == pytest.approx(np.square(truth - guess).mean(), rel=1e-4)
    assert scores["unifrac_r"] == pytest.approx(np.corrcoef(truth, guess)[0, 1], abs=1e-4)


def test_masks_of_validation_are_the_same_in_every_epoch(network, task):
    assert evaluation.validate(network, task, 3) == evaluation.validate(network, task, 3)
    other = evaluation.validate(network, task, 4)
    assert other["abundance_loss"] != evaluation.validate(network, task, 3)["abundance_loss"]


def test_predicted_distances_are_whole_in_any_number_of_parts(network, task, monkeypatch):
    state = inference.all_states(network.eval(), task.studies, 0, np.arange(13))
    whole = inference.predict_distances(network, state)
    monkeypatch.setattr(inference, "_DISTANCE_ROWS_AT_ONCE", 5)
    assert np.allclose(inference.predict_distances(network, state), whole, atol=1e-6)
    assert (whole == whole.T).all()
    assert (np.diag(whole) == 0).all()
    assert 0 <= whole.min() < whole.max() <= 1


@pytest.mark.parametrize(
    ("before", "form", "frozen", "weights", "after"),
    [
        ("trained", "branches", False, {"target": 1}, "stale"),
        ("trained", "branches", True, {"target": 1}, "trained"),
        ("trained", "euclidean", True, {"target": 1}, "stale"),
        ("untrained", "branches", False, {"target": 1}, "untrained"),
        ("stale", "branches", True, {"target": 1}, "stale"),
        ("stale", "branches", False, {"unifrac": 1, "target": 1}, "trained"),
    ],
)
def test_what_fitting_leaves_of_the_distances(task, before, form, frozen, weights, after):
    config = ModelConfig(distance_form=form, distance_state=before)
    other = Task(task.studies, [], [], None, weights, "target_loss")
    assert distance_state_after(config, other, frozen) == after


@torch.enable_grad()
def collect(target, targets):
    """Collect every training batch's predictions; return what they score, and what made them."""
    task = make_task(8, 30, 2, targets=targets, weights={"unifrac": 1.0, "target": 1.0})
    network, seen = make_network(0, target=target), EpochPredictions()
    torch.nn.init.normal_(network.target_head.attention.pooled.weight)
    for samples in BATCHES:
        losses_of(network, task, samples, seen=seen)["loss"].backward()
    return seen.scores(objective_of(target)), network.eval(), task.studies


@torch.no_grad()
@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_8_1_training_is_scored_as_the_attention_head_reads_it_and_over_pairs_of_batches(kind):
    target = describe_classes() if kind == "classes" else describe_target(scale=5.0)
    targets = ACTUAL if kind == "classes" else np.arange(8, dtype=np.float32)
    scores, network, studies = collect(target, targets)
    state = inference.all_states(network, studies, 0, np.arange(8))
    raw = network.attention_outputs(state).numpy().astype(np.float64)
    matrix, of_pairs = network.distances(state).numpy(), [[], []]
    for samples in BATCHES:
        upper = np.triu_indices(len(samples), 1)
        of_pairs[0].extend(matrix[np.ix_(samples, samples)][upper])
        of_pairs[1].extend(studies.studies[0].distances.block(samples)[upper])
    wanted = {
        "unifrac_r": np.corrcoef(*of_pairs)[0, 1],
        "unifrac_r2": metrics.r2_score(of_pairs[1], of_pairs[0]),
    }
    if kind == "numbers":
        wanted["mean_absolute_error"] = 5 * np.abs(raw[:, 0] - targets).mean()
    else:
        wanted["accuracy"] = metrics.accuracy_score(targets, raw.argmax(axis=1))
        wanted["balanced_accuracy"] = metrics.balanced_accuracy_score(targets, raw.argmax(axis=1))
    assert scores == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_nothing_seen_scores_nothing_and_distances_that_do_not_vary_are_not_absurd():
    seen = EpochPredictions()
    assert seen.scores(None) == {}
    for values, scores in (([], {}), ([0.3], {"unifrac_r": 0.0, "unifrac_r2": 0.0})):
        seen.add("unifrac", torch.tensor(values), np.array(values, dtype=np.float32))
        assert seen.scores(None) == scores
