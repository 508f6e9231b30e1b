"""What is scored: every sample and pair, in the target's units, in training as in validation."""

import numpy as np
import pytest
import torch
from simulated_study import describe_classes, describe_target
from tasks import losses_of, make_network, make_task

from q2_aam import inference
from q2_aam.config import ModelConfig
from q2_aam.training import evaluation
from q2_aam.training.fit import distance_state_after
from q2_aam.training.losses import EpochPredictions, Task, unifrac_scores
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


def test_every_sample_and_every_pair_is_scored_whatever_the_batch_size(network, task, monkeypatch):
    found = []
    for at_once in (64, 4, 1):
        monkeypatch.setattr(inference, "SAMPLES_AT_ONCE", at_once)
        found.append(evaluation.validate(network, task, 0))
    for name in ("unifrac_loss", "unifrac_r", "target_loss", "mean_absolute_error"):
        for other in found[1:]:
            assert other[name] == pytest.approx(found[0][name], abs=1e-5), name


def test_scores_are_those_of_predictions_in_original_units(network, task):
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
    assert whole.min() >= 0
    assert whole.max() <= 1


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


def collect(target, targets):
    """Collect every training batch's predictions; return what they score, and what made them."""
    task = make_task(8, 30, 2, targets=targets, weights={"unifrac": 1.0, "target": 1.0})
    network, seen = make_network(0, target=target), EpochPredictions()
    torch.nn.init.normal_(network.target_head.attention.pooled.weight)
    for samples in BATCHES:
        losses_of(network, task, samples, seen=seen)["loss"].backward()
    return seen.scores(objective_of(target)), network.eval(), task.studies


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_8_1_targets_are_scored_as_the_attention_head_reads_them(kind):
    target = describe_classes() if kind == "classes" else describe_target(scale=5.0)
    targets = CLASSES if kind == "classes" else np.arange(8, dtype=np.float32)
    scores, network, studies = collect(target, targets)
    state = inference.all_states(network, studies, 0, np.arange(8))
    with torch.no_grad():
        raw = network.attention_outputs(state).numpy().astype(np.float64)
    if kind == "numbers":
        wanted = {"mean_absolute_error": 5 * np.abs(raw[:, 0] - targets).mean()}
    else:
        right = raw.argmax(axis=1) == targets
        recalls = [right[targets == one].mean() for one in range(3)]
        wanted = {"accuracy": right.mean(), "balanced_accuracy": np.mean(recalls)}
    scores = {name: value for name, value in scores.items() if "unifrac" not in name}
    assert scores == pytest.approx(wanted, rel=1e-4)


def test_8_1_distances_are_scored_over_the_pairs_of_batches():
    scores, network, studies = collect(describe_target(), np.arange(8, dtype=np.float32))
    matrix, actual = [], []
    for samples in BATCHES:
        upper = np.triu_indices(len(samples), 1)
        with torch.no_grad():
            state = inference.all_states(network, studies, 0, samples)
            matrix.append(network.distances(state).numpy()[upper])
        actual.append(studies.studies[0].distances.block(samples)[upper])
    predicted, actual = np.concatenate(matrix), np.concatenate(actual)
    wanted = np.corrcoef(predicted, actual)[0, 1]
    assert scores["unifrac_r"] == pytest.approx(wanted, abs=1e-4)
    explained = 1 - np.square(predicted - actual).mean() / actual.var()
    assert scores["unifrac_r2"] == pytest.approx(explained, abs=1e-3)


def test_nothing_seen_scores_nothing():
    seen = EpochPredictions()
    assert seen.scores(None) == {}
    seen.add("unifrac", torch.zeros(0), np.zeros(0, dtype=np.float32))
    assert seen.scores(None) == {}


def test_distances_that_do_not_vary_have_no_absurd_scores():
    found = unifrac_scores(np.array([0.3]), np.array([0.6], dtype=np.float32))
    assert found == {"unifrac_r": 0.0, "unifrac_r2": 0.0}
