import numpy as np
import pytest
import torch
from simulated_study import describe_target, simulate_study, with_known_asvs

from q2_aam import inference
from q2_aam.config import ModelConfig
from q2_aam.data.distances import Distances
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.model.network import Network
from q2_aam.training import evaluation
from q2_aam.training.fit import distance_state_after
from q2_aam.training.losses import Task


@pytest.fixture(scope="module")
def task():
    study = simulate_study(13, 30, 2, ids_are_dna=True)
    matrix = study.unifrac.data.astype(np.float32)
    studies = build_studies(
        [read_table(study.biom)], None, 60, 64, [Distances(matrix, np.arange(13))]
    )
    studies = with_known_asvs(studies)
    targets = ((study.ages - 4) / 2).to_numpy(dtype=np.float32)
    weights = {"unifrac": 1.0, "nucleotide": 0.1, "abundance": 0.1, "target": 1.0}
    return Task(
        studies, [np.arange(4)], [np.arange(4, 13)], targets, weights, "target_loss",
        sample_weights=np.ones(13, dtype=np.float32),
    )  # fmt: skip


@pytest.fixture
def network():
    torch.manual_seed(0)
    target = describe_target(scaling="z-score", location=4.0, scale=2.0)
    config = ModelConfig(
        hidden_size=16, heads=2, branches=24, max_sequence_length=60, target=target
    )
    return Network(config)


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
    network.eval()
    state = inference.all_states(network, task.studies, 0, task.validation[0])
    actual = task.targets[4:] * 2.0 + 4.0
    with torch.no_grad():
        predicted = network.predict_target(state)[:, 0].numpy() * 2.0 + 4.0
    wanted = np.abs(predicted - actual).mean()
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
    network.eval()
    state = inference.all_states(network, task.studies, 0, np.arange(13))
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
