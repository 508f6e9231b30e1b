import numpy as np
import pytest
from page_reading import make_classes
from sklearn import metrics as sklearn_metrics

from q2_aam.report.calibration import calibration_bins, calibration_error, wilson_interval
from q2_aam.report.classification_metrics import BY_CLASS, OVERALL, area_under_roc
from q2_aam.report.classification_scores import (
    BASELINE,
    CONSTANT,
    MODEL,
    _all_scores,
    score_classification,
)
from q2_aam.report.classified_samples import join_classified_samples
from q2_aam.report.probability_curves import list_contests, positive_class


def joined(n_samples=90, classes=("a", "b", "c", "d"), without=(), **options):
    study = make_classes(n_samples, list(classes), **options)
    return join_classified_samples(**{k: v for k, v in study.items() if k not in without})


@pytest.mark.parametrize("n_classes", [2, 3, 7, 30])
def test_scores_equal_those_of_scikit_learn(n_classes):
    samples = joined(40 * n_classes, [f"class {n}" for n in range(n_classes)], noise=1.5)
    row = score_classification(samples).row(MODEL)
    actual, predicted, labels = *samples.frame[["actual", "predicted"]].T.values, samples.classes
    found = {name: estimate.value for name, estimate in row.overall.items()}
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(actual, predicted))
    balanced = sklearn_metrics.balanced_accuracy_score(actual, predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    macro_f1 = sklearn_metrics.f1_score(actual, predicted, average="macro")
    assert found["macro_f1"] == pytest.approx(macro_f1)
    if n_classes == 2:
        area = sklearn_metrics.roc_auc_score(actual == labels[1], samples.probabilities[:, 1])
    else:
        area = sklearn_metrics.roc_auc_score(
            samples.codes("actual"), samples.probabilities, multi_class="ovr"
        )
    assert found["macro_auc"] == pytest.approx(area)
    expected = sklearn_metrics.precision_recall_fscore_support(actual, predicted, labels=labels)
    for name, values in zip(["precision", "recall", "f1"], expected, strict=False):
        ours = [scores[name].value for scores in row.by_class]
        assert ours == pytest.approx(list(values)), name
    assert row.n_actual.tolist() == expected[3].tolist()


def test_weights_count_like_repeated_samples():
    samples = joined(50)
    counts = np.random.default_rng(1).integers(0, 4, 50)
    given = samples.codes("actual"), samples.codes("predicted"), samples.probabilities
    weighted = _all_scores(*given, 4, counts[None].astype(float))
    repeated = _all_scores(
        *(np.repeat(v, counts, axis=0) for v in given), 4, np.ones((1, counts.sum()))
    )
    np.testing.assert_allclose(weighted, repeated)
    assert weighted.shape == (1, len(OVERALL) + 4 * len(BY_CLASS))


def test_equal_probabilities_count_half():
    random = np.random.default_rng(0)
    actual = random.integers(0, 2, 200)
    shares = np.round(random.uniform(size=200), 1)
    ours = area_under_roc(actual, np.stack([1 - shares, shares], axis=1), np.ones((1, 200)))[0]
    assert ours == pytest.approx([sklearn_metrics.roc_auc_score(actual, shares)] * 2)


def test_undefined_scores_are_blank_and_not_zero():
    study = make_classes(60, ["a", "b", "c"])
    study["predictions"] = study["predictions"].replace({"c": "never seen"})
    samples = join_classified_samples(study["predictions"], study["truth"])
    row = score_classification(samples).row(MODEL)
    by_class = dict(zip(samples.classes, row.by_class, strict=True))
    assert np.isnan(by_class["c"]["precision"].value)
    assert by_class["c"]["recall"].value == by_class["c"]["f1"].value == 0
    assert np.isnan(by_class["never seen"]["recall"].value)
    assert by_class["never seen"]["precision"].value == by_class["never seen"]["f1"].value == 0
    frame = samples.frame
    expected = sklearn_metrics.f1_score(frame["actual"], frame["predicted"], average="macro")
    assert row.overall["macro_f1"].value == pytest.approx(expected)
    assert np.isnan(row.overall["macro_auc"].value)


def test_differences_are_paired_and_on_the_same_samples():
    study = make_classes(100, ["a", "b", "c"])
    study["baseline_predictions"] = study["baseline_predictions"][:80]
    samples = join_classified_samples(**study)
    scores = score_classification(samples)
    assert [(row.predictor, row.n_samples) for row in scores.rows] == [
        (MODEL, 80), (BASELINE, 80), (CONSTANT, 80), (MODEL, 100),
    ]  # fmt: skip
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc"):
        ours, other = (scores.row(who).overall[metric] for who in (MODEL, BASELINE))
        difference = scores.differences[BASELINE][metric]
        assert difference.value == pytest.approx(ours.value - other.value)
        assert difference.lower < difference.value < difference.upper
    most = samples.frame["actual"][:80].value_counts()
    assert scores.constant == most.index[0]
    assert scores.row(CONSTANT).overall["accuracy"].value == pytest.approx(most.iloc[0] / 80)


def test_a_model_compared_with_itself_differs_by_nothing():
    study = make_classes(60, ["a", "b"])
    study["baseline_predictions"] = study["predictions"]
    study["baseline_probabilities"] = study["probabilities"]
    found = score_classification(join_classified_samples(**study)).differences[BASELINE]
    for estimate in found.values():
        assert estimate.value == estimate.lower == estimate.upper == 0


def test_drawing_whole_groups_widens_intervals():
    study = make_classes(200, ["a", "b"])
    study = {name: study[name] for name in ("predictions", "truth")}
    study["predictions"][:] = study["truth"]
    study["predictions"].iloc[:50] = "a"
    groups = study["truth"].copy()
    groups[:] = [f"subject {place // 10}" for place in range(200)]
    single = score_classification(join_classified_samples(**study)).row(MODEL)
    grouped = score_classification(join_classified_samples(**study, groups=groups)).row(MODEL)
    widths = [r.overall["accuracy"].upper - r.overall["accuracy"].lower for r in (single, grouped)]
    assert widths[1] > 1.5 * widths[0]


def test_of_two_classes_the_rarer_one_is_looked_for():
    study = make_classes(100, ["healthy", "ill"])
    rarer = study["truth"].value_counts().index[-1]
    samples = join_classified_samples(**study)
    assert positive_class(samples) == rarer
    contests = list_contests(samples)
    assert [contest.name for contest in contests] == ["this model", "baseline"]
    assert contests[0].is_class.sum() == (study["truth"] == rarer).sum()
    assert positive_class(joined(60)) is None


def test_of_many_classes_the_most_frequent_have_curves():
    samples = joined(
        2000,
        [f"class {n}" for n in range(12)],
        without=["baseline_predictions", "baseline_probabilities"],
    )
    names = [contest.name for contest in list_contests(samples)]
    assert set(names) == set(samples.frame["actual"].value_counts().index[:8])


def test_calibration_bins_hold_every_sample_once_and_their_means():
    random = np.random.default_rng(0)
    probability = np.round(random.uniform(size=500), 2)
    happened = random.uniform(size=500) < probability
    table = calibration_bins(probability, happened)
    assert len(table) == 10
    assert table["samples"].sum() == 500
    assert table["samples"].between(40, 60).all()
    weighted = (table["share"] * table["samples"]).sum() / 500
    assert weighted == pytest.approx(happened.mean())
    assert (table["lower"] < table["share"]).all()
    assert (table["upper"] > table["share"]).all()
    assert calibration_error(table) < 0.08
    assert calibration_error(calibration_bins(1 - probability, happened)) > 0.3


def test_equal_probabilities_share_a_bin():
    table = calibration_bins(np.ones(100), np.arange(100) % 4 > 0)
    assert len(table) == 1
    assert table["share"].tolist() == [0.75]


def test_the_interval_of_a_share_is_wilsons():
    low, high = wilson_interval(np.array([0.1]), np.array([20]))
    assert (low[0], high[0]) == (pytest.approx(0.0279, abs=1e-4), pytest.approx(0.3010, abs=1e-4))
    low, high = wilson_interval(np.array([1.0]), np.array([10]))
    assert (low[0], high[0]) == (pytest.approx(0.7225, abs=1e-4), pytest.approx(1))


def test_the_constant_answers_the_most_frequent_class_of_the_training_samples():
    samples = join_classified_samples(**make_classes(40, ["a", "b", "c"]))
    assert score_classification(samples).constant == "a"
    trained = score_classification(samples, {"a": 3, "b": 9, "unseen": 50})
    assert trained.constant == "b"
    row = trained.row(CONSTANT)
    assert row.overall["accuracy"].value == pytest.approx((samples.frame["actual"] == "b").mean())
    assert score_classification(samples, {"unseen": 50}).constant == "a"
