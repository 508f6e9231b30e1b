import io

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

from q2_aam.storage.training_log import TENSORBOARD_EVENTS
from q2_aam.training.tensorboard import Pictures, write_events


@pytest.fixture
def curves(tmp_path):
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "seconds": [0.5, 1.5],
            "learning_rate": [0.1, 0.2],
            "train_target_loss": [3.0, 2.0],
            "validation_target_loss": [4.0, np.nan],
        }
    )
    write_events(tmp_path, history)
    found = {}
    for part in ("train", "validation"):
        accumulator = EventAccumulator(str(tmp_path / "tensorboard" / part))
        accumulator.Reload()
        found[part] = {
            name: [(event.step, round(event.value, 4)) for event in accumulator.Scalars(name)]
            for name in accumulator.Tags()["scalars"]
        }
    return found


def test_a_loss_has_one_name_in_training_and_validation(curves):
    assert curves["train"]["target_loss"] == [(1, 3.0), (2, 2.0)]
    assert curves["validation"]["target_loss"] == [(1, 4.0)]


def test_what_belongs_to_neither_stands_with_training(curves):
    assert curves["train"]["learning_rate"] == [(1, 0.1), (2, 0.2)]
    assert set(curves["validation"]) == {"target_loss"}


HISTORY = pd.DataFrame({"epoch": [1, 2], "seconds": [0.5, 1.5], "train_loss": [3.0, 2.0]})


def events_of(folder, part):
    accumulator = EventAccumulator(str(folder / "tensorboard" / part))
    accumulator.Reload()
    return accumulator


@pytest.mark.parametrize("part", ["train", "validation"])
def test_8_4_pictures_stand_with_the_samples_that_they_show(tmp_path, part):
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    write_events(tmp_path, HISTORY, Pictures(part, 2, {"predicted": image}))
    other = {"train": "validation", "validation": "train"}[part]
    assert events_of(tmp_path, other).Tags()["images"] == []
    (event,) = events_of(tmp_path, part).Images("predicted")
    assert (event.step, event.wall_time) == (2, 2.0)
    decoded = PIL.Image.open(io.BytesIO(event.encoded_image_string))
    assert np.array_equal(np.asarray(decoded), image)


def test_the_same_history_gives_the_same_events(tmp_path):
    image = np.zeros((4, 5, 3), dtype=np.uint8)
    found = []
    for name in ("one", "other"):
        write_events(tmp_path / name, HISTORY, Pictures("train", 1, {"predicted": image}))
        path = tmp_path / name / TENSORBOARD_EVENTS["train"]
        records = list(RawEventFileLoader(str(path)).Load())
        found.append(records[1:])  # the first says when the file was made
    assert len(found[0]) == 5
    assert found[0] == found[1]
