import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from page_reading import HOSTILE, Page, make_distances, write_distances
from scipy.spatial import procrustes
from scipy.stats import pearsonr
from skbio.stats.ordination import pcoa
from sklearn.metrics import mean_absolute_error, r2_score

from q2_aam.errors import AAMError
from q2_aam.report import distance_scores
from q2_aam.report.distance_scores import (
    MOST_ORDINATED,
    RESAMPLES,
    compare_distances,
    density_cells,
    error_bins,
    errors_by_sample,
    ordinate,
    pairs_of,
    score_distances,
)
from q2_aam.report.distances import write_headline


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


def test_samples_in_one_place_have_scores_but_no_ordination(tmp_path):
    predicted, actual = make_distances(12)
    page = write_distances(tmp_path / "page", ((predicted[0], predicted[1] * 0), actual))
    page.assert_says("no better than that", "all equal", "no ordinations")
    scores = page.table("scores")["value"]
    assert np.isnan(scores["correlation"])
    assert scores["r_squared"] < 0
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


def shared_pairs(predicted, actual):
    """Give the distances of shared pairs, each once, by way of pandas."""
    left, right = (pd.DataFrame(m, ids, ids).astype(float) for ids, m in (predicted, actual))
    shared = [name for name in predicted[0] if name in set(actual[0])]
    once = np.triu_indices(len(shared), 1)
    return tuple(frame.loc[shared, shared].to_numpy()[once] for frame in (left, right))


@pytest.fixture(params=[1, 40, 10**6], ids="rows at once {}".format)
def in_blocks(request, monkeypatch):
    monkeypatch.setattr(distance_scores, "_PAIRS_AT_ONCE", request.param * 60)


def test_scores_equal_those_of_scipy_and_scikit_learn(in_blocks):
    pair = make_distances(60)
    x, y = shared_pairs(*pair)
    scores = score_distances(compare_distances(*pair))
    found = {name: estimate.value for name, estimate in scores.estimates.items()}
    assert found["correlation"] == pytest.approx(pearsonr(x, y)[0])
    assert found["r_squared"] == pytest.approx(r2_score(y, x))
    assert found["mean_absolute_error"] == pytest.approx(mean_absolute_error(y, x))
    assert found["mean_error"] == pytest.approx((x - y).mean())
    assert found["spread_ratio"] == pytest.approx(x.std() / y.std())
    assert (scores.slope, scores.intercept) == pytest.approx(tuple(np.polyfit(y, x, 1)))
    assert scores.dummy_error == pytest.approx(np.abs(y - y.mean()).mean())
    for estimate in scores.estimates.values():
        assert estimate.lower < estimate.value < estimate.upper


def test_resamples_draw_samples_and_never_pair_a_sample_with_itself():
    pair = make_distances(12)
    x, y = (pd.DataFrame(m, i, i).loc[pair[1][0], pair[1][0]].to_numpy(float) for i, m in pair)
    drawn = np.random.default_rng(7).multinomial(12, np.full(12, 1 / 12), size=RESAMPLES)
    compared = compare_distances(pair[0], pair[1])
    order = [pair[1][0].index(name) for name in compared.ids]
    errors = []
    for counts in drawn:
        samples = np.repeat(np.array(order), counts)
        first, second = np.triu_indices(len(samples), 1)
        different = samples[first] != samples[second]
        rows, columns = samples[first][different], samples[second][different]
        errors.append(np.abs(x[rows, columns] - y[rows, columns]).mean())
    found = score_distances(compared, random_seed=7).estimates["mean_absolute_error"]
    assert (found.lower, found.upper) == pytest.approx(tuple(np.percentile(errors, [2.5, 97.5])))


def test_the_diagonal_is_not_looked_at():
    predicted, actual = make_distances(30)
    dirty = predicted[1].copy()
    np.fill_diagonal(dirty, 0.9)
    clean, other = (compare_distances((predicted[0], m), actual) for m in (predicted[1], dirty))
    assert score_distances(clean) == score_distances(other)
    assert [m.tolist() for m in pairs_of(clean)] == [m.tolist() for m in pairs_of(other)]
    pd.testing.assert_frame_equal(errors_by_sample(clean), errors_by_sample(other))
    pd.testing.assert_frame_equal(ordinate(clean).coordinates, ordinate(other).coordinates)


def test_every_pair_is_counted_once():
    pair = make_distances(60)
    x, y = shared_pairs(*pair)
    pairs = pairs_of(compare_distances(*pair))
    cells = density_cells(*pairs)
    assert cells["pairs"].sum() == len(x) == 60 * 59 // 2
    for cell in cells.to_dict("records")[::20]:
        inside = (y >= cell["actual_from"]) & (y < cell["actual_to"])
        inside &= (x >= cell["predicted_from"]) & (x < cell["predicted_to"])
        assert inside.sum() == cell["pairs"]
    bins = error_bins(*pairs)
    assert bins["pairs"].sum() == len(x)
    for row in bins.to_dict("records"):
        error = (x - y)[(y >= row["actual_from"]) & (y < row["actual_to"])]
        assert row["median"] == pytest.approx(np.median(error), abs=1e-6)
        assert row["lower_5"] == pytest.approx(np.quantile(error, 0.05), abs=1e-6)


def test_few_cells_are_drawn_for_millions_of_pairs():
    random = np.random.default_rng(0)
    assert len(density_cells(*random.uniform(size=(2, 10**6)))) <= 2500
    narrow = density_cells(*random.uniform(0.5, 0.51, size=(2, 10**5)))
    assert 16 <= len(narrow) <= 25
    assert narrow["pairs"].sum() == 10**5


def test_ordinations_are_those_of_scikit_bio_and_scipy():
    predicted, actual = make_distances(40)
    compared = compare_distances(predicted, actual)
    found = ordinate(compared)
    sides = []
    for ids, matrix in (actual, predicted):
        frame = pd.DataFrame(matrix, ids, ids).astype(float).loc[compared.ids, compared.ids]
        result = pcoa(skbio.DistanceMatrix(frame.to_numpy()))
        sides.append((result.samples.to_numpy()[:, :2], result.proportion_explained.to_numpy()))
    assert found.disparity == pytest.approx(procrustes(sides[0][0], sides[1][0])[2])
    assert found.actual_explained == pytest.approx(sides[0][1][:2])
    assert found.predicted_explained == pytest.approx(sides[1][1][:2])
    values = found.coordinates.to_numpy()
    assert ((values[:, :2] - values[:, 2:]) ** 2).sum() == pytest.approx(found.disparity)


def test_the_permutation_test_knows_noise_from_agreement():
    same = make_distances(40, noise=0.05)
    assert ordinate(compare_distances(*same)).p_value == pytest.approx(0.001)
    other = make_distances(40, seed=5)
    names = dict(zip(other[0][0], np.random.default_rng(1).permutation(other[0][0]), strict=True))
    shuffled = ([names[name] for name in other[0][0]], other[0][1])
    compared = compare_distances(shuffled, other[1])
    found = ordinate(compared)
    assert found.p_value > 0.05
    assert "do not show that" in write_headline(compared, score_distances(compared), found)


def test_the_same_seed_gives_the_same_page_numbers():
    compared = compare_distances(*make_distances(30))
    first, again, other = (ordinate(compared, seed) for seed in (1, 1, 2))
    assert first.p_value == again.p_value
    assert score_distances(compared, 1) == score_distances(compared, 1)
    assert score_distances(compared, 1) != score_distances(compared, 2)
    assert other.disparity == first.disparity


def test_many_samples_are_ordinated_in_part(monkeypatch):
    monkeypatch.setattr(distance_scores, "MOST_ORDINATED", 25)
    compared = compare_distances(*make_distances(60))
    found = ordinate(compared, 1)
    assert (len(found.coordinates), found.n_samples) == (25, 60)
    assert found.coordinates.index.equals(ordinate(compared, 1).coordinates.index)
    assert not found.coordinates.index.equals(ordinate(compared, 2).coordinates.index)
    assert MOST_ORDINATED == 1000


def test_too_few_shared_samples_are_refused():
    predicted, actual = make_distances(10)
    renamed = [name if name in ("sample 1", "sample 2") else f"x{name}y" for name in predicted[0]]
    with pytest.raises(AAMError, match="share only 2 samples: 'sample [12]', 'sample [12]'"):
        compare_distances((renamed, predicted[1]), actual)


def test_samples_of_one_matrix_are_counted():
    predicted, actual = make_distances(10)
    fewer = (actual[0][:-3] + ["other"], actual[1][:-2, :-2])
    counts = {entry["what"]: entry["count"] for entry in compare_distances(predicted, fewer).counts}
    assert list(counts.values()) == [7, 4, 1]
