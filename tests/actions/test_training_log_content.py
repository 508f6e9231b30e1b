"""What a training log tells, and what it must not tell."""

import getpass
import os
import re
import socket

import pytest
import qiime2
from simulated_study import DESCENT, QUICK_FIT, log_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from q2_aam.parameters import ARCHITECTURE, FITTING, PRETRAINING_SETTINGS
from q2_aam.storage.training_log import read_training_log


@pytest.fixture(scope="module")
def training_log(aam, study, pretrained, tmp_path_factory):
    """Log of a fit that descends, with blanks and a group column."""
    ages = study.ages.copy()
    ages.iloc[:3] = float("nan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("log")))
        return aam.fit_regressor(
            study.table, qiime2.NumericMetadataColumn(ages), sequences=study.sequences,
            groups=study.subject_column, distance_matrix=study.distances, freeze_encoder=False,
            encoder=pretrained.encoder, **QUICK_FIT | DESCENT,
        ).training_log  # fmt: skip


@pytest.fixture(scope="module")
def folder(training_log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "log"
    training_log.export_data(str(folder))
    return folder


@pytest.fixture(scope="module")
def log(folder):
    return read_training_log(folder)


def test_the_history_is_metadata_with_one_row_an_epoch(training_log):
    history = training_log.view(qiime2.Metadata)
    assert history.ids == ("epoch 1", "epoch 2")
    frame = history.to_dataframe()
    for part in ("train", "validation"):
        for loss in ("loss", "unifrac_loss", "target_loss"):
            assert (frame[f"{part}_{loss}"] > 0).all(), (part, loss)
    assert (frame["validation_mean_absolute_error"] > 0.5).all()
    assert {"learning_rate", "gradient_norm", "samples_per_second"} <= set(frame)


def test_every_setting_in_force_is_kept_with_who_chose_it(log):
    settings = {setting.name: setting for setting in log.settings}
    assert set(ARCHITECTURE) | set(FITTING) <= set(settings)
    assert len(settings) == len(log.settings)
    assert (settings["epochs"].value, settings["epochs"].chosen_by) == (2, "user")
    assert settings["dropout"].chosen_by == "default"
    assert {settings[name].chosen_by for name in ARCHITECTURE} == {"encoder"}


def test_the_log_of_a_new_encoder_says_who_chose_its_architecture(pretrained):
    settings = {setting.name: setting for setting in log_of(pretrained).settings}
    assert set(PRETRAINING_SETTINGS) - {"missing_samples", "pretrained"} <= set(settings)
    assert settings["asv_layers"].chosen_by == "default"
    length = settings["max_sequence_length"]
    assert (length.value, length.chosen_by) == (60, "automatic")
    assert length.why


def test_the_log_of_a_fit_in_closed_form_says_what_predictions_come_from(fitted, mixed_study):
    log = log_of(fitted)
    assert not len(log.history)
    assert log.summary["sample_ids"] == sorted(mixed_study.counts.index)
    assert {head["name"] for head in log.summary["heads"]} == {"ridge", "forest"}
    assert sum(head["weight"] for head in log.summary["heads"]) == pytest.approx(1)
    assert log.summary["scores"]["mean_absolute_error"] > 0


def test_data_used_and_dropped_are_counted(log):
    counts = {item["what"]: item["count"] for item in log.summary["data"]}
    assert counts["samples dropped: blank in the metadata column 'age'"] == 3
    used = counts["samples used for training"] + counts["samples used for validation"]
    assert used == 17
    dropped = next(item for item in log.summary["data"] if "blank" in item["what"])
    assert dropped["examples"] == ["S000", "S001", "S002"]


def test_no_file_names_the_host_the_user_or_a_path(folder, tmp_path_factory):
    words = {socket.gethostname(), os.getcwd(), str(tmp_path_factory.getbasetemp()), "/tmp/"}
    words |= {os.path.expanduser("~") + "/", f"/{getpass.getuser()}/"}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert socket.gethostname() not in path.name
        # pictures hold no text, and short words turn up in compressed pixels by chance
        content = re.sub(rb"\x89PNG.*?IEND", b"", path.read_bytes(), flags=re.DOTALL)
        for word in words:
            assert word.encode() not in content, (path.name, word)


@pytest.mark.parametrize("loss", ["loss", "unifrac_loss", "target_loss"])
def test_tensorboard_draws_training_and_validation_under_one_name(folder, log, loss):
    for part in ("train", "validation"):
        events = EventAccumulator(str(folder / "tensorboard" / part))
        events.Reload()
        found = [event.value for event in events.Scalars(loss)]
        assert found == pytest.approx(log.history[f"{part}_{loss}"].tolist(), rel=1e-5)


def test_the_log_is_summarised(aam, training_log):
    assert aam.summarize_training(training_log).visualization is not None
