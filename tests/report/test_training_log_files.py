import numpy as np
import pandas as pd
import pytest
import qiime2

from q2_aam.errors import AAMError
from q2_aam.storage import training_log as logs
from q2_aam.storage.manifest import read_json
from q2_aam.storage.training_log import FILES, HISTORY, SETTINGS, SUMMARY, TENSORBOARD_EVENTS
from q2_aam.types import AAMTrainingLogDirectoryFormat


@pytest.fixture
def folder(tmp_path):
    columns = {"epoch": [1, 2], "train_loss": [0.1, 1 / 3], "gradient_norm": [np.inf, np.nan]}
    history = pd.DataFrame(columns, index=["epoch 1", "epoch 2"])
    settings = [logs.Setting("epochs", np.int64(2), "user", "because")]
    for name in TENSORBOARD_EVENTS.values():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"events")
    logs.write_training_log(tmp_path, logs.TrainingLog(history, settings, {"kept_epoch": 2}))
    return tmp_path


def test_a_log_reads_back_as_it_was_written_also_as_metadata_and_without_epochs(folder):
    log = logs.read_training_log(folder)
    assert log.history["train_loss"].tolist() == [0.1, 1 / 3]
    assert log.history["gradient_norm"].isna().all()
    assert log.settings == [logs.Setting("epochs", 2, "user", "because")]
    assert log.summary == {"kept_epoch": 2}
    metadata = qiime2.Metadata.load(str(folder / HISTORY))
    assert metadata.ids == ("epoch 1", "epoch 2")
    assert metadata.get_column("train_loss").to_series().tolist() == [0.1, 1 / 3]
    logs.write_training_log(folder, logs.TrainingLog(log.history.iloc[:0], log.settings, {}))
    without_epochs = logs.read_training_log(folder).history
    assert (len(without_epochs), list(without_epochs)) == (0, list(log.history))


def test_a_log_that_was_trained_has_sums(fitted):
    view = fitted.training_log.view(AAMTrainingLogDirectoryFormat)
    assert sorted(read_json(view.path / "manifest.json")) == sorted(FILES)


def test_writing_refuses_what_json_cannot_hold(folder):
    log = logs.read_training_log(folder)
    with pytest.raises(ValueError):
        logs.write_training_log(folder, logs.TrainingLog(log.history, [], {"kept_epoch": np.nan}))


@pytest.mark.parametrize("name", [HISTORY, SETTINGS, SUMMARY, *TENSORBOARD_EVENTS.values()])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(AAMError, match="lacks .*" + name.replace(".", r"\.")):
        logs.read_training_log(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (HISTORY, "", "column 'id'"),
        (HISTORY, "id\ttrain_loss\nepoch 1\t0.1\n", "no epochs"),
        (SUMMARY, '{"heads": [{"name": "ridge"}]}', "without exactly 'name', 'weight'"),
        (SUMMARY, '{"heads": [{"name": "a", "weight": "all", "scores": {}}]}', "under 'weight'"),
        (SUMMARY, '{"sample_ids": "all"}', "under 'sample_ids'"),
        (HISTORY, "id\tepoch\nepoch 1\tone\n", "text in the columns 'epoch'"),
        (HISTORY, "id\tepoch\tx\nepoch 1\t\t1\n", "without an epoch"),
        (SETTINGS, "{}", "not a list"),
        (SETTINGS, '[{"name": "epochs"}]', "without exactly"),
        (SETTINGS, '[{"name": "a", "value": 1, "chosen_by": "I", "why": ""}]', "who chose 'a'"),
        (SUMMARY, "[]", "not a table"),
        (SUMMARY, "{", "not valid JSON"),
        (SUMMARY, '{"kept_epoch": NaN}', "not valid JSON"),
        (SUMMARY, '{"data": [{"what": "x"}]}', "without 'what' and 'count'"),
        (SUMMARY, '{"model": "large"}', "under 'model'"),
        (SUMMARY, '{"kept_epoch": "last"}', "under 'kept_epoch'"),
        (SUMMARY, '{"target": {"training_mean": "high"}}', "under 'training_mean'"),
        (SUMMARY, '{"target": {"training_counts": {"a": "many"}}}', "under 'a'"),
        (SUMMARY, "[" * 100_000, "not valid JSON"),
    ],
)
def test_damage_is_explained(folder, name, content, message):
    (folder / name).write_text(content)
    with pytest.raises(AAMError, match=message):
        logs.read_training_log(folder)
