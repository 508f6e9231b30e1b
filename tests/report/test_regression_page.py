import re

import numpy as np
import pandas as pd
import pytest
import qiime2
from page_reading import HOSTILE, TARGET, layers_of, make_history, make_study, write_study_page

from q2_aam.report.metrics import fit_line
from q2_aam.report.regression import chart_error_distribution, chart_predictions, join_numbers
from q2_aam.report.samples import MOST_CATEGORIES, OTHER, ColorBy, describe_colors
from q2_aam.storage.training_log import TrainingLog


def test_downloads_parse_back_to_the_numbers(regression_page, hostile_study):
    table = regression_page.table("predictions")
    assert set(table.index) == set(hostile_study["truth"].index)
    for name, given in (("predicted", "predictions"), ("actual", "truth")):
        np.testing.assert_allclose(table[name], hostile_study[given][table.index], rtol=1e-9)
    np.testing.assert_allclose(table["error"], table["predicted"] - table["actual"], atol=1e-7)
    metadata = qiime2.Metadata.load(str(regression_page.download("predictions.tsv")))
    assert metadata.get_column("lower").to_series().notna().all()
    assert regression_page.table("groups")["samples"].sum() == len(table)
    scores = regression_page.table("scores")["value"]
    for key, column in (("model", "predicted"), ("baseline", "baseline")):
        error = (table[column] - table["actual"]).abs().mean()
        assert scores[f"{key}: mean_absolute_error"] == pytest.approx(error)
    counts = regression_page.table("samples")["count"]
    assert counts["samples evaluated here: predicted, and with a true value"] == 60
    regression_page.assert_says(
        "samples evaluated here", "When the model was trained", "were used to fit the model"
    )


def test_the_browser_draws_a_point_and_an_interval_for_every_sample(regression_page):
    assert regression_page.marks("predicted-against-actual", "symbol") == 60
    assert regression_page.marks("predicted-against-actual", "rule", "line") == 60
    # both axes are the same
    samples = join_numbers(**make_study(30))
    line = fit_line(*samples.frame[["actual", "predicted"]].T.to_numpy())
    layers = layers_of(chart_predictions(samples, "predicted", line))
    assert [layer["mark"]["type"] for layer in layers] == ["rule", "point", "line", "line"]
    scales = [layers[1]["encoding"][axis]["scale"]["domain"] for axis in "xy"]
    assert scales[0] == scales[1]
    assert layers[1]["encoding"]["x"]["scale"]["padding"] > 5  # outermost points are whole
    # the ends of intervals do not squeeze the points
    assert scales[0][1] == samples.frame[["actual", "predicted", "baseline"]].max().max()
    ends = [record["predicted"] for record in layers[3]["records"]]
    fitted = np.polyfit(samples.frame["actual"], samples.frame["predicted"], 1)
    extremes = [samples.frame["actual"].min(), samples.frame["actual"].max()]
    assert ends == pytest.approx(list(np.polyval(fitted, extremes)))


@pytest.mark.parametrize("far", [5.0, 1e6, 1e12, 1e99, -1e99])
def test_row_11_one_error_far_from_the_others_makes_few_bins(far):
    truth = pd.Series(np.random.default_rng(0).normal(size=51), name="ph")
    truth.index = [f"s{n}" for n in truth.index]
    samples = join_numbers(truth.where(truth.index != "s50", far), truth)
    bins = layers_of(chart_error_distribution(samples))[0]["encoding"]["x"]["bin"]
    assert bins["maxbins"] <= 40


@pytest.mark.parametrize("error", [0.0, 1.0, -1e6])
def test_equal_errors_are_one_bar(tmp_path, error):
    truth = pd.Series([1.0, 2.0, 3.0], index=list("abc"), name="ph")
    page = write_study_page(tmp_path / "page", {"predictions": truth + error, "truth": truth})
    svg = page.download("error-distribution.svg").read_text()
    assert svg.count('aria-roledescription="bar"') == 1


def log_of(**summary) -> TrainingLog:
    return TrainingLog(make_history(3), [], {"target": {"name": "month", **TARGET}, **summary})


def test_what_the_training_log_knows_of_samples_and_intervals_is_told(tmp_path):
    study, log = make_study(40), log_of(sample_ids=["sample 3", "sample 7", "another"])
    below = (study["intervals"]["lower"] < 0).sum()
    write_study_page(tmp_path / "page", study, log).assert_says(
        "2 of these samples were used to fit the model, such as 'sample 3', 'sample 7'",
        f"{below} intervals reach below 0, the smallest value seen in training",
        "'bound_predictions'",
    )


DESIGN = "5-fold cross-validation; compared with q2-sample-classifier's random forest."


def test_the_design_is_said_in_one_line_and_predictors_by_their_names(tmp_path):
    heads = [{"name": "ridge", "weight": 1.0, "scores": {}}]
    log = log_of(
        design=DESIGN, heads=heads, encoder="It was pretrained on 90 samples.",
        environment={"q2-aam": "0.2.0"}, sample_ids=["sample 3"],
    )  # fmt: skip
    page = write_study_page(tmp_path / "page", make_study(20), log)
    page.assert_says(
        f"Design: {DESIGN} Predictions: ridge 100 %. Encoder: It was pretrained on 90 samples.",
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
    page = write_study_page(tmp_path / "page", study)
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
    page = write_study_page(tmp_path / "page", make_study(len(IDS)) | {"color_by": values})
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
