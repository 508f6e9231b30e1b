import re
import time

import numpy as np
import pandas as pd
import pytest
import qiime2
from page_reading import (
    LARGEST_QZV,
    Page,
    assert_hostile_names_are_text,
    drawn_marks,
    layers_of,
    make_study,
    write_study_page,
)

from q2_aam.report.regression.charts import (
    chart_error_distribution,
    chart_predicted_against_actual,
    median_error_by_range,
)
from q2_aam.report.regression.samples import join_numbers
from q2_aam.report.samples import MOST_POINTS


def test_hostile_names_are_text(regression_page, as_html):
    assert_hostile_names_are_text(regression_page, as_html)


def test_predictions_parse_back_to_the_numbers(regression_page, hostile_study):
    table = regression_page.table("predictions")
    assert set(table.index) == set(hostile_study["truth"].index)
    pd.testing.assert_series_equal(
        table["predicted"], hostile_study["predictions"][table.index], check_names=False, rtol=1e-9
    )
    np.testing.assert_allclose(table["actual"], hostile_study["truth"][table.index], rtol=1e-9)
    np.testing.assert_allclose(table["error"], table["predicted"] - table["actual"], atol=1e-7)
    metadata = qiime2.Metadata.load(str(regression_page.folder / "downloads" / "predictions.tsv"))
    assert metadata.get_column("lower").to_series().notna().all()


def test_scores_parse_back_and_agree_with_the_predictions(regression_page):
    scores = regression_page.table("scores")
    table = regression_page.table("predictions")
    value = scores.loc["model: mean_absolute_error", "value"]
    assert value == pytest.approx(table["error"].abs().mean())
    baseline = scores.loc["baseline: mean_absolute_error", "value"]
    assert baseline == pytest.approx((table["baseline"] - table["actual"]).abs().mean())
    groups = regression_page.table("groups")
    assert groups["samples"].sum() == len(table)


def test_counts_of_samples_are_on_the_page_and_in_the_download(regression_page):
    counts = regression_page.table("samples")["count"]
    assert counts["samples evaluated here: predicted, and with a true value"] == 60
    assert "samples evaluated here" in regression_page.text
    assert "When the model was trained" in regression_page.text


def test_samples_that_trained_the_model_are_pointed_out(regression_page):
    assert "were used to fit the model" in regression_page.text


def test_the_browser_draws_a_point_and_an_interval_for_every_sample(regression_page):
    assert drawn_marks(regression_page, "predicted-against-actual", "symbol") == 60
    assert drawn_marks(regression_page, "predicted-against-actual", "rule", "line") == 60


def test_the_smallest_input_makes_a_page(tmp_path):
    study = make_study(1)
    page = write_study_page(
        tmp_path / "page", {name: study[name] for name in ("predictions", "truth")}
    )
    assert "over 1 sample" in page.text
    assert "baseline" not in page.source.split("<main")[1].split("</main>")[0].lower()


@pytest.fixture(scope="module")
def large_page(tmp_path_factory):
    started = time.monotonic()
    folder = tmp_path_factory.mktemp("large") / "page"
    page = write_study_page(folder, make_study(8000))
    page.seconds = time.monotonic() - started
    return page


def test_thousands_of_points_stay_small_and_quick(large_page):
    assert large_page.archive_size() < LARGEST_QZV
    assert f"Drawn are {MOST_POINTS:,} of the 8,000 samples" in large_page.text
    assert len(large_page.table("predictions")) == 8000
    assert large_page.seconds < 60


def test_the_worst_predicted_are_always_drawn(large_page):
    worst = large_page.table("predictions")["error"].abs().idxmax()
    assert f'"sample":"{worst}"' in large_page.source


def test_every_sample_is_a_point_and_both_axes_are_the_same():
    samples = join_numbers(**make_study(30))
    layers = layers_of(chart_predicted_against_actual(samples, 30))
    assert [layer["mark"]["type"] for layer in layers] == ["rule", "point", "line", "line"]
    scales = [layers[1]["encoding"][axis]["scale"]["domain"] for axis in "xy"]
    assert scales[0] == scales[1]
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
    svg = (page.folder / "downloads" / "error-distribution.svg").read_text()
    assert svg.count('aria-roledescription="bar"') == 1


def test_the_histogram_counts_every_sample_and_has_an_edge_at_zero(large_page):
    svg = (large_page.folder / "downloads" / "error-distribution.svg").read_text()
    counts = [int(n.replace(",", "")) for n in re.findall(r"Samples: ([0-9,]+)", svg)]
    assert sum(counts) == 8000


def test_medians_follow_the_errors():
    frame = join_numbers(**make_study(100)).frame
    assert len(median_error_by_range(frame)) == 10
    assert median_error_by_range(frame[:10]) == []


def test_the_action_writes_the_page(tmp_path):
    from q2_aam.actions.evaluate_regression import evaluate_regression

    study = make_study(20)
    for name in ("truth", "groups"):
        study[name].index.name = "id"
    study["truth"] = qiime2.NumericMetadataColumn(study["truth"])
    study["groups"] = qiime2.CategoricalMetadataColumn(study["groups"])
    evaluate_regression(str(tmp_path), **study)
    assert "over 20 samples" in Page(tmp_path).text
