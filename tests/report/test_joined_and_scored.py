"""Predictions joined with the truth, of numbers, classes and distances, and their scores.

Scores are those of scikit-learn and scipy; intervals are paired and drawn by group.
"""

import dataclasses
import re

import numpy as np
import page_reading as pages
import pandas as pd
import pytest
import skbio
from page_reading import make_classes, make_distances, make_shares, make_study
from scipy.spatial import procrustes
from scipy.stats import linregress, pearsonr, spearmanr
from skbio.stats.ordination import pcoa
from sklearn import metrics as sk

from q2_aam.errors import AAMError
from q2_aam.report import classification, distance_scores, distances, metrics, regression
from q2_aam.report import classification_scores as scoring
from q2_aam.report.classification_scores import join_classes, score_classification
from q2_aam.report.distance_scores import compare_distances, ordinate, pairs_of, score_distances
from q2_aam.report.evaluation import ALL_SAMPLES, BASELINE, DUMMY, MODEL, NO_GROUP
from q2_aam.report.regression import join_numbers, score_regression

NAMES = {MODEL: "this model", BASELINE: "baseline"}
MONTHS = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0, "d": np.nan, "fitted": 9.0}, name="month")
SITES = pd.Series({"a": "x", "b": "y", "c": "y", "d": np.nan, "fitted": "x"}, name="site")
NUMBERS = pd.Series({"c": 3.5, "a": 1.5, "b": 1.0, "d": 4.0, "stranger": 5.0})
CLASSES = pd.Series({"c": "x", "a": "x", "b": "y", "d": "x", "stranger": "y"})
SHARES = pd.DataFrame({"x": [0.7, 0.9, 0.2], "y": [0.3, 0.1, 0.8]}, index=["c", "a", "b"])


INTERVAL = pd.DataFrame({"lower": 2.0, "upper": 3.0}, index=["a"])


def elsewhere(values):
    """Give other samples the values."""
    return values.rename(lambda name: f"x{name}y")


@pytest.mark.parametrize(
    ("join", "predictions", "truth"),
    [(join_numbers, NUMBERS, MONTHS), (join_classes, CLASSES, SITES)],
)
def test_samples_are_joined_by_id_and_the_rest_is_counted(join, predictions, truth):
    samples = join(predictions, truth)
    shown = samples.frame.index.tolist()
    assert shown == ["c", "a", "b"]
    assert samples.frame["actual"].tolist() == truth[shown].tolist()
    assert samples.frame["predicted"].tolist() == predictions[shown].tolist()
    counts = {entry["what"]: (entry["count"], entry["examples"]) for entry in samples.counts}
    assert counts["samples left out: predicted, but not in the metadata"] == (1, ["stranger"])
    assert counts[f"samples left out: predicted, but blank in '{truth.name}'"] == (1, ["d"])
    not_predicted = next(value for name, value in counts.items() if "not predicted" in name)
    assert not_predicted == (1, ["fitted"])
    assert samples.warnings == []


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("no ids in common", (elsewhere(NUMBERS), MONTHS)),
        ("None of the 1 predicted sample.*'month'", (NUMBERS[["d"]], MONTHS)),
        ("2 values.*'a', 'b'.*regressor", (pd.Series({"a": "V", "b": "inf"}), MONTHS)),
        ("lack the columns 'lower'", (NUMBERS, MONTHS, SHARES.rename(columns={"x": "upper"}))),
        ("lower end above", (NUMBERS, MONTHS, INTERVAL.assign(upper=1.0))),
        ("no ids in common", (NUMBERS, MONTHS, elsewhere(INTERVAL))),
        ("1 sample.*not add up to 1", (NUMBERS, MONTHS, INTERVAL.join(make_shares(["a"]) * 2))),
        ("no ids in common", (elsewhere(CLASSES), SITES)),
        ("None of the 1 predicted sample.*'site'", (CLASSES[["d"]], SITES)),
        ("No predicted class occurs in.*'site'", (CLASSES.str.upper(), SITES)),
        ("no ids in common", (CLASSES, SITES, elsewhere(SHARES))),
        ("lack 1 evaluated sample, such as 'b'", (CLASSES, SITES, SHARES.drop("b"))),
        ("for 1 class.* 'y'.* 'x', 'z'", (CLASSES, SITES, SHARES.set_axis(["x", "z"], axis=1))),
        ("no baseline predictions", (CLASSES, SITES, None, None, SHARES)),
        ("baseline predictions and.*no ids in common", (CLASSES, SITES, None, elsewhere(CLASSES))),
        ("1 sample of 3 have a value beyond 1e.100: 'b'", (NUMBERS, MONTHS.replace(2.0, 1e101))),
        ("1 sample of 3 have a value beyond 1e.100: 'b'", (NUMBERS, MONTHS.replace(2.0, -1e308))),
    ],
)
def test_row_11_inputs_that_do_not_belong_together_are_refused(message, arguments):
    join = join_numbers if arguments[1].name == "month" else join_classes
    with pytest.raises(AAMError, match=re.compile(message, re.S)) as caught:
        join(*arguments)
    assert len(str(caught.value).splitlines()) <= 10


def test_coverage_counts_only_finite_intervals():
    ends = {"lower": [0.0, 2.5, -np.inf], "upper": [2.0, 4.0, np.inf]}
    intervals = pd.DataFrame(ends, index=list("abc"))
    scores = score_regression(join_numbers(NUMBERS, MONTHS, intervals), NAMES)
    assert (scores.n_inside, scores.n_intervals) == (1, 2)


def test_numeric_groups_and_blank_groups():
    groups = pd.Series({"a": 18.0, "b": 18.0, "c": np.nan}, name="subject")
    samples = join_numbers(NUMBERS, MONTHS, groups=groups)
    assert samples.frame["group"].to_dict() == {"a": "18", "b": "18", "c": NO_GROUP}
    assert samples.n_groups == 1


def test_a_blank_group_is_the_reason_why_a_sample_was_not_predicted():
    study = make_study(20)
    study["groups"].iloc[:3] = np.nan
    study["predictions"] = study["predictions"].iloc[4:]
    counts = {entry["what"]: entry["count"] for entry in join_numbers(**study).counts}
    assert counts["samples left out: not predicted, and blank in 'child'"] == 3
    assert [count for what, count in counts.items() if "used for fitting" in what] == [1]


def test_too_few_groups_are_not_drawn_whole_and_the_page_says_so():
    study = make_study(120)
    assert len(set(join_numbers(**study).group_codes)) == 10
    few = join_numbers(**study | {"groups": study["groups"].str[-1].isin(["0", "1"]).astype(str)})
    assert len(set(few.group_codes)) == 120
    assert "too few to draw" in few.describe_bootstrap()


@pytest.mark.parametrize(
    ("read", "lines", "message"),
    [
        ("classes", "prediction|s1\t|s2\ta", "no class for 1 sample, such as 's1'"),
        ("classes", "prediction|s1\ta|s1\tb", "1 sample more than once: 's1'"),
        ("classes", "a\tb|s1\t1\t0", "3 columns and must have two"),
        ("classes", "a|s1\ta\tb\tc", "no table of tab-separated columns"),
        ("probabilities", "a\ta|s1\t0.5\t0.5", "more than one column for .* 'a'"),
        ("probabilities", "a\tb|s1\t0.5\tx|s2\t1\t0", "from 0 to 1.* 1 sample: 's1'"),
        ("probabilities", "a\tb|s1\t0.5\tnan", "not numbers from 0 to 1.* for 1 sample"),
        ("probabilities", "a\tb|s1\t1.5\t-0.5", "not numbers from 0 to 1.* 1 sample"),
        ("probabilities", "a\tb|s1\t0.2\t0.2", "add up to 1"),
        ("probabilities", "a|s1\t1|s1\t1", "1 sample more than once"),
    ],
)
def test_bad_tables_are_refused(tmp_path, read, lines, message):
    (tmp_path / "table.tsv").write_text("id\t" + lines.replace("|", "\n") + "\n")
    with pytest.raises(AAMError, match=message):
        getattr(scoring, f"read_{read}")(tmp_path / "table.tsv")


def test_a_class_that_the_model_does_not_know_is_told_and_counts():
    probabilities = pd.DataFrame({"x": 1.0}, index=SHARES.index)
    samples = join_classes(CLASSES.replace("y", "x"), SITES.replace("y", "rare"), probabilities)
    assert samples.classes == ("rare", "x")
    assert samples.probabilities[:, 0].tolist() == [0, 0, 0]
    assert "does not know 1 class of the samples shown here: 'rare'" in samples.warnings[0]
    row = score_classification(samples, NAMES).rows[MODEL]
    assert row.estimates["accuracy"].value == pytest.approx(1 / 3)


def test_classes_stand_in_the_order_that_people_expect():
    truth = pd.Series(["week 10", "week 2", "Adult", "adult", "week 1"], list("abcde"), name="age")
    assert join_classes(truth, truth).classes == ("Adult", "adult", "week 1", "week 2", "week 10")


def test_predictions_of_another_run_than_the_probabilities_are_told():
    samples = join_classes(CLASSES, SITES, 1 - SHARES)
    assert "For 3 samples, the model predicted another class" in samples.warnings[0]


def check_headlines(page, join, score, truth, cases):
    for predictions, baseline, words in cases:
        samples = join(predictions, truth, baseline_predictions=baseline)
        assert words in page.write_headline(samples, score(samples, NAMES), NAMES)


def test_the_headline_is_honest_about_the_winner_of_numbers():
    study = make_study(120)
    good, bad, truth = (study[n] for n in ("predictions", "baseline_predictions", "truth"))
    useless = pd.Series(np.random.default_rng(0).uniform(-40, 60, 120), truth.index)
    cases = [
        (good, bad, "the model's error is smaller by"),
        (bad, good, "the baseline is better"),
        (good, good + np.tile([0.001, -0.001], 60), "too few to tell"),
        (good, good, "exactly as much"),
        (useless, None, "is better and misses"),
        (useless, bad, "the model is of no use here"),
        (good, None, "would miss by"),
    ]
    check_headlines(regression, join_numbers, score_regression, truth, cases)


def test_the_headline_is_honest_about_the_winner_of_classes():
    study = make_classes(200, ["a", "b", "c"])
    good, bad, truth = (study[n] for n in ("predictions", "baseline_predictions", "truth"))
    frequent, nearly = truth.value_counts().index[0], good.copy()
    nearly.iloc[0] = truth.iloc[0] if good.iloc[0] != truth.iloc[0] else "c"
    constant = pd.Series(frequent, good.index)
    cases = [
        (good, bad, "the model is better; always predicting"),
        (bad, good, "it is better than the model"),
        (good, good, "exactly as often"),
        (nearly, good, "too few to tell"),
        (good, None, f"always predicting '{frequent}'"),
        (truth.map({"a": "b", "b": "c", "c": "a"}), None, "is right more often"),
        (constant, None, "do not show that the model tells the classes apart"),
    ]
    check_headlines(classification, join_classes, score_classification, truth, cases)


def values_of(row) -> dict:
    return {name: estimate.value for name, estimate in row.estimates.items()}


@pytest.mark.parametrize("offset", [0, 1e6])  # a large one leaves few digits
def test_scores_of_numbers_are_those_of_scikit_learn_and_scipy(offset):
    study = make_study(60)
    samples = join_numbers(study["predictions"] + offset, study["truth"] + offset)
    found = values_of(score_regression(samples, NAMES).rows[MODEL])
    actual, predicted = samples.frame["actual"], samples.frame["predicted"]
    line = linregress(actual, predicted)
    assert found == pytest.approx({
        "mean_absolute_error": sk.mean_absolute_error(actual, predicted),
        "root_mean_squared_error": sk.mean_squared_error(actual, predicted) ** 0.5,
        "r_squared": sk.r2_score(actual, predicted),
        "spearman_correlation": spearmanr(actual, predicted)[0],
        "slope": line.slope, "intercept": line.intercept, "p_value": line.pvalue,
    })  # fmt: skip


def test_scores_that_are_not_defined_are_blank():
    truth = pd.Series(3.0, [f"s{n}" for n in range(10)], name="ph")
    samples = join_numbers(truth + np.arange(10), truth)
    found = score_regression(samples, NAMES).rows[MODEL].estimates
    for name in ("r_squared", "spearman_correlation", "slope"):
        assert np.isnan(found[name]).all(), name
    assert found["mean_absolute_error"].has_interval


def test_intervals_hold_the_value_are_the_same_every_time_and_wider_by_whole_groups():
    errors = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)
    groups, drawn = np.repeat(np.arange(20), 10), []

    def estimate(groups):
        drawn.clear()
        return metrics.bootstrap(
            lambda rows: drawn.append(rows) or np.abs(errors[rows]).mean(keepdims=True), groups
        )

    (single,) = estimate(np.arange(200))
    assert single.lower < single.value < single.upper
    assert [single] == estimate(np.arange(200))
    assert not estimate(np.zeros(200, int))[0].has_interval
    (grouped,) = estimate(groups)
    assert grouped.value == pytest.approx(single.value)
    assert grouped.upper - grouped.lower > 1.5 * (single.upper - single.lower)
    for rows in drawn[1:]:
        assert np.ptp(np.bincount(rows, minlength=200).reshape(20, 10), axis=1).max() == 0


@pytest.mark.parametrize(
    ("study", "join", "score", "known", "better"),
    [
        (make_study(120), join_numbers, score_regression, 5.0, -1),
        (make_classes(120, ["a", "b", "c"]), join_classes, score_classification, {"b": 9}, 1),
    ],
)
def test_model_baseline_and_dummy_are_compared_on_the_same_samples(
    study, join, score, known, better
):
    study["baseline_predictions"] = study["baseline_predictions"][:100]
    scores = score(join(**study), NAMES, known)
    sizes = {name: row.n_samples for name, row in scores.rows.items()}
    assert sizes == {MODEL: 100, BASELINE: 100, DUMMY: 100, ALL_SAMPLES: 120}
    for other, of_metrics in scores.differences.items():
        ours, theirs = values_of(scores.rows[MODEL]), values_of(scores.rows[other])
        for name in set(of_metrics) - {"slope", "intercept", "p_value"}:  # of lines: no intervals
            found, expected = of_metrics[name], better * (ours[name] - theirs[name])
            assert found.value == pytest.approx(expected, nan_ok=other == DUMMY)
            assert np.isnan(expected) or found.lower < found.value < found.upper
    assert set(scores.differences) == {BASELINE, DUMMY}
    truth = study["truth"][study["baseline_predictions"].index]
    of_dummy = values_of(scores.rows[DUMMY])
    if better < 0:
        assert of_dummy["mean_absolute_error"] == pytest.approx((truth - 5).abs().mean())
        assert "training samples" in scores.rows[DUMMY].label
    else:
        assert of_dummy["accuracy"] == pytest.approx((truth == "b").mean())


@pytest.mark.parametrize("n_classes", [2, 3, 7, 30])
def test_scores_of_classes_are_those_of_scikit_learn(n_classes):
    classes = [f"class {n}" for n in range(n_classes)]
    samples = join_classes(**make_classes(40 * n_classes, classes, noise=1.5))
    # ties: equal probabilities count half
    samples = dataclasses.replace(samples, probabilities=samples.probabilities.round(2))
    row = score_classification(samples, NAMES).rows[MODEL]
    actual, predicted, labels = *samples.frame[["actual", "predicted"]].T.values, samples.classes
    codes, given, found = samples.codes("actual"), samples.probabilities, values_of(row)
    accuracy, onehot = sk.accuracy_score(actual, predicted), np.eye(n_classes)[codes]
    areas = [sk.roc_auc_score(onehot[:, c], given[:, c]) for c in range(n_classes)]
    assert found == pytest.approx({
        "accuracy": accuracy,
        "accuracy_ratio": accuracy / pd.Series(actual).value_counts(normalize=True).iloc[0],
        "balanced_accuracy": sk.balanced_accuracy_score(actual, predicted),
        "macro_f1": sk.f1_score(actual, predicted, average="macro"),
        "macro_auc": np.mean(areas),
        "micro_auc": sk.roc_auc_score(onehot.ravel(), given.ravel()),
    })  # fmt: skip
    *by_class, n_actual = sk.precision_recall_fscore_support(actual, predicted, labels=labels)
    for name, values in zip(["precision", "recall", "f1", "auc"], [*by_class, areas], strict=True):
        assert [scores[name].value for scores in row.by_class] == pytest.approx(list(values)), name
    assert samples.count("actual").tolist() == n_actual.tolist()


def test_scores_of_classes_that_are_not_defined_are_blank_and_not_zero():
    study = make_classes(60, ["a", "b", "c"])
    study["predictions"] = study["predictions"].replace({"c": "never seen"})
    samples = join_classes(study["predictions"], study["truth"])
    row = score_classification(samples, NAMES).rows[MODEL]
    by_class = dict(zip(samples.classes, row.by_class, strict=True))
    assert np.isnan(by_class["c"]["precision"].value)
    assert by_class["c"]["recall"].value == by_class["c"]["f1"].value == 0
    assert np.isnan(by_class["never seen"]["recall"].value)
    assert np.isnan(row.estimates["macro_auc"].value)
    expected = sk.f1_score(*samples.frame[["actual", "predicted"]].T.values, average="macro")
    assert row.estimates["macro_f1"].value == pytest.approx(expected)


def test_a_model_compared_with_itself_differs_by_nothing():
    study = make_classes(60, ["a", "b"])
    study |= {f"baseline_{name}": study[name] for name in ("predictions", "probabilities")}
    found = score_classification(join_classes(**study), NAMES).differences[BASELINE]
    for estimate in found.values():
        assert estimate.value == estimate.lower == estimate.upper == 0


def test_the_dummy_answers_the_most_frequent_class_of_the_training_samples():
    samples = join_classes(**make_classes(41, ["a", "b", "c"]))
    shown = samples.frame["actual"].mode()[0]
    for trained, dummy, words in (
        (None, shown, "the most frequent class of the samples shown here"),
        ({"unseen": 50}, shown, "the most frequent class of the samples shown here"),
        ({"a": 3, "b": 9, "unseen": 50}, "b", "the most frequent class of the training samples"),
        ({"a": 9, "b": 9}, "a", "one of the most frequent classes of the training samples"),
    ):
        scores = score_classification(samples, NAMES, trained)
        assert (scores.dummy, scores.dummy_is) == (dummy, words)


def test_calibration_bins_hold_every_sample_once_and_their_means():
    random = np.random.default_rng(0)
    probability = np.round(random.uniform(size=500), 2)
    happened = random.uniform(size=500) < probability
    table = scoring.calibration_bins(probability, happened)
    assert (len(table), table["samples"].sum()) == (10, 500)
    assert table["samples"].between(40, 60).all()
    assert table["share"] @ table["samples"] / 500 == pytest.approx(happened.mean())
    assert table["share"].between(table["lower"], table["upper"], inclusive="neither").all()
    assert scoring.calibration_error(table) < 0.08
    assert scoring.calibration_error(scoring.calibration_bins(1 - probability, happened)) > 0.3


def test_equal_probabilities_share_a_bin_with_wilsons_interval():
    table = scoring.calibration_bins(np.ones(20), np.arange(20) < 2)
    assert len(table) == 1
    ends = table[["share", "lower", "upper"]].to_numpy()[0]
    assert ends == pytest.approx([0.1, 0.0279, 0.3010], abs=1e-4)


def shared_pairs(pair):
    """Give the distances of shared pairs, each once."""
    shared, *matrices = pages.in_one_order(*pair)
    return tuple(matrix[np.triu_indices(len(shared), 1)] for matrix in matrices)


@pytest.mark.parametrize("pairs_at_once", [60, 2400, 6 * 10**7])
def test_scores_equal_those_of_scipy_and_scikit_learn(pairs_at_once, monkeypatch):
    monkeypatch.setattr(distance_scores, "_PAIRS_AT_ONCE", pairs_at_once)
    pair = make_distances(60)
    x, y = shared_pairs(pair)
    scores = score_distances(compare_distances(*pair))
    assert {name: found.value for name, found in scores.estimates.items()} == pytest.approx({
        "correlation": pearsonr(x, y)[0], "r_squared": sk.r2_score(y, x),
        "mean_absolute_error": sk.mean_absolute_error(y, x), "mean_error": (x - y).mean(),
        "spread_ratio": x.std() / y.std(),
    })  # fmt: skip
    assert (scores.slope, scores.intercept) == pytest.approx(tuple(np.polyfit(y, x, 1)))
    assert scores.dummy_error == pytest.approx(np.abs(y - y.mean()).mean())
    for estimate in scores.estimates.values():
        assert estimate.lower < estimate.value < estimate.upper


def test_resamples_draw_samples_and_never_pair_a_sample_with_itself():
    pair, errors = make_distances(12), []
    _, x, y = pages.in_one_order(*pair)
    random = np.random.default_rng(7)
    for counts in random.multinomial(12, np.full(12, 1 / 12), size=distance_scores.RESAMPLES):
        samples = np.repeat(np.arange(12), counts)
        first, second = samples[np.array(np.triu_indices(len(samples), 1))]
        different = first != second
        errors.append(np.abs(x - y)[first[different], second[different]].mean())
    scores = score_distances(compare_distances(*pair), random_seed=7)
    ends = scores.estimates["mean_absolute_error"][1:]
    assert ends == pytest.approx(tuple(np.percentile(errors, [2.5, 97.5])))


def test_every_pair_is_counted_once():
    pair = make_distances(60)
    x, y = shared_pairs(pair)
    pairs = pairs_of(compare_distances(*pair))
    cells, bins = distance_scores.density_cells(*pairs), distance_scores.error_bins(*pairs)
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
    assert len(distance_scores.density_cells(*random.uniform(size=(2, 10**6)))) <= 2500
    narrow = distance_scores.density_cells(*random.uniform(0.5, 0.51, size=(2, 10**5)))
    assert 16 <= len(narrow) <= 25
    assert narrow["pairs"].sum() == 10**5


def test_ordinations_are_those_of_scikit_bio_and_scipy():
    pair = make_distances(40)
    found, (_, *matrices) = ordinate(compare_distances(*pair)), pages.in_one_order(*pair)
    predicted, actual = (pcoa(skbio.DistanceMatrix(matrix)) for matrix in matrices)
    places = (side.samples.to_numpy()[:, :2] for side in (actual, predicted))
    assert found.disparity == pytest.approx(procrustes(*places)[2])
    for shares, side in ((found.actual_explained, actual), (found.predicted_explained, predicted)):
        assert shares == pytest.approx(side.proportion_explained.to_numpy()[:2])
    values = found.coordinates.to_numpy()
    assert ((values[:, :2] - values[:, 2:]) ** 2).sum() == pytest.approx(found.disparity)


def test_the_permutation_test_knows_noise_from_agreement():
    alike = ordinate(compare_distances(*make_distances(40, noise=0.05)))
    assert alike.p_value == pytest.approx(0.001)
    (ids, matrix), actual = make_distances(40, seed=5)
    compared = compare_distances((list(np.random.default_rng(1).permutation(ids)), matrix), actual)
    found = ordinate(compared)
    assert found.p_value > 0.05
    assert "do not show" in distances.write_headline(compared, score_distances(compared), found)


def test_the_same_seed_gives_the_same_numbers_and_ordinates_the_same_of_many_samples(monkeypatch):
    compared = compare_distances(*make_distances(60))
    first, again, other = (ordinate(compared, seed) for seed in (1, 1, 2))
    assert first.p_value == again.p_value
    assert score_distances(compared, 1) == score_distances(compared, 1)
    assert score_distances(compared, 1) != score_distances(compared, 2)
    assert other.disparity == first.disparity
    monkeypatch.setattr(distance_scores, "MOST_ORDINATED", 25)
    first, again, other = (ordinate(compared, seed) for seed in (1, 1, 2))
    assert (len(first.coordinates), first.n_samples) == (25, 60)
    assert first.coordinates.index.equals(again.coordinates.index)
    assert not first.coordinates.index.equals(other.coordinates.index)


def test_samples_of_one_matrix_are_counted_too_few_refused_and_no_diagonal_is_looked_at():
    predicted, actual = make_distances(10)
    renamed = [name if name in ("sample 1", "sample 2") else f"x{name}y" for name in predicted[0]]
    with pytest.raises(AAMError, match="share only 2 samples: 'sample [12]', 'sample [12]'"):
        compare_distances((renamed, predicted[1]), actual)
    ids, matrix = actual
    np.fill_diagonal(predicted[1], 0.9)
    compared = compare_distances(predicted, ([*ids[:-3], "other"], matrix[:-2, :-2]))
    assert not compared.predicted.diagonal().any()
    assert [entry["count"] for entry in compared.counts] == [7, 4, 1]
