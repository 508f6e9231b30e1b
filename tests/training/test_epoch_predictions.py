"""Scores of training batches are those that validation would give the same predictions."""

import numpy as np
import pytest
import torch
from simulated_study import (
    describe_classes,
    describe_target,
    losses_of,
    simulate_study,
    with_known_asvs,
)

from q2_aam.config import ModelConfig
from q2_aam.data.distances import Distances
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.inference import all_states
from q2_aam.model.network import Network
from q2_aam.training.losses import EpochPredictions, Task
from q2_aam.training.objectives import objective_of

BATCHES = [np.array([4, 0, 3]), np.array([7, 1, 2, 6]), np.array([5])]
CLASSES = np.array([0, 1, 2, 0, 1, 2, 0, 1])


@pytest.fixture(scope="module")
def studies():
    study = simulate_study(8, 30, 2, ids_are_dna=True)
    matrix = study.unifrac.data.astype(np.float32)
    studies = build_studies(
        [read_table(study.biom)], None, 60, 64, [Distances(matrix, np.arange(8))]
    )
    return with_known_asvs(studies)


def collect(studies, target, targets):
    """Collect every batch's predictions; return what they score, and the network."""
    torch.manual_seed(0)
    config = ModelConfig(
        hidden_size=16, heads=2, branches=24, max_sequence_length=60, target=target
    )
    network = Network(config)
    torch.nn.init.normal_(network.target_head.attention.pooled.weight)
    weights = {"unifrac": 1.0, "target": 1.0}
    task = Task(
        studies, [np.arange(8)], [np.arange(0)], targets, weights, "target_loss",
        sample_weights=np.ones(8, dtype=np.float32),
    )  # fmt: skip
    seen = EpochPredictions()
    for samples in BATCHES:
        losses_of(network, task, samples, seen=seen)["loss"].backward()
    return seen.scores(objective_of(target)), network


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_8_1_targets_are_scored_as_the_attention_head_reads_them(studies, kind):
    target = describe_classes() if kind == "classes" else describe_target(scale=5.0)
    targets = CLASSES if kind == "classes" else np.arange(8, dtype=np.float32)
    scores, network = collect(studies, target, targets)
    state = all_states(network.eval(), studies, 0, np.arange(8))
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


def test_8_1_distances_are_scored_over_the_pairs_of_batches(studies):
    scores, network = collect(studies, describe_target(), np.arange(8, dtype=np.float32))
    matrix, actual = [], []
    for samples in BATCHES:
        upper = np.triu_indices(len(samples), 1)
        with torch.no_grad():
            state = all_states(network.eval(), studies, 0, samples)
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
    seen.add_distances(torch.zeros(1, 1), np.zeros((1, 1), dtype=np.float32))
    assert seen.scores(None) == {}
