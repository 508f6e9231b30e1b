import re
import zipfile

import pytest
from page_reading import HOSTILE, Page, make_history, make_log_folder

from q2_aam.actions.evaluate import summarize_training
from q2_aam.config.target import FUSIONS, SCALINGS, TARGET_LOSSES
from q2_aam.config.training import CLASS_WEIGHTS
from q2_aam.report import training
from q2_aam.report.training import describe_target_settings, write_training_page
from q2_aam.storage.training_log import TENSORBOARD_EVENTS, Setting, TrainingLog, write_training_log
from q2_aam.training.logger import SHOWN


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
    assert archive.namelist() == list(TENSORBOARD_EVENTS.values())
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
    page = Page.written(tmp_path / "page", write_training_page, log, folder)
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


CHOICES = {
    "target_loss": TARGET_LOSSES, "target_scaling": SCALINGS, "class_weights": CLASS_WEIGHTS
}  # fmt: skip


def sentences_of(**values) -> list[str]:
    return describe_target_settings([Setting(*one, "user") for one in values.items()])


def test_every_choice_of_a_target_has_a_sentence_and_what_is_none_has_not():
    for name, choices in CHOICES.items():
        sentences_of_each = [sentences_of(**{name: one}) for one in choices]
        assert [len(sentences) for sentences in sentences_of_each] == [1] * len(choices)
        assert len({sentence for (sentence,) in sentences_of_each}) == len(choices)
    for fusion in FUSIONS:
        (sentence,) = sentences_of(covariate_columns=["sex"], covariate_fusion=fusion)
        assert "sex are read beside" in sentence
        assert len(sentence.split(";")[1]) > 10
    assert sentences_of(epochs=3) == []
    for value in ({"a": 1}, 3, True, None, ["huber"]):
        names = [*CHOICES, *([] if isinstance(value, list) else ["covariate_columns"])]
        assert [sentences_of(**{name: value}) for name in names] == [[]] * len(names)


HEADS = [
    {"name": name, "weight": weight, "scores": {"mean_absolute_error": error}}
    for name, weight, error in (("ridge", 0.69, 2.1), ("forest", 0.31, 2.3), ("attention", 0, 4.3))
]


def page_of(tmp_path, change: dict, epochs: int = 22, settings=()) -> Page:
    """Write a log as training does, and summarize it through the action."""
    folder, log = make_log_folder(tmp_path / "log")
    history, summary = log.history.iloc[:epochs], log.summary | change
    write_training_log(folder, TrainingLog(history, [*log.settings, *settings], summary))
    (tmp_path / "page").mkdir()
    summarize_training(str(tmp_path / "page"), folder)
    return Page(tmp_path / "page")


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
