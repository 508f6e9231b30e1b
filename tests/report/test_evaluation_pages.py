"""The pages of evaluations of numbers, classes and distances, and how reads were recognized."""

import re

import numpy as np
import page_reading as pages
import pandas as pd
import pytest
import qiime2
import skbio
from page_reading import HOSTILE, TARGET, Page, make_classes, make_history, make_study
from simulated_study import column_of, distances_artifact
from sklearn.metrics import accuracy_score, confusion_matrix

from q2_aam.report.distance_scores import compare_distances, density_cells, pairs_of
from q2_aam.report.metrics import fit_line
from q2_aam.report.recognition import write_recognition_page
from q2_aam.report.regression import chart_error_distribution, chart_predictions, join_numbers
from q2_aam.report.samples import MOST_CATEGORIES, OTHER, ColorBy, describe_colors
from q2_aam.storage.training_log import TrainingLog


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_predictions_parse_back_to_the_inputs(request, kind):
    page = request.getfixturevalue(f"{kind}_page")
    study = request.getfixturevalue("hostile_study" if kind == "regression" else "hostile_classes")
    table = page.table("predictions")
    columns = {"actual": "truth", "predicted": "predictions", "baseline": "baseline_predictions"}
    for name, given in columns.items():
        pd.testing.assert_series_equal(
            table[name].sort_index(), study[given].sort_index(), check_names=False, rtol=1e-9
        )
    metadata = qiime2.Metadata.load(str(page.download("predictions.tsv")))
    if kind == "regression":
        errors = table["predicted"] - table["actual"]
        np.testing.assert_allclose(table["error"], errors, atol=1e-7)
        assert metadata.get_column("lower").to_series().notna().all()
    else:
        shares = study["probabilities"]
        expected = [shares.loc[sample, name] for sample, name in table["predicted"].items()]
        np.testing.assert_allclose(table["probability_of_predicted"], expected, rtol=1e-9)
        assert metadata.get_column("correct").to_series().isin(["yes", "no"]).all()


def test_scores_and_counts_of_numbers_parse_back(regression_page):
    table, scores = (regression_page.table(name) for name in ("predictions", "scores"))
    assert regression_page.table("groups")["samples"].sum() == len(table)
    for key, column in (("model", "predicted"), ("baseline", "baseline")):
        error = (table[column] - table["actual"]).abs().mean()
        assert scores.loc[f"{key}: mean_absolute_error", "value"] == pytest.approx(error)
    counts = regression_page.table("samples")["count"]
    assert counts["samples evaluated here: predicted, and with a true value"] == 60
    regression_page.assert_says(
        "samples evaluated here", "When the model was trained", "were used to fit the model"
    )


def test_the_browser_draws_a_point_and_an_interval_for_every_sample(regression_page):
    assert regression_page.marks("predicted-against-actual", "symbol") == 60
    assert regression_page.marks("predicted-against-actual", "rule", "line") == 60
    samples = join_numbers(**make_study(30))
    actual, predicted = samples.frame[["actual", "predicted"]].T.to_numpy()
    chart = chart_predictions(samples, "predicted", fit_line(actual, predicted))
    _, points, _, line = pages.layers_of(chart)
    x, y = (points["encoding"][axis]["scale"] for axis in "xy")
    assert x["domain"] == y["domain"]
    assert x["padding"] > 5  # outermost points are whole
    # the ends of intervals do not squeeze the points
    assert x["domain"][1] == samples.frame[["actual", "predicted", "baseline"]].max().max()
    ends = np.polyval(np.polyfit(actual, predicted, 1), [actual.min(), actual.max()])
    assert [record["predicted"] for record in line["records"]] == pytest.approx(list(ends))


@pytest.mark.parametrize("far", [5.0, 1e6, 1e12, 1e99, -1e99])
def test_row_11_one_error_far_from_the_others_makes_few_bins(far):
    truth = pd.Series(np.random.default_rng(0).normal(size=51), name="ph")
    truth.index = [f"s{n}" for n in truth.index]
    samples = join_numbers(truth.where(truth.index != "s50", far), truth)
    bins = pages.layers_of(chart_error_distribution(samples))[0]["encoding"]["x"]["bin"]
    assert bins["maxbins"] <= 40


@pytest.mark.parametrize("error", [0.0, 1.0, -1e6])
def test_equal_errors_are_one_bar(tmp_path, error):
    truth = pd.Series([1.0, 2.0, 3.0], index=list("abc"), name="ph")
    page = pages.write_study_page(tmp_path / "page", {"predictions": truth + error, "truth": truth})
    svg = page.download("error-distribution.svg").read_text()
    assert svg.count('aria-roledescription="bar"') == 1


def log_of(**summary) -> TrainingLog:
    return TrainingLog(make_history(3), [], {"target": {"name": "month", **TARGET}, **summary})


def test_what_the_training_log_knows_of_samples_and_intervals_is_told(tmp_path):
    study, log = make_study(40), log_of(sample_ids=["sample 3", "sample 7", "another"])
    below = (study["intervals"]["lower"] < 0).sum()
    pages.write_study_page(tmp_path / "page", study, log).assert_says(
        "2 of these samples were used to fit the model, such as 'sample 3', 'sample 7'",
        f"{below} intervals reach below 0, the smallest value seen in training",
        "'bound_predictions'",
    )


def test_the_design_is_said_in_one_line_and_predictors_by_their_names(tmp_path):
    heads = [{"name": "ridge", "weight": 1.0, "scores": {}}]
    design = "5-fold cross-validation; compared with q2-sample-classifier's random forest."
    log = log_of(
        design=design, heads=heads, encoder="It was pretrained on 90 samples.",
        environment={"q2-aam": "0.2.0"}, sample_ids=["sample 3"],
    )  # fmt: skip
    page = pages.write_study_page(tmp_path / "page", make_study(20), log)
    page.assert_says(
        f"Design: {design} Predictions: ridge 100 %. Encoder: It was pretrained on 90 samples.",
        "q2-aam 0.2.0.", "AAM: predicted against actual", "random forest misses by",
        # one dummy everywhere: the mean of the training samples, from the log
        "Always predicting 9.50, the mean of the training samples",
    )  # fmt: skip
    # a pipeline predicted samples by models that never saw them
    for words in ("this model", "the baseline", "used to fit the model"):
        assert words not in page.text, words


@pytest.mark.parametrize(("scale", "unit"), [(1e-9, "e-09"), (1e9, "e+09"), (1e9, "e+12")])
def test_numbers_of_any_size_have_one_notation_and_digits_that_count(tmp_path, scale, unit):
    shift = 1e12 if unit == "e+12" else 0.0
    study = {name: make_study(20)[name] * scale + shift for name in ("predictions", "truth")}
    page = pages.write_study_page(tmp_path / "page", study)
    mae = (study["predictions"] - study["truth"]).abs().mean()
    headline = page.part("headline", "</p>")
    assert f"{mae:.2e} on average (95 % interval " in headline
    assert not re.search(r"0\.0000|[0-9]{3},[0-9]{3},[0-9]{3}", page.text)
    assert unit in page.part("worst-table", "</table>")
    interval = re.search(r"interval ([^ ]+) to ([^)]+)\)", headline)
    assert float(interval[1]) < mae < float(interval[2])


IDS = pd.Index([f"sample {place}" for place in range(60)])


def column(values) -> pd.Series:
    return pd.Series(np.resize(np.array(values, dtype=object), 60), IDS, name="diet")


def test_many_categories_become_the_most_frequent_ones_and_others():
    values = column([f"site {n}" for n in range(12)])
    values.iloc[:20] = "site 11"
    colors = ColorBy.of(values, IDS)
    assert len(colors.categories) == MOST_CATEGORIES
    assert {"site 11", OTHER} <= set(colors.categories)
    shades = {colors.fields_of(sample)["shade"] for sample in IDS}
    assert shades == set(colors.categories)
    assert [colors.fields_of(sample)["color"] for sample in IDS] == list(values)
    assert "7 most frequent of the 12 values" in describe_colors(colors)


@pytest.mark.parametrize("kind", ["categories", "numbers"])
def test_the_browser_draws_colored_points(tmp_path, kind):
    values = column([*HOSTILE[:5], None])
    if kind == "numbers":
        values = pd.Series(np.linspace(3, 9, 60), IDS).where(np.arange(60) > 9)
    values.name = HOSTILE[1]
    page = pages.write_study_page(tmp_path / "page", make_study(len(IDS)) | {"color_by": values})
    assert page.marks("predicted-against-actual", "symbol") == len(IDS)
    chart = page.chart("predicted-against-actual")
    points = re.findall(r'<g class="mark-symbol role-mark[^>]*>(.*?)</g>', chart, re.S)
    colors = set(re.findall(r'(?:fill|stroke)="((?:#|rgb)[^"]+)"', "".join(points)))
    assert len(colors) >= (6 if kind == "categories" else 20)
    page.assert_says("samples shown in grey: no value in", "Grey circles have no value")
    assert page.table("predictions")["color_by"].isna().sum() == 10
    page.assert_only_our_scripts()
    if kind == "categories":
        assert "&lt;script&gt;document.title" in page.drawn_in_browser
        assert "{{7*7}}" in chart


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
    study = {name: make_classes(40, ["a", "b"])[name] for name in ("predictions", "truth")}
    page = pages.write_classes_page(tmp_path / "page", study)
    for words in ("AUC", "Probabilities"):
        assert words not in page.text
    assert not page.download("roc.svg").exists()
    assert "aseline" not in page.source.split("<main")[1].split("</main>")[0]


def test_two_classes_say_which_one_is_looked_for(tmp_path):
    study = make_classes(80, ["healthy", "ill"])
    rarer = study["truth"].value_counts().index[-1]
    page = pages.write_classes_page(tmp_path / "page", study)
    assert f"The class looked for is '{rarer}', the rarer of the two" in page.text
    assert page.marks("calibration-curve", "symbol") > 4
    even = study["truth"].groupby(study["truth"]).head(20).index
    tied = {name: values.loc[even] for name, values in study.items()}
    page = pages.write_classes_page(tmp_path / "tied", tied)
    assert "as frequent as the other" in page.text
    assert "the rarer of the two" not in page.text


def test_the_action_keeps_ids_and_classes_that_look_like_blanks_or_numbers(tmp_path, aam):
    names = ["NA", "nan", "01", "1.0", "True", "null", 'quo"ted', "=cmd()", "-"]
    ids, study = pd.Index([f"{n:04d}" for n in range(90)], name="id"), make_classes(90, names)
    study = {name: values.set_axis(ids) for name, values in study.items()}
    found = aam.evaluate_classification(
        pages.imported("SampleData[ClassifierPredictions]", study["predictions"]),
        column_of(study["truth"]), groups=column_of(study["groups"]),
        probabilities=pages.imported("SampleData[Probabilities]", study["probabilities"]),
    )  # fmt: skip
    page = Page.of(found, tmp_path / "page")
    table = page.table("predictions")
    pd.testing.assert_series_equal(table["predicted"], study["predictions"], check_names=False)
    accuracy = (study["predictions"] == study["truth"]).mean()
    assert page.table("scores").loc["model: accuracy", "value"] == pytest.approx(accuracy)


def test_very_many_classes_make_a_reduced_page(tmp_path):
    study = make_classes(300, [f"site {n}" for n in range(120)])
    page = pages.write_classes_page(tmp_path / "page", study)
    assert "There are 120 classes, too many for charts of each" in page.text
    assert page.figures == ["roc", "precision-recall", "calibration-curve", "confidence"]
    assert len(page.table("class-scores").filter(like="model: recall", axis=0)) == 120
    assert page.table("confusion")["samples"].sum() == 600
    found = page.table("scores").loc["model: macro_auc"]
    assert 0.5 < found["value"] < 1
    assert page.drawn_in_browser


def test_the_browser_draws_every_cell_bin_and_sample(distances_page, hostile_distances):
    cells = density_cells(*pairs_of(compare_distances(*hostile_distances)))
    assert distances_page.marks("density", "rect") == len(cells)
    bins = distances_page.table("error-by-distance")
    assert distances_page.marks("errors-by-distance", "symbol") == len(bins)
    for figure in ("actual-ordination", "predicted-ordination", "error-by-sample"):
        assert distances_page.marks(figure, "symbol") == 40
    assert "{{7*7}}" in distances_page.chart("actual-ordination")


def test_downloads_of_distances_parse_back(distances_page, hostile_distances):
    shared, predicted, actual = pages.in_one_order(*hostile_distances)
    samples = distances_page.table("samples")
    assert set(samples.index) == set(shared)
    assert samples["mean_absolute_error"].is_monotonic_decreasing
    error = np.abs(predicted - actual).sum(axis=1) / 39
    np.testing.assert_allclose(samples["mean_absolute_error"][shared], error, rtol=1e-6)
    scores = distances_page.table("scores")
    mean = samples["mean_absolute_error"].mean()
    assert scores.loc["mean_absolute_error", "value"] == pytest.approx(mean)
    assert distances_page.table("error-by-distance")["pairs"].sum() == 40 * 39 // 2
    coordinates = distances_page.table("ordinations")
    assert set(coordinates.index) == set(shared)
    np.testing.assert_allclose((coordinates[["actual_1", "actual_2"]] ** 2).to_numpy().sum(), 1)
    counts = distances_page.table("counts")["count"]
    assert counts["samples compared: in both matrices"] == 40
    assert counts["samples left out: predicted, but without actual distances"] == 1
    metadata = qiime2.Metadata.load(str(distances_page.download("samples.tsv")))
    assert metadata.get_column("mean_error").to_series().notna().all()
    distances_page.assert_says(
        "over 780 pairs of 40 samples", "Procrustes disparity", "stranger", "samples shown in grey"
    )


def test_samples_in_one_place_have_scores_but_no_ordination(tmp_path):
    predicted, actual = pages.make_distances(12)
    page = pages.write_distances(tmp_path / "page", ((predicted[0], predicted[1] * 0), actual))
    page.assert_says("no better than that", "all equal", "no ordinations")
    scores = page.table("scores")["value"]
    assert np.isnan(scores["correlation"])
    assert scores["r_squared"] < 0
    assert not page.download("ordinations.tsv").exists()
    assert page.drawn_in_browser
    assert page.tags.count("figure") == 3


def as_artifact(ids, matrix) -> qiime2.Artifact:
    return distances_artifact(skbio.DistanceMatrix(matrix.astype(float), ids))


def test_the_action_writes_the_page(tmp_path, aam):
    predicted, actual = pages.make_distances(15)
    sites = pd.Series(np.resize(np.array(HOSTILE[:3], object), 15), actual[0], name="site")
    matrices = as_artifact(*predicted), as_artifact(*actual)
    page = Page.of(aam.evaluate_distances(*matrices, column_of(sites)), tmp_path / "page")
    assert "over 105 pairs of 15 samples" in page.text
    assert page.table("samples")["color_by"].to_dict() == sites.to_dict()


def test_distances_that_cannot_be_compared_are_refused(aam, refused):
    predicted, actual = pages.make_distances(12)
    others = as_artifact([f"x{name}y" for name in predicted[0]], predicted[1])
    large, good = as_artifact(actual[0], actual[1] * 90), as_artifact(*actual)
    predicted = as_artifact(*predicted)
    blank = column_of(pd.Series(["a"], pd.Index(["someone else"], name="id"), name="site"))
    for given, *parts in (
        ((others, good), "the predicted distances", "the actual distances", "no ids in common"),
        ((predicted, large), "Reading the actual distances", "outside [0, 1]"),
        ((predicted, good, blank), "None of the 12 samples shown has a value", "'site'",
         "leave it out"),
    ):  # fmt: skip
        refused(lambda given=given: aam.evaluate_distances(*given), *parts)


def test_the_verdict_comes_first_and_everything_is_told(recognition_page):
    text = recognition_page.text
    assert text.index("Half of the reads are known.") < text.index("Trim them.") < 400
    recognition_page.assert_says("regressor of 'age'", "reverse complement 1", "embedding", "mixed")
    unrecognized = recognition_page.table("unrecognized")
    assert unrecognized["sequence"].tolist() == [letter * 36 for letter in "ACGTACG"]
    assert "\n" + "T" * 36 + "\n" in recognition_page.part("unrecognized-fasta", "</pre>")
    np.testing.assert_allclose(recognition_page.table("recognition").sum(axis=1), 1)
    # a bar of three parts for each sample, and a point for each length
    assert recognition_page.marks("recognition-by-sample", "rect") == 3 * 12
    assert recognition_page.marks("read-lengths", "symbol") == 3


def test_many_samples_are_counted(tmp_path):
    checked = pages.make_checked_table(pages.make_shares([f"s{n}" for n in range(200)]))
    page = Page.written(tmp_path / "page", write_recognition_page, **checked)
    assert "Samples by the share of their reads" in page.text


def test_errors_and_mistakes_are_shown_against_the_share_recognized(tmp_path):
    study, classes = make_study(40), make_classes(40, ["a", "b"], noise=2.0)
    shares = pages.make_shares(study["truth"].index)
    study["intervals"], classes["recognition"] = study["intervals"].join(shares), shares
    page = pages.write_study_page(tmp_path / "numbers", study)
    assert page.marks("error-by-recognition", "symbol") == 40
    for shown in (page, pages.write_classes_page(tmp_path / "classes", classes)):
        assert "of a sample's reads are ASVs of the model" in shown.text
        assert "error-by-recognition" in shown.figures
        np.testing.assert_allclose(shown.table("predictions")[list(shares)], shares)


def test_where_all_is_recognized_a_sentence_is_enough(tmp_path):
    study = make_study(20)
    shares = {"same": 1.0, "overlapping": 0.0, "embedding_only": 0.0}
    study["intervals"] = study["intervals"].assign(**shares)
    page = pages.write_study_page(tmp_path / "page", study)
    assert "100 % of a sample's reads are ASVs of the model" in page.text
    assert "most reads are not" not in page.text
    assert 'id="error-by-recognition"' not in page.source
