"""A run is resumed only by a command that would give the same weights."""

import copy
import dataclasses

import numpy as np
import pytest
from simulated_study import describe_target
from tasks import make_network, make_task

from q2_aam.config.target import Covariate
from q2_aam.config.training import TrainingConfig
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


def test_other_data_settings_or_weights_are_another_run(network, task):
    one, usual = task.studies.studies[0], name_of(network, task)
    others = [
        *(with_study(task, **change) for change in (
            {"covariates": one.covariates[::-1].copy()}, {"distances": None},
            {"abundances": 2 * one.abundances}, {"sample_ids": tuple("abcdefgh")})),
        *(dataclasses.replace(task, **change) for change in (
            {"targets": task.targets[::-1].copy()}, {"groups": task.groups // 2},
            {"sample_weights": 2 * task.sample_weights}, {"training": task.validation},
            {"weights": {"target": 1.0}})),
    ]  # fmt: skip
    changed = copy.deepcopy(network)
    changed.asv_mean[0] += 1
    names = [usual, name_of(network, task, TrainingConfig(learning_rate=0.1))]
    names += [name_of(changed, task), *(name_of(network, other) for other in others)]
    assert usual == name_of(network, task)
    assert len(set(names)) == len(names)
