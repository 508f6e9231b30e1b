import re
import time

import numpy as np
import pandas as pd
import pytest
import qiime2
from page_reading import (
    HOSTILE,
    LARGEST_QZV,
    Page,
    assert_hostile_names_are_text,
    drawn_marks,
    layers_of,
    make_classes,
    write_classes_page,
)
from sklearn.metrics import accuracy_score, confusion_matrix

from q2_aam.report.classification.charts import (
    MOST_WITH_COUNTS,
    chart_confusion,
)
from q2_aam.report.classification.samples import join_classes
from q2_aam.report.classification.scores import tabulate_confusion
from q2_aam.storage.training_log import SAMPLES_USED_FOR_TRAINING


def without_optional(study: dict) -> dict:
    return {name: study[name] for name in ("predictions", "truth")}


def test_hostile_names_are_text(classification_page, as_html):
    assert_hostile_names_are_text(classification_page, as_html)


def test_the_browser_draws_every_cell_point_and_curve(classification_page):
    n_classes = len(HOSTILE) + 1
    for figure in ("confusion-matrix", "baseline-confusion"):
        assert drawn_marks(classification_page, figure, "rect") == n_classes**2
        assert drawn_marks(classification_page, figure, "text", "text") == n_classes**2
    assert drawn_marks(classification_page, "scores-by-class", "symbol") == 3 * n_classes
    assert drawn_marks(classification_page, "scores-by-class", "rule", "line") == 3 * n_classes
    for figure in ("roc", "precision-recall"):
        shown = classification_page.drawn_in_browser.split(f'id="{figure}"')[1].split("</svg>")[0]
        assert shown.count('aria-roledescription="line mark"') >= n_classes
    assert drawn_marks(classification_page, "calibration-curve", "symbol") == 20
    shown = classification_page.drawn_in_browser.split('id="confusion-matrix"')[1].split("</svg>")[
        0
    ]
    assert "{{7*7}}" in shown
    assert ">NA<" in shown


def test_predictions_parse_back_to_the_inputs(classification_page, hostile_classes):
    table = classification_page.table("predictions")
    assert list(table.index) == list(hostile_classes["predictions"].index)
    assert table["actual"].tolist() == hostile_classes["truth"].tolist()
    assert table["predicted"].tolist() == hostile_classes["predictions"].tolist()
    assert table["baseline"].tolist() == hostile_classes["baseline_predictions"].tolist()
    shares = hostile_classes["probabilities"]
    expected = [shares.loc[sample, name] for sample, name in table["predicted"].items()]
    np.testing.assert_allclose(table["probability_of_predicted"], expected, rtol=1e-9)
    metadata = qiime2.Metadata.load(str(classification_page.folder / "downloads/predictions.tsv"))
    assert metadata.get_column("correct").to_series().isin(["yes", "no"]).all()


def test_tables_parse_back_and_agree_with_scikit_learn(classification_page):
    table = classification_page.table("predictions")
    scores = classification_page.table("scores")
    accuracy = accuracy_score(table["actual"], table["predicted"])
    assert scores.loc["model: accuracy", "value"] == pytest.approx(accuracy)
    baseline = accuracy_score(table["actual"], table["baseline"])
    difference = scores.loc["model minus baseline: accuracy"]
    assert difference["value"] == pytest.approx(accuracy - baseline)
    confusion = classification_page.table("confusion")
    labels = confusion["actual"].unique()
    counts = confusion[confusion["predictor"] == confusion["predictor"].iloc[0]][
        "samples"
    ].to_numpy()
    expected = confusion_matrix(table["actual"], table["predicted"], labels=labels)
    assert counts.reshape(expected.shape).tolist() == expected.tolist()
    by_class = classification_page.table("class-scores")
    assert by_class.loc["model: recall of NA", "actual_samples"] == (table["actual"] == "NA").sum()
    calibration = classification_page.table("calibration")
    assert calibration.groupby("predictor")["samples"].sum().tolist() == [120, 120]


def test_the_surest_mistakes_come_first(classification_page):
    table = classification_page.text.split("Its probability")[1].split("Download every")[0]
    places = [table.index(" ".join(name.split())) for name in HOSTILE]
    assert max(places) < len(table)
    assert table.count(" 1.00 ") == len(HOSTILE)


def test_what_the_training_log_says_is_pointed_out(classification_page):
    assert SAMPLES_USED_FOR_TRAINING in classification_page.text
    assert "were used to fit the model" in classification_page.text


def test_classes_alone_make_a_page_without_probabilities(tmp_path):
    page = write_classes_page(tmp_path / "page", without_optional(make_classes(40, ["a", "b"])))
    assert "AUC" not in page.text
    assert "Probabilities" not in page.text
    assert not (page.folder / "downloads" / "roc.svg").exists()
    assert "aseline" not in page.source.split("<main")[1].split("</main>")[0]


def test_the_smallest_input_makes_a_page(tmp_path):
    study = make_classes(5, ["a", "b"])
    one = {name: study[name].iloc[:1] for name in ("predictions", "truth", "probabilities")}
    one["predictions"][:] = one["truth"]
    page = write_classes_page(tmp_path / "page", one)
    assert "100 % of 1 sample;" in page.text
    assert "Every sample is predicted right." in page.text


def test_two_classes_say_which_one_is_looked_for(tmp_path):
    study = make_classes(80, ["healthy", "ill"])
    rarer = study["truth"].value_counts().index[-1]
    page = write_classes_page(tmp_path / "page", study)
    assert f"The class looked for is '{rarer}', the rarer of the two" in page.text
    assert drawn_marks(page, "calibration-curve", "symbol") > 4
    document = page.drawn_in_browser
    assert document.count('data-drawn="yes"') == page.tags.count("figure")


@pytest.fixture(scope="module")
def large_page(tmp_path_factory):
    study = make_classes(1500, [f"site {n}" for n in range(30)])
    started = time.monotonic()
    page = write_classes_page(tmp_path_factory.mktemp("large") / "page", study)
    page.seconds = time.monotonic() - started
    return page


def test_thirty_classes_and_thousands_of_samples_stay_small_and_quick(large_page):
    assert large_page.archive_size() < LARGEST_QZV
    assert large_page.seconds < 60
    assert drawn_marks(large_page, "confusion-matrix", "rect") == 900
    assert "Drawn are the 8 of 30 classes" in large_page.text
    assert large_page.drawn_in_browser.count('data-drawn="yes"') == large_page.tags.count("figure")


def test_cells_hold_counts_and_shares_of_their_row():
    samples = join_classes(**without_optional(make_classes(90, ["a", "b", "c"])))
    table = tabulate_confusion(samples)
    assert table["samples"].sum() == 90
    assert table.groupby("actual")["share_of_actual"].sum().tolist() == pytest.approx([1, 1, 1])
    cells = layers_of(chart_confusion(table, samples.classes, "site"))[0]["records"]
    first = table.iloc[0]
    assert cells[0]["text"] == f"{first['samples']}\n{100 * first['share_of_actual']:.0f} %"
    many = [f"{n}" for n in range(MOST_WITH_COUNTS + 1)]
    samples = join_classes(**without_optional(make_classes(300, many)))
    cells = layers_of(chart_confusion(tabulate_confusion(samples), many, "site"))[0]["records"]
    assert {cell["text"] for cell in cells} == {""}


def test_the_action_keeps_classes_that_look_like_blanks_or_numbers(tmp_path, aam):
    study = make_classes(60, ["NA", "nan", "01", "1"])
    del study["baseline_predictions"], study["baseline_probabilities"]
    artifacts = {
        "predictions": ("SampleData[ClassifierPredictions]", study["predictions"]),
        "probabilities": ("SampleData[Probabilities]", study["probabilities"]),
    }
    (visualization,) = aam.evaluate_classification(
        **{name: qiime2.Artifact.import_data(*given) for name, given in artifacts.items()},
        truth=qiime2.CategoricalMetadataColumn(study["truth"]),
        groups=qiime2.CategoricalMetadataColumn(study["groups"]),
    )
    visualization.export_data(str(tmp_path / "page"))
    page = Page(tmp_path / "page")
    table = page.table("predictions")
    pd.testing.assert_series_equal(table["predicted"], study["predictions"], check_names=False)
    accuracy = (study["predictions"] == study["truth"]).mean()
    value = page.table("scores").loc["model: accuracy", "value"]
    assert value == pytest.approx(accuracy)


def test_the_action_refuses_predictions_of_other_samples(aam, refused):
    study = make_classes(20, ["a", "b"])
    others = study["truth"].rename(lambda name: f"x{name}y")
    others.index.name = "id"
    predictions = qiime2.Artifact.import_data(
        "SampleData[ClassifierPredictions]", study["predictions"]
    )
    refused(
        lambda: aam.evaluate_classification(predictions, qiime2.CategoricalMetadataColumn(others)),
        "no ids in common", "the predictions", "the metadata",
    )  # fmt: skip


def test_very_many_classes_make_a_reduced_page(tmp_path):
    study = make_classes(300, [f"site {n}" for n in range(120)])
    page = write_classes_page(tmp_path / "page", study)
    assert "There are 120 classes, too many for charts of each" in page.text
    figures = re.findall(r'<figure[^>]* id="([^"]+)"', page.source)
    assert figures == ["roc", "precision-recall", "calibration-curve", "confidence"]
    assert len(page.table("class-scores").filter(like="model: recall", axis=0)) == 120
    assert page.table("confusion")["samples"].sum() == 600
    found = page.table("scores").loc["model: macro_auc"]
    assert 0.5 < found["value"] < 1
    assert page.drawn_in_browser.count('data-drawn="yes"') == 4
