"""What is scored: every sample and pair, in the target's units, in training as in validation."""

import numpy as np
import pytest
import torch
from simulated_study import describe_classes, describe_target
from sklearn import metrics
from tasks import losses_of, make_network, make_task

from q2_aam import inference
from q2_aam.config.model import ModelConfig
from q2_aam.training import evaluation
from q2_aam.training.fit import distance_state_after
from q2_aam.training.losses import EpochPredictions, Task
from q2_aam.training.objectives import objective_of

BATCHES = [np.array([4, 0, 3]), np.array([7, 1, 2, 6]), np.array([5])]
CLASSES = np.array([0, 1, 2, 0, 1, 2, 0, 1])


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
    targets = CLASSES if kind == "classes" else np.arange(8, dtype=np.float32)
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
