import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from q2_aam.training.tensorboard import write_events


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
