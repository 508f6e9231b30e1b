"""What is printed of each epoch, and TensorBoard's curves and figures."""

import os
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from quick_actions import pretrain
from simulated_study import TINY_FIT, describe_classes, describe_target, history_of
from sklearn import metrics
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

from q2_aam.storage.training_log import TENSORBOARD_EVENTS
from q2_aam.training import device
from q2_aam.training.evaluation import FinalPredictions
from q2_aam.training.figures import draw_predictions, write_events
from q2_aam.training.logger import TrainingLogger

NAMES = ("cost $5$ <b>", "$\\frac{", "naïve ☃ and very long indeed")
HISTORY = pd.DataFrame({
    "epoch": [1, 2], "seconds": [0.5, 1.5], "learning_rate": [0.1, 0.2],
    "train_target_loss": [3.0, 2.0], "validation_target_loss": [4.0, np.nan],
})  # fmt: skip


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


def classified():
    random = np.random.default_rng(0)
    actual = random.integers(0, 3, 60)
    predictions = 0.3 * np.eye(3)[actual] + random.random((60, 3))
    target = describe_classes(classes=NAMES, counts=(1, 1, 1), name="$ target $_")
    return FinalPredictions("validation", 60, target, predictions, actual)


def regressed():
    random = np.random.default_rng(0)
    actual = random.random(60)
    predictions = actual[:, None] + random.normal(0, 0.1, (60, 1))
    target = describe_target(scaling="min-max", scale=24.0, maximum=24.0, name=NAMES[1])
    pairs = (random.random(9000), random.random(9000))
    return FinalPredictions("train", 60, target, predictions, actual, pairs)


def titles_of(final) -> list[str]:
    return [figure.axes[0].get_title() for figure in draw_predictions(final, print).values()]


def test_a_loss_has_one_name_in_both_runs_and_the_rest_stands_with_training(tmp_path):
    write_events(tmp_path, HISTORY)
    curves = {"train": {}, "validation": {}}
    for part, found in curves.items():
        events = EventAccumulator(str(tmp_path / "tensorboard" / part)).Reload()
        for name in events.Tags()["scalars"]:
            found[name] = [(event.step, round(event.value, 4)) for event in events.Scalars(name)]
    assert curves == {
        "train": {
            "seconds": [(1, 0.5), (2, 1.5)], "learning_rate": [(1, 0.1), (2, 0.2)],
            "target_loss": [(1, 3.0), (2, 2.0)],
        },
        "validation": {"target_loss": [(1, 4.0)]},
    }  # fmt: skip


@pytest.mark.parametrize("make", [classified, regressed])
def test_the_same_history_and_predictions_give_the_same_events(tmp_path, make):
    found = []
    for name in ("one", "other"):
        write_events(tmp_path / name, HISTORY, draw_predictions(make(), print), "train", 1)
        path = tmp_path / name / TENSORBOARD_EVENTS["train"]
        records = list(RawEventFileLoader(str(path)).Load())
        found.append(records[1:])  # the first says when the file was made
    assert len(found[0]) > 6
    assert found[0] == found[1]


def test_8_4_the_confusion_matrix_tells_its_scores():
    final = classified()
    accuracy = metrics.accuracy_score(final.targets, final.predictions.argmax(axis=1))
    (title,) = titles_of(final)
    assert f"accuracy {accuracy:.3f}, precision 0." in title
    assert "60 validation samples" in title
    classes = tuple(f"class {number:03d}" for number in range(60))  # too many for their names
    target = describe_classes(classes=classes, counts=(1,) * 60)
    many = FinalPredictions("validation", 60, target, np.eye(60), np.arange(60))
    assert "accuracy 1.000" in titles_of(many)[0]


def test_8_4_values_are_drawn_in_original_units():
    final = regressed()
    of_values, of_distances = titles_of(final)
    predicted, actual = 24 * final.predictions[:, 0], 24 * final.targets
    r2 = metrics.r2_score(actual, predicted)
    assert f"R² {r2:.3f}, MAE {np.abs(predicted - actual).mean():.3g}" in of_values
    assert "60 training samples" in of_values
    assert "9,000 pairs of training samples" in of_distances
    figures = draw_predictions(final, print).values()
    drawn = [figure.axes[0].collections[0].get_offsets() for figure in figures]
    assert np.allclose(drawn[0], np.stack([predicted, actual], axis=1))
    assert len(drawn[1]) == 4000
    alone = FinalPredictions("validation", 1, describe_target(), np.ones((1, 1)), np.ones(1))
    assert titles_of(alone) == ["R² –, MAE 0\n1 validation samples"]


def test_training_goes_on_without_matplotlib_and_says_so_once(monkeypatch):
    for name in ["matplotlib", *(one for one in sys.modules if one.startswith("matplotlib."))]:
        monkeypatch.setitem(sys.modules, name, None)
    messages = []
    assert draw_predictions(regressed(), messages.append) == {}
    assert draw_predictions(FinalPredictions("train", 3), messages.append) == {}
    assert len(messages) == 1
    assert "matplotlib is not installed" in messages[0]
