"""What is printed of each epoch, and what half precision's skipped steps do to it."""

import os
import re

import numpy as np
import pytest
import torch
from quick_actions import pretrain
from simulated_study import TINY_FIT, history_of

from q2_aam.training import device
from q2_aam.training.logger import TrainingLogger


def test_8_10_progress_shows_every_loss_the_learning_rate_and_the_time_left(aam, study, capfd):
    found = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences,
        distance_matrix=study.distances, **TINY_FIT,
    )  # fmt: skip
    printed = capfd.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("epoch ")]
    assert "The attention head is trained" in printed.split("epoch 1/2")[0]
    assert "predictions: " in printed.split("epoch 2/2")[1]
    history = history_of(found)
    assert len(lines) == len(history) == 2
    for number, (line, (_, row)) in enumerate(zip(lines, history.iterrows(), strict=True), 1):
        assert line.startswith(f"epoch {number}/2  ")
        for name in ("loss", "unifrac_loss", "target_loss"):
            train, validation = row[f"train_{name}"], row[f"validation_{name}"]
            assert f"  {name} {train:.4g} (validation {validation:.4g})" in line, name
        assert f"  learning rate {row['learning_rate']:.2g}" in line
        assert bool(re.search(r"at most [1-9]\d*(\.\d min| s) left", line)) == (number < 2)
        assert "skipped" not in line
    aam.fit_regressor(study.table, study.age_column, sequences=study.sequences, **TINY_FIT)
    hints = re.findall("tensorboard --logdir (.*)", printed + capfd.readouterr().out)
    assert hints == [os.environ["Q2_AAM_RUN_DIR"]]  # one, though a pipeline fits several times


@pytest.fixture
def half_precision(monkeypatch):
    """Train in fp16 with a loss scale that is too large to begin with, on the CPU."""
    build = device.build_accelerator

    def build_in_half(*arguments):
        accelerator = build(*arguments)
        accelerator.state._mixed_precision, accelerator.native_amp = "fp16", True
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**21)
        return accelerator

    monkeypatch.setattr(device, "build_accelerator", build_in_half)


def test_8_7_skipped_steps_of_fp16_are_counted_and_stop_nothing(study, half_precision, capfd):
    history = history_of(pretrain(study, epochs=9))
    skipped = history["skipped_steps"]
    assert skipped.iloc[0] > 0
    assert skipped.iloc[-1] == 0
    assert np.isfinite(history).all(axis=None)
    assert (history["gradient_norm"][skipped == 0] > 0).all()
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("epoch ")]
    for line, number in zip(lines, skipped, strict=True):
        assert (f"{number:.0f} step" in line) == (number > 0)
        assert ("skipped (normal in fp16)" in line) == (number > 0)


@pytest.mark.parametrize("epochs_done", [0, 2])
def test_an_interrupted_run_says_how_to_go_on(study, monkeypatch, capfd, epochs_done):
    def interrupt(logger, progress):
        if len(progress.history) == epochs_done:
            raise KeyboardInterrupt

    def at_a_step(logger, step, steps):
        if not epochs_done:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLogger, "on_epoch", interrupt)
    monkeypatch.setattr(TrainingLogger, "on_step", at_a_step)
    with pytest.raises(KeyboardInterrupt):
        pretrain(study, epochs=5)
    how = "the same command resumes after epoch 2" if epochs_done else "nothing was saved"
    assert f"Interrupted: {how}" in capfd.readouterr().out
