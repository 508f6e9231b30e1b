"""A run is resumed only by a command that would give the same weights."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from simulated_study import describe_target
from tasks import make_network, make_task

from q2_aam.config import Covariate, TrainingConfig
from q2_aam.training.checkpoint import digest_inputs, fingerprint
from q2_aam.training.evaluation import SampleObjective


@pytest.fixture(scope="module")
def task():
    found = make_task(
        8, 20, 2, training=[np.arange(4)], validation=[np.arange(4, 8)], groups=np.arange(8)
    )
    return with_study(found, covariates=np.eye(8, 2, dtype=np.float32))


@pytest.fixture(scope="module")
def network():
    return make_network(target=describe_target(covariates=(Covariate("bmi"),)))


def with_study(task, **changes):
    one = dataclasses.replace(task.studies.studies[0], **changes)
    return dataclasses.replace(task, studies=dataclasses.replace(task.studies, studies=(one,)))


def name_of(network, task, config=None):
    config = config or TrainingConfig()
    return fingerprint(digest_inputs(SampleObjective(network, task, config), config), network)


@pytest.mark.parametrize(
    "change",
    [
        lambda task: with_study(task, covariates=task.studies.studies[0].covariates[::-1].copy()),
        lambda task: with_study(task, distances=None),
        lambda task: with_study(task, abundances=2 * task.studies.studies[0].abundances),
        lambda task: with_study(task, sample_ids=tuple("abcdefgh")),
        lambda task: dataclasses.replace(task, targets=task.targets[::-1].copy()),
        lambda task: dataclasses.replace(task, groups=task.groups // 2),
        lambda task: dataclasses.replace(task, sample_weights=2 * task.sample_weights),
        lambda task: dataclasses.replace(task, training=task.validation),
        lambda task: dataclasses.replace(task, weights={"target": 1.0}),
    ],
)
def test_other_data_are_another_run(network, task, change):
    assert name_of(network, task) == name_of(network, task)
    assert name_of(network, change(task)) != name_of(network, task)


def test_other_settings_or_weights_are_another_run(network, task):
    usual = name_of(network, task)
    assert name_of(network, task, TrainingConfig(learning_rate=0.1)) != usual
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.asv_mean[0] += 1
    assert name_of(changed, task) != usual
