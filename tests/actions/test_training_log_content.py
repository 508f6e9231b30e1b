"""What a training log tells, and what it must not tell."""

import getpass
import os
import re
import socket

import pytest
import qiime2
import quick_actions as quick
from simulated_study import DESCENT, counts_of, log_of

from q2_aam.parameters import ARCHITECTURE, FITTING, PRETRAINING_SETTINGS


@pytest.fixture(scope="module")
def found(study, pretrained):
    """Results of a fit that descends, with blanks and a group column."""
    return quick.fit(
        study, study.ages.where(study.ages.index > "S002"), groups=study.subject_column,
        distance_matrix=study.distances, freeze_encoder=False, encoder=pretrained.encoder,
        **DESCENT,
    )  # fmt: skip


def test_the_history_is_metadata_with_one_row_an_epoch(aam, found):
    history = found.training_log.view(qiime2.Metadata)
    assert history.ids == ("epoch 1", "epoch 2")
    frame = history.to_dataframe()
    for part in ("train", "validation"):
        for loss in ("loss", "unifrac_loss", "target_loss"):
            assert (frame[f"{part}_{loss}"] > 0).all(), (part, loss)
    assert (frame["validation_mean_absolute_error"] > 0.5).all()
    assert {"learning_rate", "gradient_norm", "samples_per_second"} <= set(frame)
    assert aam.summarize_training(found.training_log).visualization is not None


def test_every_setting_in_force_is_kept_with_who_chose_it(found, pretrained):
    log = log_of(found)
    settings = {setting.name: setting for setting in log.settings}
    assert set(ARCHITECTURE) | set(FITTING) <= set(settings)
    assert len(settings) == len(log.settings)
    assert (settings["epochs"].value, settings["epochs"].chosen_by) == (2, "user")
    assert settings["dropout"].chosen_by == "default"
    assert {settings[name].chosen_by for name in ARCHITECTURE} == {"encoder"}
    # of a new encoder
    settings = {setting.name: setting for setting in log_of(pretrained).settings}
    assert set(PRETRAINING_SETTINGS) - {"missing_samples", "pretrained"} <= set(settings)
    assert settings["asv_layers"].chosen_by == "default"
    length = settings["max_sequence_length"]
    assert (length.value, length.chosen_by) == (60, "automatic")
    assert length.why


def test_data_used_and_dropped_are_counted(found):
    counts = counts_of(found)
    assert counts["samples dropped: blank in the metadata column 'age'"] == 3
    assert counts["samples used for training"] + counts["samples used for validation"] == 17
    (dropped,) = (item for item in log_of(found).summary["data"] if "blank" in item["what"])
    assert dropped["examples"] == ["S000", "S001", "S002"]


def test_no_file_names_the_host_the_user_or_a_path(found, tmp_path, tmp_path_factory):
    found.training_log.export_data(str(tmp_path / "log"))
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
