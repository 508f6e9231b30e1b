"""A run is resumed only by a command that would give the same weights."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from simulated_study import describe_target, simulate_study, with_known_asvs

from q2_aam.config import Covariate, ModelConfig, TrainingConfig
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.model.network import Network
from q2_aam.training.checkpoint import fingerprint
from q2_aam.training.losses import Task
from q2_aam.training.sample_objective import SampleObjective


@pytest.fixture(scope="module")
def task():
    study = simulate_study(8, 20, 2, ids_are_dna=True)
    studies = with_known_asvs(build_studies([read_table(study.biom)], None, 60, 64))
    covariates = np.eye(8, 2, dtype=np.float32)
    one = dataclasses.replace(studies.studies[0], covariates=covariates)
    return Task(
        dataclasses.replace(studies, studies=(one,)), [np.arange(4)], [np.arange(4, 8)],
        np.arange(8.0), {"target": 1.0}, "target_loss", np.arange(8), np.ones(8, np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    target = describe_target(covariates=(Covariate("bmi"),))
    return Network(
        ModelConfig(hidden_size=8, heads=2, branches=6, max_sequence_length=60, target=target)
    )


def with_covariates(task):
    one = task.studies.studies[0]
    one = dataclasses.replace(one, covariates=one.covariates[::-1].copy())
    return dataclasses.replace(task, studies=dataclasses.replace(task.studies, studies=(one,)))


@pytest.mark.parametrize(
    "change",
    [
        with_covariates,
        lambda task: dataclasses.replace(task, targets=task.targets[::-1].copy()),
        lambda task: dataclasses.replace(task, groups=task.groups // 2),
        lambda task: dataclasses.replace(task, sample_weights=2 * task.sample_weights),
        lambda task: dataclasses.replace(task, training=task.validation),
    ],
)
def test_other_data_are_another_run(network, task, change):
    config = TrainingConfig()

    def name(task):
        return fingerprint(SampleObjective(network, task, config), config)

    assert name(task) == name(task)
    assert name(change(task)) != name(task)


def test_other_settings_or_weights_are_another_run(network, task):
    config = TrainingConfig()
    usual = fingerprint(SampleObjective(network, task, config), config)
    other = TrainingConfig(learning_rate=0.1)
    assert fingerprint(SampleObjective(network, task, other), other) != usual
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.asv_mean[0] += 1
    assert fingerprint(SampleObjective(changed, task, config), config) != usual
