"""TensorBoard holds every loss and metric of both kinds of samples, and pictures of predictions."""

import io

import numpy as np
import PIL.Image
import pytest
import quick_actions as quick
from simulated_study import TINY_FIT, by_age, history_of, log_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from q2_aam.types import AAMTrainingLogDirectoryFormat

OF_TRAINING_ALONE = {"learning_rate", "gradient_norm", "seconds", "samples_per_second"}
UNIFRAC_PICTURE = "unifrac_predicted_against_actual"
ACTIONS = {  # metrics and pictures of each
    "number": ({"unifrac_r", "mean_absolute_error"}, {"predicted_against_actual", UNIFRAC_PICTURE}),
    "classes": ({"accuracy", "balanced_accuracy"}, {"confusion_matrix"}),
    "pretrain": ({"unifrac_r"}, {UNIFRAC_PICTURE}),
}


def fit_number(study, **given):
    beside = {"distance_matrix": study.distances, "freeze_encoder": False}
    return quick.fit(study, **TINY_FIT | beside | given)


@pytest.fixture(scope="module")
def logs(study):
    """The log of each action, and its events."""
    classes = by_age(study, (12,), ("milk", "solid"))
    found = {
        "number": fit_number(study, validation_size=0.3),
        "classes": quick.fit(study, classes, **TINY_FIT | {"validation_size": 0.3}),
        "pretrain": quick.pretrain(study, validation_size=0.3),
    }
    return {name: (log_of(one), read_events(one)) for name, one in found.items()}


def read_events(found) -> dict[str, EventAccumulator]:
    folder = found.training_log.view(AAMTrainingLogDirectoryFormat).path / "tensorboard"
    return {part: EventAccumulator(str(folder / part)).Reload() for part in ("train", "validation")}


@pytest.mark.parametrize("action", ACTIONS)
def test_8_1_every_loss_and_metric_has_both_curves_under_one_name(logs, action):
    (log, events), metrics = logs[action], ACTIONS[action][0]
    train, validation = (set(events[part].Tags()["scalars"]) for part in ("train", "validation"))
    assert train == validation | OF_TRAINING_ALONE
    assert metrics | {"loss"} <= validation
    for part in ("train", "validation"):
        for name in validation - OF_TRAINING_ALONE:
            found = [event.value for event in events[part].Scalars(name)]
            assert found == pytest.approx(log.history[f"{part}_{name}"].tolist(), rel=1e-5)


@pytest.mark.parametrize("action", ACTIONS)
def test_8_4_predictions_of_validation_samples_are_shown(logs, action):
    (log, events), pictures = logs[action], ACTIONS[action][1]
    assert set(events["validation"].Tags()["images"]) == pictures
    assert events["train"].Tags()["images"] == []
    for name in pictures:
        (event,) = events["validation"].Images(name)
        assert event.step == log.summary["kept_epoch"]
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
    fitted = fit_number(study, validation_size=0.3, epochs=3)
    history = history_of(fitted)
    kept = history.loc[history["validation_target_loss"].iloc[1:].idxmin()]
    (shown,) = seen
    predicted, actual = shown.distances
    assert len(actual) == 6 * 5 / 2
    assert np.square(predicted - actual).mean() == pytest.approx(kept["validation_unifrac_loss"])
    scores = objective_of(shown.target).scores(shown.predictions, shown.targets)
    logged = log_of(fitted).summary["scores"]["mean_absolute_error"]
    assert scores["mean_absolute_error"] == pytest.approx(logged)
