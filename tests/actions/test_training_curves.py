"""TensorBoard holds every loss and metric of both kinds of samples, and pictures of predictions."""

import io

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import qiime2
from simulated_study import TINY, TINY_FIT, log_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

OF_TRAINING_ALONE = {"learning_rate", "gradient_norm", "seconds", "samples_per_second"}
UNIFRAC_PICTURE = "unifrac_predicted_against_actual"


def fit_number(aam, study, **given):
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences,
        distance_matrix=study.distances, freeze_encoder=False, **TINY_FIT | given,
    )  # fmt: skip


def fit_classes(aam, study, **given):
    young = pd.Series(np.where(study.ages < 12, "milk", "solid"), study.ages.index, name="diet")
    return aam.fit_classifier(
        study.table, qiime2.CategoricalMetadataColumn(young), sequences=study.sequences,
        **TINY_FIT | given,
    )  # fmt: skip


def pretrain(aam, study, **given):
    return aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences], **TINY | given
    )


ACTIONS = {"number": fit_number, "classes": fit_classes, "pretrain": pretrain}


@pytest.fixture(scope="module")
def logs(aam, study, tmp_path_factory):
    """Logs of all three actions, and the events of each."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("curves")))
        for name, action in ACTIONS.items():
            log = action(aam, study, validation_size=0.3).training_log
            found[name] = (log.view(qiime2.Metadata).to_dataframe(), read_events(log))
    return found


def read_events(log) -> dict[str, EventAccumulator]:
    from q2_aam.types import AAMTrainingLogDirectoryFormat

    folder = log.view(AAMTrainingLogDirectoryFormat)
    found = {}
    for part in ("train", "validation"):
        found[part] = EventAccumulator(str(folder.path / "tensorboard" / part))
        found[part].Reload()
    return found


@pytest.mark.parametrize(
    ("action", "metrics"),
    [
        ("number", {"unifrac_r", "mean_absolute_error"}),
        ("classes", {"accuracy", "balanced_accuracy"}),
        ("pretrain", {"unifrac_r"}),
    ],
)
def test_8_1_every_loss_and_metric_has_both_curves_under_one_name(logs, action, metrics):
    history, events = logs[action]
    train, validation = (set(events[part].Tags()["scalars"]) for part in ("train", "validation"))
    assert train == validation | OF_TRAINING_ALONE
    assert metrics <= validation
    for part in ("train", "validation"):
        for name in metrics:
            found = [event.value for event in events[part].Scalars(name)]
            assert found == pytest.approx(history[f"{part}_{name}"].tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("action", "pictures"),
    [
        ("number", {"predicted_against_actual", UNIFRAC_PICTURE}),
        ("classes", {"confusion_matrix"}),
        ("pretrain", {UNIFRAC_PICTURE}),
    ],
)
def test_8_4_predictions_of_validation_samples_are_shown(logs, action, pictures):
    _, events = logs[action]
    assert set(events["validation"].Tags()["images"]) == pictures
    assert events["train"].Tags()["images"] == []
    for name in pictures:
        (event,) = events["validation"].Images(name)
        image = PIL.Image.open(io.BytesIO(event.encoded_image_string))
        assert min(image.size) >= 500
        assert np.asarray(image).std() > 5
        assert image.info == {}  # nothing but the picture
        assert len(event.encoded_image_string) < 300_000


def test_8_4_without_validation_the_training_samples_are_shown(aam, study):
    events = read_events(pretrain(aam, study, validation_size=0.0).training_log)
    assert events["train"].Tags()["images"] == [UNIFRAC_PICTURE]
    assert events["validation"].Tags()["images"] == []


def test_8_4_what_is_shown_is_what_the_kept_model_scored(aam, study, monkeypatch):
    from q2_aam.training import figures

    seen = []
    draw = figures.draw_predictions

    def spy(shown, say):
        seen.append(shown)
        return draw(shown, say)

    monkeypatch.setattr(figures, "draw_predictions", spy)
    # all heads answer, as they do while they are scored
    monkeypatch.setattr("q2_aam.training.fit.surely_positive", lambda *given: True)
    fitted = fit_number(aam, study, validation_size=0.3, epochs=3)
    history = fitted.training_log.view(qiime2.Metadata).to_dataframe()
    (shown,) = seen
    kept = history.loc[history["validation_target_loss"].iloc[1:].idxmin()]
    predicted, actual = shown.distances
    assert len(actual) == 6 * 5 / 2
    assert np.square(predicted - actual).mean() == pytest.approx(kept["validation_unifrac_loss"])
    from q2_aam.training.objectives import objective_of

    scores = objective_of(shown.target).scores(shown.predictions, shown.targets)
    logged = log_of(fitted).summary["scores"]["mean_absolute_error"]
    assert scores["mean_absolute_error"] == pytest.approx(logged)
