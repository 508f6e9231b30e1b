import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from page_reading import HOSTILE, Page, make_distances, write_distances
from scipy.spatial import procrustes
from scipy.stats import pearsonr
from simulated_study import column_of, distances_artifact
from skbio.stats.ordination import pcoa
from sklearn.metrics import mean_absolute_error, r2_score

from q2_aam.errors import AAMError
from q2_aam.report import distance_scores as scoring
from q2_aam.report.distance_scores import compare_distances, density_cells, ordinate, pairs_of
from q2_aam.report.distances import write_headline


def compared_of(*arguments, **options):
    return compare_distances(*make_distances(*arguments, **options))


def in_one_order(predicted, actual) -> tuple[list, np.ndarray, np.ndarray]:
    """Give the shared samples and both matrices of them, by way of pandas."""
    shared = [name for name in predicted[0] if name in set(actual[0])]
    frames = (pd.DataFrame(matrix, ids, ids).astype(float) for ids, matrix in (predicted, actual))
    return shared, *(frame.loc[shared, shared].to_numpy() for frame in frames)


def shared_pairs(pair):
    """Give the distances of shared pairs, each once."""
    shared, *matrices = in_one_order(*pair)
    return tuple(matrix[np.triu_indices(len(shared), 1)] for matrix in matrices)


def test_the_browser_draws_every_cell_bin_and_sample(distances_page, hostile_distances):
    cells = density_cells(*pairs_of(compare_distances(*hostile_distances)))
    assert distances_page.marks("density", "rect") == len(cells)
    bins = distances_page.table("error-by-distance")
    assert distances_page.marks("errors-by-distance", "symbol") == len(bins)
    for figure in ("actual-ordination", "predicted-ordination", "error-by-sample"):
        assert distances_page.marks(figure, "symbol") == 40
    assert "{{7*7}}" in distances_page.chart("actual-ordination")


def test_downloads_parse_back_to_the_numbers(distances_page, hostile_distances):
    shared, predicted, actual = in_one_order(*hostile_distances)
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
    predicted, actual = make_distances(12)
    page = write_distances(tmp_path / "page", ((predicted[0], predicted[1] * 0), actual))
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
    predicted, actual = make_distances(15)
    ids = pd.Index(actual[0], name="id")
    sites = pd.Series(np.resize(np.array(HOSTILE[:3], object), 15), ids, name="site")
    matrices = as_artifact(*predicted), as_artifact(*actual)
    page = Page.of(aam.evaluate_distances(*matrices, column_of(sites)), tmp_path / "page")
    assert "over 105 pairs of 15 samples" in page.text
    assert page.table("samples")["color_by"].to_dict() == sites.to_dict()


def test_the_action_refuses_what_cannot_be_compared(aam, refused):
    predicted, actual = make_distances(12)
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


@pytest.mark.parametrize("pairs_at_once", [60, 2400, 6 * 10**7])
def test_scores_equal_those_of_scipy_and_scikit_learn(pairs_at_once, monkeypatch):
    monkeypatch.setattr(scoring, "_PAIRS_AT_ONCE", pairs_at_once)
    pair = make_distances(60)
    x, y = shared_pairs(pair)
    scores = scoring.score_distances(compare_distances(*pair))
    assert {name: found.value for name, found in scores.estimates.items()} == pytest.approx({
        "correlation": pearsonr(x, y)[0], "r_squared": r2_score(y, x),
        "mean_absolute_error": mean_absolute_error(y, x), "mean_error": (x - y).mean(),
        "spread_ratio": x.std() / y.std(),
    })  # fmt: skip
    assert (scores.slope, scores.intercept) == pytest.approx(tuple(np.polyfit(y, x, 1)))
    assert scores.dummy_error == pytest.approx(np.abs(y - y.mean()).mean())
    for estimate in scores.estimates.values():
        assert estimate.lower < estimate.value < estimate.upper


def test_resamples_draw_samples_and_never_pair_a_sample_with_itself():
    pair, errors = make_distances(12), []
    _, x, y = in_one_order(*pair)
    random = np.random.default_rng(7)
    for counts in random.multinomial(12, np.full(12, 1 / 12), size=scoring.RESAMPLES):
        samples = np.repeat(np.arange(12), counts)
        first, second = samples[np.array(np.triu_indices(len(samples), 1))]
        different = first != second
        errors.append(np.abs(x - y)[first[different], second[different]].mean())
    found = scoring.score_distances(compare_distances(*pair), random_seed=7)
    found = found.estimates["mean_absolute_error"]
    assert (found.lower, found.upper) == pytest.approx(tuple(np.percentile(errors, [2.5, 97.5])))


def test_the_diagonal_is_not_looked_at():
    predicted, actual = make_distances(30)
    dirty = predicted[1].copy()
    np.fill_diagonal(dirty, 0.9)
    clean, other = (compare_distances((predicted[0], m), actual) for m in (predicted[1], dirty))
    assert scoring.score_distances(clean) == scoring.score_distances(other)
    assert [m.tolist() for m in pairs_of(clean)] == [m.tolist() for m in pairs_of(other)]
    errors = scoring.errors_by_sample(clean), scoring.errors_by_sample(other)
    pd.testing.assert_frame_equal(*errors)
    pd.testing.assert_frame_equal(ordinate(clean).coordinates, ordinate(other).coordinates)


def test_every_pair_is_counted_once():
    pair = make_distances(60)
    x, y = shared_pairs(pair)
    pairs = pairs_of(compare_distances(*pair))
    cells, bins = density_cells(*pairs), scoring.error_bins(*pairs)
    assert cells["pairs"].sum() == bins["pairs"].sum() == len(x) == 60 * 59 // 2
    for cell in cells.to_dict("records")[::20]:
        inside = (y >= cell["actual_from"]) & (y < cell["actual_to"])
        inside &= (x >= cell["predicted_from"]) & (x < cell["predicted_to"])
        assert inside.sum() == cell["pairs"]
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
    pair = make_distances(40)
    found, (_, *matrices) = ordinate(compare_distances(*pair)), in_one_order(*pair)
    predicted, actual = (pcoa(skbio.DistanceMatrix(matrix)) for matrix in matrices)
    places = (side.samples.to_numpy()[:, :2] for side in (actual, predicted))
    assert found.disparity == pytest.approx(procrustes(*places)[2])
    for shares, side in ((found.actual_explained, actual), (found.predicted_explained, predicted)):
        assert shares == pytest.approx(side.proportion_explained.to_numpy()[:2])
    values = found.coordinates.to_numpy()
    assert ((values[:, :2] - values[:, 2:]) ** 2).sum() == pytest.approx(found.disparity)


def test_the_permutation_test_knows_noise_from_agreement():
    assert ordinate(compared_of(40, noise=0.05)).p_value == pytest.approx(0.001)
    (ids, matrix), actual = make_distances(40, seed=5)
    compared = compare_distances((list(np.random.default_rng(1).permutation(ids)), matrix), actual)
    found = ordinate(compared)
    assert found.p_value > 0.05
    assert "do not show" in write_headline(compared, scoring.score_distances(compared), found)


def test_the_same_seed_gives_the_same_numbers_and_ordinates_the_same_of_many_samples(monkeypatch):
    compared = compared_of(60)
    first, again, other = (ordinate(compared, seed) for seed in (1, 1, 2))
    assert first.p_value == again.p_value
    assert scoring.score_distances(compared, 1) == scoring.score_distances(compared, 1)
    assert scoring.score_distances(compared, 1) != scoring.score_distances(compared, 2)
    assert other.disparity == first.disparity
    monkeypatch.setattr(scoring, "MOST_ORDINATED", 25)
    first, again, other = (ordinate(compared, seed) for seed in (1, 1, 2))
    assert (len(first.coordinates), first.n_samples) == (25, 60)
    assert first.coordinates.index.equals(again.coordinates.index)
    assert not first.coordinates.index.equals(other.coordinates.index)


def test_samples_of_one_matrix_are_counted_and_too_few_shared_ones_refused():
    predicted, actual = make_distances(10)
    renamed = [name if name in ("sample 1", "sample 2") else f"x{name}y" for name in predicted[0]]
    with pytest.raises(AAMError, match="share only 2 samples: 'sample [12]', 'sample [12]'"):
        compare_distances((renamed, predicted[1]), actual)
    ids, matrix = actual
    compared = compare_distances(predicted, ([*ids[:-3], "other"], matrix[:-2, :-2]))
    assert [entry["count"] for entry in compared.counts] == [7, 4, 1]
