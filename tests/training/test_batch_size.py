"""Choosing a batch size: by the samples, then by the memory that a real step takes."""

import numpy as np
import pytest
import torch
from simulated_study import TINY, TINY_FIT, model_of, simulate_study

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.model.network import Network
from q2_aam.storage.training_log import read_training_log
from q2_aam.training import batch_size
from q2_aam.training.batch_size import wanted_batch_size
from q2_aam.training.free_memory import free_memory, group_limit
from q2_aam.training.step_memory import (
    LiveTensors,
    MemoryExceededError,
    richest_samples,
    step_bytes,
)
from q2_aam.training.steps import Task
from q2_aam.types import AAMTrainingLogDirectoryFormat


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [(1, 1), (5, 5), (8, 8), (50, 8), (159, 8), (160, 16), (700, 64), (2560, 256), (10**6, 256)],
)
def test_the_rule_leaves_about_ten_steps_within_bounds(samples, wanted):
    assert wanted_batch_size(samples, samples) == wanted


def test_the_rule_counts_pieces_and_is_bound_by_the_largest_study():
    assert wanted_batch_size(700, 700, pieces=4) == 16
    assert wanted_batch_size(20, 700) == 20


@pytest.fixture(scope="module")
def study():
    return simulate_study(30, 40, 3)


def pretrain(aam, study, **options):
    """Return the weights, the setting of the batch size, and all of the history but times."""
    found = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        **TINY | {"dropout": 0.1, "nucleotide_weight": 0.1, "abundance_weight": 0.1} | options,
    )  # fmt: skip
    log = read_training_log(str(found.training_log.view(AAMTrainingLogDirectoryFormat)))
    (setting,) = [setting for setting in log.settings if setting.name == "batch_size"]
    history = log.history.drop(columns=["seconds", "samples_per_second"])
    return model_of(found.encoder)[1], setting, history


@pytest.fixture
def run_folders(tmp_path, monkeypatch):
    """Give each run a folder of its own: a run of equal settings would use the other's result."""

    def use(name):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / name))

    return use


def assert_equal(left, right):
    for name in left:
        assert np.array_equal(left[name], right[name]), name


def test_auto_equals_the_number_given_by_hand(aam, study, run_folders, capfd):
    weights, setting, history = pretrain(aam, study, batch_size="auto")
    assert (setting.value, setting.chosen_by) == (8, "automatic")
    assert f"batch_size: 8 ({setting.why})" in capfd.readouterr().out
    run_folders("other")
    other, setting, history_of_other = pretrain(aam, study, batch_size=8)
    assert (setting.value, setting.chosen_by) == (8, "user")
    assert_equal(weights, other)
    assert history.equals(history_of_other)


def test_auto_halves_where_memory_is_small_and_says_so(aam, study, run_folders, monkeypatch):
    needed = []

    def measured(*arguments, **named):
        needed.append(step_bytes(*arguments, **named))
        return needed[-1]

    monkeypatch.setattr(batch_size, "step_bytes", measured)
    pretrain(aam, study, batch_size="auto", epochs=1)
    monkeypatch.setattr(batch_size, "free_memory", lambda device: needed[0] - 1)
    weights, setting, _ = pretrain(aam, study, batch_size="auto", epochs=1)
    assert setting.value in (1, 2, 4)
    assert "does not fit into" in setting.why
    run_folders("other")
    assert_equal(weights, pretrain(aam, study, batch_size=setting.value, epochs=1)[0])


def test_auto_in_fitting_takes_no_more_than_the_samples_there_are(aam):
    few = simulate_study(10, 20, 4)
    found = aam.fit_regressor(
        few.table, few.age_column, sequences=few.sequences,
        **TINY_FIT | {"batch_size": "auto", "validation_size": 0.4},
    )  # fmt: skip
    log = read_training_log(str(found.training_log.view(AAMTrainingLogDirectoryFormat)))
    counts = {item["what"]: item["count"] for item in log.summary["data"]}
    values = {setting.name: setting.value for setting in log.settings}
    assert values["batch_size"] == counts["samples used for training"] < 8


def test_a_word_other_than_auto_is_refused(aam, study):
    with pytest.raises(Exception, match="batch_size"):
        pretrain(aam, study, batch_size="many")


@pytest.fixture
def task(study):
    studies = build_studies([read_table(study.biom)], study.dna, 60, 64)
    return Task(studies, [np.arange(20)], [np.arange(20, 30)], None, {"nucleotide": 1.0}, "loss")


def test_measuring_a_step_leaves_weights_and_random_numbers_alone(task):
    network = Network(ModelConfig(hidden_size=16, heads=2, branches=8, max_sequence_length=60))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    needed = step_bytes(network, task, TrainingConfig(), 0, np.arange(20))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())
    weights = 4 * sum(tensor.numel() for tensor in before.values())
    assert needed > 4 * weights  # with gradients and the two moments of the optimiser
    with pytest.raises(MemoryExceededError):
        step_bytes(network, task, TrainingConfig(), 0, np.arange(20), limit=needed - 1)
    step_bytes(network, task, TrainingConfig(), 0, np.arange(20), limit=needed)


def test_the_largest_batch_is_that_of_the_richest_samples(task):
    held = np.diff(task.studies.studies[0].abundances.indptr)
    study, samples = richest_samples(task, 3)
    assert study == 0
    assert sorted(held[samples]) == sorted(held[:20])[-3:]


def test_live_bytes_are_counted_once_for_each_storage():
    with LiveTensors() as live:
        one = torch.zeros(100)
        view = one[10:].view(9, 10)
        assert live.bytes == 400
        other = view * 2
        assert live.bytes == 400 + 4 * view.numel()
        del one, view
        assert live.bytes == 4 * other.numel()
    assert live.peak == 760


@pytest.mark.parametrize(
    ("line", "files", "limit"),
    [
        ("0::/job/step", {"job/memory.max": "5000", "job/step/memory.max": "max"}, 5000),
        ("4:cpu,memory:/job", {"memory/job/memory.limit_in_bytes": "700"}, 700),
        ("4:memory:/job", {"memory/memory.limit_in_bytes": "9223372036854771712"}, np.inf),
        ("3:cpuset:/job", {"cpuset/job/memory.max": "5"}, np.inf),
    ],
)
def test_the_limit_of_a_job_counts(tmp_path, line, files, limit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    (tmp_path / "groups").write_text(f"{line}\n")
    assert group_limit(tmp_path / "groups", tmp_path) == limit
    assert group_limit(tmp_path / "none", tmp_path) == np.inf


def test_there_is_some_memory_here():
    assert 2**28 < free_memory(torch.device("cpu")) < 2**50
