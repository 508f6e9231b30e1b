import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from page_reading import HOSTILE, Page, make_distances, write_distances

from q2_aam.report.distance_scores import compare_distances, density_cells, pairs_of


def test_the_browser_draws_every_cell_bin_and_sample(distances_page, hostile_distances):
    compared = compare_distances(*hostile_distances)
    cells = density_cells(*pairs_of(compared))
    assert distances_page.marks("density", "rect") == len(cells)
    bins = distances_page.table("error-by-distance")
    assert distances_page.marks("errors-by-distance", "symbol") == len(bins)
    for figure in ("actual-ordination", "predicted-ordination", "error-by-sample"):
        assert distances_page.marks(figure, "symbol") == 40
    shown = distances_page.chart("actual-ordination")
    assert "{{7*7}}" in shown


def test_downloads_parse_back_to_the_numbers(distances_page, hostile_distances):
    predicted, actual = hostile_distances
    left, right = (pd.DataFrame(m, i, i).astype(float) for i, m in hostile_distances)
    samples = distances_page.table("samples")
    assert set(samples.index) == set(actual[0])
    assert samples["mean_absolute_error"].is_monotonic_decreasing
    shared = list(samples.index)
    error = (left.loc[shared, shared] - right.loc[shared, shared]).abs().sum() / 39
    np.testing.assert_allclose(samples["mean_absolute_error"], error[shared], rtol=1e-6)
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
    metadata = qiime2.Metadata.load(str(distances_page.folder / "downloads" / "samples.tsv"))
    assert metadata.get_column("mean_error").to_series().notna().all()


def test_the_page_says_how_much_was_compared(distances_page):
    distances_page.assert_says(
        "over 780 pairs of 40 samples", "Procrustes disparity", "stranger", "samples shown in grey"
    )


def test_a_prediction_of_zeros_makes_a_page(tmp_path):
    predicted, actual = make_distances(12)
    page = write_distances(tmp_path / "page", ((predicted[0], predicted[1] * 0), actual))
    assert "no ordinations" in page.text
    assert not (page.folder / "downloads" / "ordinations.tsv").exists()
    assert page.drawn_in_browser
    assert page.tags.count("figure") == 3


def as_artifact(ids, matrix) -> qiime2.Artifact:
    found = skbio.DistanceMatrix(matrix.astype(float), ids)
    return qiime2.Artifact.import_data("DistanceMatrix", found)


def test_the_action_writes_the_page(tmp_path, aam):
    predicted, actual = make_distances(15)
    sites = pd.Series(np.resize(np.array(HOSTILE[:3], object), 15), actual[0], name="site")
    sites.index.name = "id"
    (visualization,) = aam.evaluate_distances(
        as_artifact(*predicted), as_artifact(*actual), qiime2.CategoricalMetadataColumn(sites)
    )
    visualization.export_data(str(tmp_path / "page"))
    page = Page(tmp_path / "page")
    assert "over 105 pairs of 15 samples" in page.text
    assert page.table("samples")["color_by"].to_dict() == sites.to_dict()


def test_the_action_refuses_what_cannot_be_compared(aam, refused):
    predicted, actual = make_distances(12)
    others = [f"x{name}y" for name in predicted[0]]
    refused(
        lambda: aam.evaluate_distances(as_artifact(others, predicted[1]), as_artifact(*actual)),
        "the predicted distances", "the actual distances", "no ids in common",
    )  # fmt: skip
    large = as_artifact(actual[0], actual[1] * 90)
    refused(
        lambda: aam.evaluate_distances(as_artifact(*predicted), large),
        "Reading the actual distances", "outside [0, 1]",
    )  # fmt: skip
    blank = pd.Series(["a"], pd.Index(["someone else"], name="id"), name="site")
    refused(
        lambda: aam.evaluate_distances(
            as_artifact(*predicted), as_artifact(*actual), qiime2.CategoricalMetadataColumn(blank)
        ),
        "None of the 12 samples shown has a value", "'site'", "leave it out",
    )  # fmt: skip
