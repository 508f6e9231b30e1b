"""Training logs: every loss and metric, pictures of predictions, who chose what, and no secrets."""

import getpass
import io
import os
import re
import socket

import numpy as np
import PIL.Image
import pytest
import quick_actions as quick
import simulated_study as sim
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from q2_aam.parameters import ARCHITECTURE, FITTING, PRETRAINING_SETTINGS
from q2_aam.types import AAMTrainingLogDirectoryFormat

OF_TRAINING_ALONE = {"learning_rate", "gradient_norm", "seconds", "samples_per_second"}
UNIFRAC_PICTURE = "unifrac_predicted_against_actual"
SCORES = {"target_loss", "unifrac_loss", "unifrac_r"}
ACTIONS = {  # metrics and pictures of each
    "number": (SCORES | {"mean_absolute_error"}, {"predicted_against_actual", UNIFRAC_PICTURE}),
    "classes": (SCORES | {"accuracy", "balanced_accuracy"}, {"confusion_matrix", UNIFRAC_PICTURE}),
    "pretrain": ({"unifrac_loss", "unifrac_r"}, {UNIFRAC_PICTURE}),
}


def fit(study, values=None, **given):
    """Fit and train the encoder, beside UniFrac."""
    beside = {"distance_matrix": study.distances, "freeze_encoder": False}
    return quick.fit(study, values, **sim.TINY_FIT | beside | given)


@pytest.fixture(scope="module")
def found(study):
    """Results of each action; the fit of a number with blanks and a group column."""
    ages, given = study.ages.where(study.ages.index > "S002"), {"validation_size": 0.3}
    classes = sim.by_age(study, (12,), ("milk", "solid"))
    return {
        "number": fit(study, ages, groups=study.subject_column, **given),
        "classes": fit(study, classes, **given),
        "pretrain": quick.pretrain(study, **given),
    }


def read_events(found) -> dict[str, EventAccumulator]:
    folder = found.training_log.view(AAMTrainingLogDirectoryFormat).path / "tensorboard"
    return {part: EventAccumulator(str(folder / part)).Reload() for part in ("train", "validation")}


@pytest.mark.parametrize("action", ACTIONS)
def test_8_1_every_loss_and_metric_has_both_curves_under_one_name(found, action):
    events, history = read_events(found[action]), sim.log_of(found[action]).history
    train, validation = (set(events[part].Tags()["scalars"]) for part in ("train", "validation"))
    assert train == validation | OF_TRAINING_ALONE
    assert ACTIONS[action][0] | {"loss"} <= validation
    assert sim.history_of(found[action]).index.tolist() == ["epoch 1", "epoch 2"]
    for part in ("train", "validation"):
        for name in validation - OF_TRAINING_ALONE:
            values = [event.value for event in events[part].Scalars(name)]
            assert values == pytest.approx(history[f"{part}_{name}"].tolist(), rel=1e-5)
            assert "_loss" not in name or min(values) > 0


@pytest.mark.parametrize("action", ACTIONS)
def test_8_4_predictions_of_validation_samples_are_shown(found, action):
    events, pictures = read_events(found[action]), ACTIONS[action][1]
    assert set(events["validation"].Tags()["images"]) == pictures
    assert events["train"].Tags()["images"] == []
    for name in pictures:
        (event,) = events["validation"].Images(name)
        assert event.step == sim.log_of(found[action]).summary["kept_epoch"]
        image = PIL.Image.open(io.BytesIO(event.encoded_image_string))
        assert min(image.size) >= 500
        assert np.asarray(image).std() > 5
        assert image.info == {}  # nothing but the picture
        assert len(event.encoded_image_string) < 300_000


def test_8_4_without_validation_the_training_samples_are_shown(study):
    events = read_events(quick.pretrain(study, validation_size=0.0))
    assert events["train"].Tags()["images"] == [UNIFRAC_PICTURE]
    assert events["validation"].Tags()["images"] == []


def test_8_4_what_is_shown_is_what_the_kept_model_scored(study, monkeypatch):
    from q2_aam.training import figures
    from q2_aam.training.objectives import objective_of

    seen, draw = [], figures.draw_predictions
    monkeypatch.setattr(
        figures, "draw_predictions", lambda shown, say: seen.append(shown) or draw(shown, say)
    )
    # all heads predict, as they do while they are scored
    monkeypatch.setattr("q2_aam.training.fit.surely_positive", lambda *given: True)
    fitted = fit(study, validation_size=0.3, epochs=3)
    history = sim.history_of(fitted)
    kept = history.loc[history["validation_target_loss"].iloc[1:].idxmin()]
    (shown,) = seen
    predicted, actual = shown.distances
    assert len(actual) == 6 * 5 / 2
    assert np.square(predicted - actual).mean() == pytest.approx(kept["validation_unifrac_loss"])
    scores = objective_of(shown.target).scores(shown.predictions, shown.targets)
    logged = sim.log_of(fitted).summary["scores"]["mean_absolute_error"]
    assert scores["mean_absolute_error"] == pytest.approx(logged)


def test_every_setting_in_force_is_kept_with_who_chose_it(found, descended):
    settings = sim.settings_of(descended)
    assert set(ARCHITECTURE) | set(FITTING) <= set(settings)
    assert len(settings) == len(sim.log_of(descended).settings)
    assert settings["epochs"] == (2, "user")
    assert settings["dropout"][1] == "default"
    assert {settings[name][1] for name in ARCHITECTURE} == {"encoder"}
    # of a new encoder
    settings = sim.settings_of(found["pretrain"])
    assert set(PRETRAINING_SETTINGS) - {"missing_samples", "pretrained"} <= set(settings)
    assert settings["asv_layers"][1] == "default"
    assert settings["max_sequence_length"] == (60, "automatic")
    listed = {one.name: one for one in sim.log_of(found["pretrain"]).settings}
    assert listed["max_sequence_length"].why


def test_data_used_and_dropped_are_counted(found):
    counts = sim.counts_of(found["number"])
    assert counts["samples dropped: blank in the metadata column 'age'"] == 3
    assert counts["samples used for training"] + counts["samples used for validation"] == 17
    data = sim.log_of(found["number"]).summary["data"]
    (dropped,) = (item for item in data if "blank" in item["what"])
    assert dropped["examples"] == ["S000", "S001", "S002"]


def test_no_file_names_the_host_the_user_or_a_path(found, tmp_path, tmp_path_factory):
    found["number"].training_log.export_data(str(tmp_path / "log"))
    words = {socket.gethostname(), os.getcwd(), str(tmp_path_factory.getbasetemp()), "/tmp/"}
    words |= {os.path.expanduser("~") + "/", f"/{getpass.getuser()}/"}
    files = [path for path in (tmp_path / "log").rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert socket.gethostname() not in path.name
        # pictures hold no text, and short words turn up in compressed pixels by chance
        content = re.sub(rb"\x89PNG.*?IEND", b"", path.read_bytes(), flags=re.DOTALL)
        for word in words:
            assert word.encode() not in content, (path.name, word)
