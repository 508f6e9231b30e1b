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
KINDS = ["counts", "targets", "learning rate", "head"]


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


def spoil_weight_that_no_loss_reads(random, trainer, found):
    trainer.network.nucleotide_head.output.bias.data[0] = pick(random, NOT_FINITE)


def spoil_loss(random, trainer, found):
    found[pick(random, ["loss", "gradient_norm"])].fill_(pick(random, NOT_FINITE))


SPOILERS = (spoil_weight, spoil_loss, spoil_weight_that_no_loss_reads)


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
        at, spoil = int(random.integers(1, 30)), SPOILERS[number % len(SPOILERS)]
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


def spoil(kind: str, counts, ages, random):
    """Return a table, ages and settings, of which something is not finite or leads there."""
    few, settings = {"size": random.integers(1, 4)}, {"batch_size": 4}
    match kind:
        case "counts":
            values = counts.matrix_data.toarray()
            odd = pick(random, [*NOT_FINITE, -1, 1e308, 1e300, 1e39])
            values.flat[random.integers(values.size, **few)] = odd
            counts = biom.Table(values, counts.ids("observation"), counts.ids())
        case "targets":
            ages = ages.copy()
            odd = pick(random, [*NOT_FINITE, 1e308, -1e308, 1e39, 1e-320])
            ages.iloc[random.integers(len(ages), **few)] = odd
            scalings = ["none", "min-max", "z-score", "log-min-max"]
            settings["target_scaling"] = pick(random, scalings)
        case "learning rate":
            ages = ages * 10.0 ** random.integers(2, 30)
            settings |= {
                "learning_rate": 1.0, "gradient_clipping": 1e6, "optimizer": "sgd", "epochs": 20,
                "target_scaling": "none", "target_loss": "mse",
            }  # fmt: skip
    return counts, ages, settings


def test_row_10_not_finite_inputs_never_reach_a_model(aam, inputs, tmp_path, monkeypatch):
    refused = []

    def check(random, number):
        runs = tmp_path / f"runs {number}"
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(runs))
        kind, refusal = KINDS[number % 4], None
        counts, ages, settings = spoil(kind, *inputs[:2], random)
        solve = spoiled_solution if kind == "head" else ridge.fit_ridge
        try:
            with mock.patch.object(ridge, "fit_ridge", solve):
                found = fit(aam, (counts, ages, inputs[2]), **settings)
        except (AAMError, ValueError) as error:
            refusal = str(error)
            framework = kind == "targets" and "infinity" in refusal
            assert isinstance(error, AAMError) or framework, repr(error)
            assert len(refusal.splitlines()) <= 10
        else:
            arrays = model_of(found.regressor)[1]
            assert all(np.isfinite(array).all() for array in arrays.values())
        assert refusal or kind != "head"
        refused.append(refusal is not None)
        check_states(runs)

    repeat(check, 4, 50, seed=11)
    assert any(refused)
