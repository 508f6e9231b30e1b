import numpy as np
import pandas as pd
import pytest
import qiime2
from page_reading import HOSTILE, Page, make_classes, write_classes_page
from simulated_study import column_of
from sklearn.metrics import accuracy_score, confusion_matrix


def test_the_browser_draws_every_cell_point_and_curve(classification_page):
    n_classes = len(HOSTILE) + 1
    for figure in ("confusion-matrix", "baseline-confusion"):
        assert classification_page.marks(figure, "rect") == n_classes**2
        assert classification_page.marks(figure, "text", "text") == n_classes**2
    assert classification_page.marks("scores-by-class", "symbol") == 3 * n_classes
    assert classification_page.marks("scores-by-class", "rule", "line") == 3 * n_classes
    for figure in ("roc", "precision-recall"):
        shown = classification_page.chart(figure)
        assert shown.count('aria-roledescription="line mark"') >= n_classes
    assert classification_page.marks("calibration-curve", "symbol") == 20
    shown = classification_page.chart("confusion-matrix")
    assert "{{7*7}}" in shown
    assert ">NA<" in shown
    counts = classification_page.table("confusion").groupby("predictor").head(n_classes**2)
    cell = counts[counts["samples"] > 0].iloc[0]
    assert f">{cell['samples']}<" in shown
    assert f">{100 * cell['share_of_actual']:.0f} %<" in shown


def test_predictions_parse_back_to_the_inputs(classification_page, hostile_classes):
    table = classification_page.table("predictions")
    assert list(table.index) == list(hostile_classes["predictions"].index)
    columns = {"actual": "truth", "predicted": "predictions", "baseline": "baseline_predictions"}
    for name, given in columns.items():
        assert table[name].tolist() == hostile_classes[given].tolist()
    shares = hostile_classes["probabilities"]
    expected = [shares.loc[sample, name] for sample, name in table["predicted"].items()]
    np.testing.assert_allclose(table["probability_of_predicted"], expected, rtol=1e-9)
    metadata = qiime2.Metadata.load(str(classification_page.download("predictions.tsv")))
    assert metadata.get_column("correct").to_series().isin(["yes", "no"]).all()


def test_tables_parse_back_and_agree_with_scikit_learn(classification_page):
    table, scores = (classification_page.table(name) for name in ("predictions", "scores"))
    ours, baseline = (accuracy_score(table["actual"], table[n]) for n in ("predicted", "baseline"))
    assert scores.loc["model: accuracy", "value"] == pytest.approx(ours)
    difference = scores.loc["model minus baseline: accuracy", "value"]
    assert difference == pytest.approx(ours - baseline)
    confusion = classification_page.table("confusion")
    labels = confusion["actual"].unique()
    expected = confusion_matrix(table["actual"], table["predicted"], labels=labels)
    assert confusion["samples"][: expected.size].tolist() == expected.ravel().tolist()
    by_class = classification_page.table("class-scores")
    assert by_class.loc["model: recall of NA", "actual_samples"] == (table["actual"] == "NA").sum()
    calibration = classification_page.table("calibration")
    assert calibration.groupby("predictor")["samples"].sum().tolist() == [120, 120]
    # the surest mistakes come first
    table = classification_page.text.split("Its probability")[1].split("Download every")[0]
    places = [table.index(" ".join(name.split())) for name in HOSTILE]
    assert max(places) < len(table)
    assert table.count(" 1.00 ") == len(HOSTILE)


def test_classes_alone_make_a_page_without_probabilities(tmp_path):
    study = make_classes(40, ["a", "b"])
    page = write_classes_page(tmp_path / "page", {n: study[n] for n in ("predictions", "truth")})
    for words in ("AUC", "Probabilities"):
        assert words not in page.text
    assert not page.download("roc.svg").exists()
    assert "aseline" not in page.source.split("<main")[1].split("</main>")[0]


def test_two_classes_say_which_one_is_looked_for(tmp_path):
    study = make_classes(80, ["healthy", "ill"])
    rarer = study["truth"].value_counts().index[-1]
    page = write_classes_page(tmp_path / "page", study)
    assert f"The class looked for is '{rarer}', the rarer of the two" in page.text
    assert page.marks("calibration-curve", "symbol") > 4
    even = study["truth"].groupby(study["truth"]).head(20).index
    tied = {name: values.loc[even] for name, values in study.items()}
    page = write_classes_page(tmp_path / "tied", tied)
    assert "as frequent as the other" in page.text
    assert "the rarer of the two" not in page.text


def test_the_action_keeps_ids_and_classes_that_look_like_blanks_or_numbers(tmp_path, aam):
    names = ["NA", "nan", "01", "1.0", "True", "null", 'quo"ted', "=cmd()", "-"]
    ids, study = pd.Index([f"{n:04d}" for n in range(90)], name="id"), make_classes(90, names)
    study = {name: values.set_axis(ids) for name, values in study.items()}
    kinds = {"predictions": "ClassifierPredictions", "probabilities": "Probabilities"}
    artifacts = {
        name: qiime2.Artifact.import_data(f"SampleData[{kind}]", study[name])
        for name, kind in kinds.items()
    }
    truth, groups = column_of(study["truth"]), column_of(study["groups"])
    found = aam.evaluate_classification(**artifacts, truth=truth, groups=groups)
    page = Page.of(found, tmp_path / "page")
    table = page.table("predictions")
    pd.testing.assert_series_equal(table["predicted"], study["predictions"], check_names=False)
    accuracy = (study["predictions"] == study["truth"]).mean()
    assert page.table("scores").loc["model: accuracy", "value"] == pytest.approx(accuracy)


def test_very_many_classes_make_a_reduced_page(tmp_path):
    study = make_classes(300, [f"site {n}" for n in range(120)])
    page = write_classes_page(tmp_path / "page", study)
    assert "There are 120 classes, too many for charts of each" in page.text
    assert page.figures == ["roc", "precision-recall", "calibration-curve", "confidence"]
    assert len(page.table("class-scores").filter(like="model: recall", axis=0)) == 120
    assert page.table("confusion")["samples"].sum() == 600
    found = page.table("scores").loc["model: macro_auc"]
    assert 0.5 < found["value"] < 1
    assert page.drawn_in_browser
