"""The training log on disk and as a page, and the page of a curve of learning rates."""

import re
import zipfile

import numpy as np
import page_reading as pages
import pandas as pd
import pytest
import qiime2
from page_reading import HOSTILE, Page, make_history, make_log_folder, make_rate_curve

from q2_aam.actions.evaluate import summarize_training
from q2_aam.config.target import FUSIONS, SCALINGS, TARGET_LOSSES
from q2_aam.config.training import CLASS_WEIGHTS
from q2_aam.errors import AAMError
from q2_aam.report import learning_rate, training
from q2_aam.storage import training_log as logs
from q2_aam.storage.manifest import read_json
from q2_aam.storage.training_log import HISTORY, SETTINGS, SUMMARY, Setting, TrainingLog
from q2_aam.training.logger import SHOWN
from q2_aam.types import AAMTrainingLogDirectoryFormat


def test_a_log_reads_back_as_it_was_written_also_as_metadata_and_without_epochs(tmp_path):
    folder, written = make_log_folder(tmp_path)
    infinite = written.history.fillna(np.inf)  # read back as a blank
    logs.write_training_log(folder, TrainingLog(infinite, written.settings, written.summary))
    log, expected = logs.read_training_log(folder), written.history.astype(float).rename_axis("id")
    pd.testing.assert_frame_equal(log.history, expected, check_exact=True)
    assert (log.settings, log.summary) == (written.settings, written.summary)
    metadata = qiime2.Metadata.load(str(folder / HISTORY))
    assert metadata.ids == tuple(written.history.index)
    losses = metadata.get_column("train_loss").to_series()
    assert losses.tolist() == pytest.approx(written.history["train_loss"].tolist())
    logs.write_training_log(folder, TrainingLog(log.history.iloc[:0], log.settings, {}))
    without_epochs = logs.read_training_log(folder).history
    assert (len(without_epochs), list(without_epochs)) == (0, list(log.history))


def test_a_log_that_was_trained_has_sums(fitted):
    view = fitted.training_log.view(AAMTrainingLogDirectoryFormat)
    assert sorted(read_json(view.path / "manifest.json")) == sorted(logs.FILES)


def test_writing_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError):
        logs.write_training_log(tmp_path, TrainingLog(make_history(2), [], {"kept_epoch": np.nan}))


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
        *((name, None, "lacks .*" + re.escape(name)) for name in logs.FILES),
    ],
)
def test_damage_is_explained(tmp_path, name, content, message):
    folder, _ = make_log_folder(tmp_path)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(AAMError, match=message):
        logs.read_training_log(folder)


def test_curves_settings_data_and_model_are_shown(training_page):
    training_page.assert_says(
        "Training: fit_regressor", "123,456 parameters", "with a mean of 9.5",
        "Training ran for 22 epochs and stopped: the validation loss did not improve",
        "The weights of epoch 12 were kept (validation loss 0.191, training loss 0.0907)",
        "q2-aam, for this data", "samples used for training 600",
    )  # fmt: skip


def test_the_browser_draws_both_parts_and_marks_the_kept_epoch(training_page):
    shown = training_page.chart("curve-1")
    assert "kept: epoch 12" in shown
    assert shown.count('aria-roledescription="line mark"') == 2
    assert training_page.marks("curve-1", "symbol") == 44


def test_what_the_user_chose_comes_first_and_downloads_parse_back(training_page):
    table = training_page.text.split("Chosen by Why")[1]
    places = [table.index(one) for one in ("epochs 30 you", "device cpu", "random_seed 0 default")]
    assert places == sorted(places)
    history, expected = training_page.table("history"), make_history(22)
    assert history["train_loss"].tolist() == pytest.approx(expected["train_loss"].tolist())
    assert history["gradient_norm"].isna().sum() == 1
    assert training_page.table("settings").loc["epochs", "chosen_by"] == "user"
    assert training_page.table("data").loc["samples used for training", "count"] == 600
    archive = zipfile.ZipFile(training_page.download("tensorboard.zip"))
    assert archive.namelist() == list(logs.TENSORBOARD_EVENTS.values())
    assert archive.read("tensorboard/train/events.out.tfevents.aam").startswith(b"events of")
    assert "tensorboard --logdir tensorboard" in training_page.text


def test_blanks_are_left_out_and_an_unknown_kept_epoch_is_not_marked():
    chart = training.chart_curve(make_history(5), "gradient_norm", "Norm", kept=9).to_dict()
    (records,) = chart["datasets"].values()
    assert "layer" not in chart
    assert [record["epoch"] for record in records] == [1, 3, 4, 5]


def test_a_history_suggests_what_to_do():
    history = make_history(5)
    assert training.write_warnings({"kept_epoch": 3}, history) == []
    for kept, words in ((5, "more epochs may help"), (1, "after the first epoch")):
        assert words in training.write_warnings({"kept_epoch": kept}, history)[0]
    without = history.drop(columns="validation_loss")
    assert "unseen samples" in training.write_warnings({}, without)[0]
    assert training.write_headline({}, history) == "Training ran for 5 epochs."


def test_a_classifiers_log_is_told_in_words(tmp_path, log):
    folder, log = log
    history = log.history.drop(columns="validation_unifrac_r")
    for part in ("train", "validation"):
        for name, value in (("target_loss", 0.5), ("accuracy", 0.8), ("balanced_accuracy", 0.7)):
            history[f"{part}_{name}"] = value
    counts = {HOSTILE[4]: 12, HOSTILE[2]: 30} | {f"class {number:02d}": 1 for number in range(30)}
    summary = log.summary | {"target": {"name": HOSTILE[0], "training_counts": counts}}
    values = {"class_weights": "balanced", "covariate_columns": [HOSTILE[1], "sex"]}
    settings = [Setting(*one, "user") for one in (values | {"covariate_fusion": "gate"}).items()]
    log = TrainingLog(history, settings, summary)
    page = Page.written(tmp_path / "page", training.write_training_page, log, folder)
    page.assert_says(
        f"were of the classes {HOSTILE[2]} (30), {HOSTILE[4]} (12), class 00 (1)", "and 12 more",
        f"The columns {HOSTILE[1]} and sex are read beside the microbes; they strengthen or weaken",
        "Every class counts alike in training", "accuracy, validation 0.8",
    )  # fmt: skip
    for title in ("Mean share predicted right, by class", "Cross-entropy of the classes"):
        assert title in page.source
    assert "with a mean of" not in page.text
    page.assert_only_our_scripts()


def test_every_curve_of_ours_has_words_of_its_own():
    for name in (*SHOWN, "balanced_accuracy", "skipped_steps"):
        assert not training.words_for(name)[2].endswith(" over the epochs."), name
    assert training.words_for("target_loss", classes=True) != training.words_for("target_loss")


def sentences_of(**values) -> list[str]:
    return training.describe_target_settings([Setting(*one, "user") for one in values.items()])


def test_every_choice_of_a_target_has_a_sentence_and_what_is_none_has_not():
    targets = {"target_loss": TARGET_LOSSES, "target_scaling": SCALINGS}
    targets["class_weights"] = CLASS_WEIGHTS
    for name, choices in targets.items():
        sentences_of_each = [sentences_of(**{name: one}) for one in choices]
        assert [len(sentences) for sentences in sentences_of_each] == [1] * len(choices)
        assert len({sentence for (sentence,) in sentences_of_each}) == len(choices)
    for fusion in FUSIONS:
        (sentence,) = sentences_of(covariate_columns=["sex"], covariate_fusion=fusion)
        assert "sex are read beside" in sentence
        assert len(sentence.split(";")[1]) > 10
    assert sentences_of(epochs=3) == []
    for value in ({"a": 1}, 3, True, None, ["huber"]):
        names = [*targets, *([] if isinstance(value, list) else ["covariate_columns"])]
        assert [sentences_of(**{name: value}) for name in names] == [[]] * len(names)


HEADS = [
    {"name": name, "weight": weight, "scores": {"mean_absolute_error": error}}
    for name, weight, error in (("ridge", 0.69, 2.1), ("forest", 0.31, 2.3), ("attention", 0, 4.3))
]


def page_of(tmp_path, change: dict, epochs: int = 22, settings=()) -> Page:
    """Write a log as training does, and summarize it through the action."""
    folder, log = make_log_folder(tmp_path / "log")
    history, summary = log.history.iloc[:epochs], log.summary | change
    logs.write_training_log(folder, TrainingLog(history, [*log.settings, *settings], summary))
    return Page.written(tmp_path / "page", lambda page: summarize_training(str(page), folder))


@pytest.mark.parametrize("heads", [HEADS, HEADS[:2]])  # a head that is off may not be told of
def test_what_predictions_come_from_is_said_first(tmp_path, heads):
    page = page_of(tmp_path, {"heads": heads, "encoder": "The encoder in the box."})
    headline = page.source.split('id="headline">')[1]
    assert headline.startswith("Predictions: ridge 69 %, forest 31 %; attention head off.")
    assert "Training of the attention head ran for 22 epochs" in headline
    assert "The encoder in the box." in page.text
    assert page.table("heads")["mean_absolute_error"].tolist() == [2.1, 2.3, 4.3][: len(heads)]
    order = [page.source.index(f'<h2 id="{name}">') for name in ("heads", "model", "curves")]
    assert order == sorted(order)
    assert "This head does not count" in page.text
    titles = re.findall(r"<figure.*?<h3>(.*?)</h3>", page.source, re.S)
    assert {title.split(": ")[0] for title in titles} == {"Attention head"}
    assert "kept epoch" not in page.text  # no epoch is the model's


def test_a_head_that_counts_has_its_curves_first(tmp_path):
    heads = [HEADS[0] | {"weight": 0.6}, HEADS[2] | {"weight": 0.4}]
    page = page_of(tmp_path, {"heads": heads})
    assert "Predictions: ridge 60 %, attention 40 %." in page.text
    assert page.source.index('<h2 id="curves">') < page.source.index('<h2 id="model">')
    assert "does not count:" not in page.text


def test_a_fit_without_epochs_makes_a_page_without_empty_charts(tmp_path):
    change = {"heads": HEADS[:2], "kept_epoch": None, "epochs_run": None, "stop_reason": None}
    page = page_of(tmp_path, change, epochs=0)
    assert "Predictions: ridge 69 %, forest 31 %. Fitted without epochs of training." in page.text
    assert page.figures == []
    for words in ("There is no validation loss", "TensorBoard", "Curves", "NaN"):
        assert words not in page.text, words
    assert page.table("settings").loc["epochs", "chosen_by"] == "user"


@pytest.mark.parametrize(
    ("setting", "end"),
    [(("min_epochs", 5), 5.0), (("min_epochs", None), 15.0), (("min_epochs", 1), None)],
)
def test_epochs_that_may_not_be_kept_are_shaded(tmp_path, setting, end):
    page = page_of(tmp_path, {}, settings=[Setting(*setting, "user")])
    assert ("No epoch in the shaded part" in page.text) == (end is not None)
    assert (f'"to":{end}' in page.source) == (end is not None)


@pytest.mark.parametrize("one", ["target_loss", "unifrac_loss", "clade_loss"])
def test_a_total_that_is_only_one_loss_is_not_drawn_twice(one):
    history = make_history(5).drop(columns="validation_unifrac_r")
    for part in ("train", "validation"):
        history[f"{part}_{one}"] = history[f"{part}_loss"]
    assert "loss" not in training.paired_names(history)
    assert one in training.paired_names(history)
    history[f"train_{one}"] += 1
    assert "loss" in training.paired_names(history)


def test_the_suggestion_is_told_and_can_be_typed(learning_rate_page):
    learning_rate_page.assert_says(
        "the learning rate rose from 1e-05 to 1", "the loss fell most steeply at 0.012",
        "qiime aam fit-regressor --p-attention-head on --p-learning-rate 0.012",  # else refused
        "stopped at 1",
    )  # fmt: skip
    found, wanted = learning_rate_page.table("curve"), make_rate_curve()
    for name in wanted:
        assert found[name].tolist() == pytest.approx(wanted[name].tolist())
    assert learning_rate_page.table("settings").loc["device", "value"] == "cpu"


def test_the_chart_holds_every_step_and_marks_the_suggestion():
    curve = make_rate_curve()
    points, line, rule, _ = pages.layers_of(learning_rate.chart_learning_rate(curve, 0.0123))
    assert len(points["records"]) == len(curve)
    assert rule["mark"]["type"] == "rule"
    assert rule["records"][0]["learning_rate"] == 0.0123
    # the explosion of the last step does not flatten the curve
    assert line["encoding"]["y"]["scale"]["domain"][1] < 2
    assert len(pages.layers_of(learning_rate.chart_learning_rate(curve, None))) == 2


def test_a_range_that_is_too_short_is_said():
    curve = make_rate_curve()
    assert learning_rate.write_warnings(curve, 0.0123, True) == []
    falling = curve.assign(smoothed_loss=-np.arange(len(curve)))
    assert "raise 'highest_rate'" in learning_rate.write_warnings(falling, 0.5, False)[0]
    assert "lower 'lowest_rate'" in learning_rate.write_warnings(curve, 2e-5, True)[0]


def test_noise_is_no_advice(tmp_path):
    """A flat ragged curve gives no rate, whatever the steepest part of it is."""
    for seed in range(20):
        noise = 1 + 0.3 * np.random.default_rng(seed).normal(size=80)
        curve = make_rate_curve().assign(loss=noise)
        curve["smoothed_loss"] = curve["loss"].ewm(span=8).mean()
        assert not learning_rate.has_clear_slope(curve)
    falling = make_rate_curve()
    falling["loss"] *= 1 + 0.1 * np.random.default_rng(1).normal(size=80)
    assert learning_rate.has_clear_slope(falling)
    given = {"action": "pretrain", "target": None, "settings": [], "data": []}
    write = learning_rate.write_learning_rate_page
    page = Page.written(tmp_path / "page", write, curve, 0.00021, False, **given)
    page.assert_says(
        "No clear slope", "keep the default 'learning_rate' of pretrain", "Raise 'steps'"
    )
    assert "0.00021" not in page.text
    assert "--p-learning-rate" not in page.text
