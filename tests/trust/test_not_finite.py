"""Row 10: what is not finite stops training soon, with step and remedy, and is never stored."""

import contextlib
import re
from functools import partial
from pathlib import Path
from unittest import mock

import biom
import numpy as np
import pytest
import qiime2
import torch
from golden_models import read_inputs
from safetensors.torch import load_file
from simulated_study import TINY_FIT, model_of
from trials import pick, repeat

from q2_aam.errors import AAMError
from q2_aam.training.heads import ridge
from q2_aam.training.trainer import CHECK_EVERY, Trainer

SETTINGS = TINY_FIT | {
    "epochs": 3, "batch_size": 1, "validation_size": 0.2, "pretrained": "bundled",
    "freeze_encoder": False,
}  # fmt: skip
NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.fixture(scope="module")
def inputs(golden):
    """A table, ages, and a tiny encoder to train on."""
    table, metadata = read_inputs(golden)
    encoder = qiime2.Artifact.load(str(golden / "encoder.qza"))
    return table.view(biom.Table), metadata.get_column("age").to_series(), encoder


@contextlib.contextmanager
def spoiled_after(at: int, spoil):
    """Let training run, and spoil something after a step; yields one entry a step taken."""
    steps, train_step = [], Trainer.train_step

    def step(trainer, *arguments):
        found = train_step(trainer, *arguments)
        steps.append(found)
        if len(steps) == at:
            spoil(trainer, found)
        return found

    with mock.patch.object(Trainer, "train_step", step):
        yield steps


def spoil_weight(random, trainer, found):
    weight = pick(random, trainer.weights)
    with torch.no_grad():
        weight.view(-1)[int(random.integers(weight.numel()))] = pick(random, NOT_FINITE)


def spoil_loss(random, trainer, found):
    found[pick(random, ["loss", "gradient_norm"])].fill_(pick(random, NOT_FINITE))


def spoiled_solution(inputs, values, *_):
    """Solve a ridge regression to nothing."""
    return np.full((values.shape[1], inputs.shape[1]), np.nan), np.zeros(values.shape[1])


def fit(aam, inputs, **settings):
    counts, ages, encoder = inputs
    table = qiime2.Artifact.import_data("FeatureTable[Frequency]", counts)
    ages = qiime2.NumericMetadataColumn(ages)
    return aam.fit_regressor(table, ages, encoder=encoder, **SETTINGS | settings)


def test_row_10_not_finite_weights_and_losses_stop_training(aam, inputs, tmp_path, monkeypatch):
    def check(random, number):
        runs = tmp_path / f"runs {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        at, spoil = int(random.integers(1, 30)), (spoil_weight, spoil_loss)[number % 2]
        with spoiled_after(at, partial(spoil, random)) as steps, pytest.raises(AAMError) as caught:
            fit(aam, inputs)
        message = str(caught.value)
        assert len(steps) - at < CHECK_EVERY, message
        epoch, step = map(int, re.search(r"epoch (\d+), step (\d+)", message).groups())
        assert abs((epoch - 1) * 13 + step - at) < CHECK_EVERY, message
        assert "'learning_rate'" in message
        assert len(message.splitlines()) <= 10
        check_states(runs)

    repeat(check, 4, 30, seed=10)


def check_states(runs: Path) -> None:
    """Hold every saved state to be finite."""
    for path in runs.glob("*/state.safetensors"):
        for name, tensor in load_file(path).items():
            assert not tensor.is_floating_point() or tensor.isfinite().all(), name


def spoil_counts(counts, ages, random):
    values = counts.matrix_data.toarray()
    places = random.integers(values.size, size=random.integers(1, 4))
    values.flat[places] = pick(random, [*NOT_FINITE, -1, 1e308, 1e300, 1e39])
    ids = counts.ids("observation"), counts.ids()
    return biom.Table(values, *ids), ages, {}


def spoil_targets(counts, ages, random):
    ages = ages.copy()
    value = pick(random, [*NOT_FINITE, 1e308, -1e308, 1e39, 1e-320])
    ages.iloc[random.integers(len(ages), size=random.integers(1, 4))] = value
    scaling = pick(random, ["none", "min-max", "z-score", "log-min-max"])
    return counts, ages, {"target_scaling": scaling}


def spoil_learning_rate(counts, ages, random):
    settings = {
        "learning_rate": 1.0, "gradient_clipping": 1e6, "optimizer": "sgd", "epochs": 20,
        "target_scaling": "none", "target_loss": "mse",
    }  # fmt: skip
    return counts, ages * 10.0 ** random.integers(2, 30), settings


def spoil_head(counts, ages, random):
    return counts, ages, {}


def test_row_10_not_finite_inputs_never_reach_a_model(aam, inputs, tmp_path, monkeypatch):
    kinds = [spoil_counts, spoil_targets, spoil_learning_rate, spoil_head]
    refused = []

    def check(random, number):
        runs = tmp_path / f"runs {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        kind = kinds[number % 4]
        counts, ages, settings = kind(*inputs[:2], random)
        refusal = None
        solve = spoiled_solution if kind is spoil_head else ridge.fit_ridge
        try:
            with mock.patch.object(ridge, "fit_ridge", solve):
                found = fit(aam, (counts, ages, inputs[2]), **settings | {"batch_size": 4})
        except (AAMError, ValueError) as error:
            refusal = str(error)
            framework = kind is spoil_targets and "infinity" in refusal
            assert isinstance(error, AAMError) or framework, repr(error)
            assert len(refusal.splitlines()) <= 10
        else:
            arrays = model_of(found.regressor)[1]
            assert all(np.isfinite(array).all() for array in arrays.values())
        assert refusal or kind is not spoil_head
        refused.append(refusal is not None)
        check_states(runs)

    repeat(check, 4, 50, seed=11)
    assert any(refused)
