"""Scores are those of scikit-learn and scipy; intervals are paired and drawn by group."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from page_reading import make_classes, make_study
from scipy.stats import linregress, spearmanr
from sklearn import metrics as sklearn_metrics

from q2_aam.report import metrics
from q2_aam.report.classification_scores import (
    calibration_bins,
    calibration_error,
    join_classes,
    score_classification,
)
from q2_aam.report.evaluation import ALL_SAMPLES, BASELINE, DUMMY, MODEL
from q2_aam.report.regression_scores import join_numbers, score_regression

NAMES = {MODEL: "this model", BASELINE: "baseline"}


def joined(n_samples=90, classes=("a", "b", "c", "d"), without=(), **options):
    study = make_classes(n_samples, list(classes), **options)
    return join_classes(**{k: v for k, v in study.items() if k not in without})


def values_of(row) -> dict:
    return {name: estimate.value for name, estimate in row.estimates.items()}


def test_scores_of_numbers_are_those_of_scikit_learn_and_scipy():
    samples = join_numbers(**make_study(60))
    found = values_of(score_regression(samples, NAMES).rows[MODEL])
    actual, predicted = samples.frame["actual"], samples.frame["predicted"]
    line = linregress(actual, predicted)
    expected = {
        "mean_absolute_error": sklearn_metrics.mean_absolute_error(actual, predicted),
        "root_mean_squared_error": sklearn_metrics.mean_squared_error(actual, predicted) ** 0.5,
        "r_squared": sklearn_metrics.r2_score(actual, predicted),
        "spearman_correlation": spearmanr(actual, predicted)[0],
        "slope": line.slope,
        "intercept": line.intercept,
        "p_value": line.pvalue,
    }
    assert found == pytest.approx(expected)


def test_scores_that_are_not_defined_are_blank():
    truth = pd.Series(3.0, [f"s{n}" for n in range(10)], name="ph")
    samples = join_numbers(truth + np.arange(10), truth)
    found = score_regression(samples, NAMES).rows[MODEL].estimates
    for name in ("r_squared", "spearman_correlation", "slope"):
        ends = [found[name].value, found[name].lower, found[name].upper]
        assert np.isnan(ends).all(), name
    assert found["mean_absolute_error"].has_interval


def test_r_squared_survives_a_large_offset():
    truth, predicted = np.arange(50.0), np.arange(50.0)[:, None] * 0.9
    near, far = (metrics.score_numbers(truth + k, predicted + k)[2, 0] for k in (0, 1e6))
    assert far == pytest.approx(near, rel=1e-6)


def test_intervals_hold_the_value_are_the_same_every_time_and_wider_by_group():
    errors = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)
    groups = np.repeat(np.arange(20), 10)

    def estimate(groups):
        return metrics.bootstrap(lambda rows: np.abs(errors[rows]).mean(keepdims=True), groups)

    (single,), (grouped,) = estimate(np.arange(200)), estimate(groups)
    assert single.lower < single.value < single.upper
    assert [single] == estimate(np.arange(200))
    assert grouped.value == pytest.approx(single.value)
    assert grouped.upper - grouped.lower > 1.5 * (single.upper - single.lower)
    assert not estimate(np.zeros(200, int))[0].has_interval


def test_whole_groups_are_drawn():
    groups, seen = np.array([0, 0, 0, 1, 2, 2]), []
    metrics.bootstrap(lambda rows: seen.append(rows) or np.zeros(1), groups)
    for rows in seen[1:]:
        counts = np.bincount(rows, minlength=6)
        assert len({*counts[:3]}) == len({*counts[4:]}) == 1


def test_model_baseline_and_dummy_are_compared_on_the_same_samples():
    study = make_study(120)
    study["baseline_predictions"] = study["baseline_predictions"][:100]
    scores = score_regression(join_numbers(**study), NAMES, training_mean=5.0)
    sizes = {name: row.n_samples for name, row in scores.rows.items()}
    assert sizes == {MODEL: 100, BASELINE: 100, DUMMY: 100, ALL_SAMPLES: 120}
    of_mae = {name: values_of(row)["mean_absolute_error"] for name, row in scores.rows.items()}
    for other in (BASELINE, DUMMY):
        found = scores.differences[other]["mean_absolute_error"]
        assert found.value == pytest.approx(of_mae[other] - of_mae[MODEL])
        assert found.lower < found.value < found.upper
    truth = study["truth"][study["baseline_predictions"].index]
    assert of_mae[DUMMY] == pytest.approx((truth - 5).abs().mean())
    assert "training samples" in scores.rows[DUMMY].label


@pytest.mark.parametrize("n_classes", [2, 3, 7, 30])
def test_scores_of_classes_are_those_of_scikit_learn(n_classes):
    samples = joined(40 * n_classes, [f"class {n}" for n in range(n_classes)], noise=1.5)
    # ties: equal probabilities count half
    samples = dataclasses.replace(samples, probabilities=samples.probabilities.round(2))
    row = score_classification(samples, NAMES).rows[MODEL]
    actual, predicted, labels = *samples.frame[["actual", "predicted"]].T.values, samples.classes
    codes, given, found = samples.codes("actual"), samples.probabilities, values_of(row)
    accuracy = sklearn_metrics.accuracy_score(actual, predicted)
    onehot = np.eye(n_classes)[codes]
    areas = [sklearn_metrics.roc_auc_score(onehot[:, c], given[:, c]) for c in range(n_classes)]
    expected = {
        "accuracy": accuracy,
        "accuracy_ratio": accuracy / pd.Series(actual).value_counts(normalize=True).iloc[0],
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(actual, predicted),
        "macro_f1": sklearn_metrics.f1_score(actual, predicted, average="macro"),
        "macro_auc": np.mean(areas),
        "micro_auc": sklearn_metrics.roc_auc_score(onehot.ravel(), given.ravel()),
    }
    assert found == pytest.approx(expected)
    by_class = sklearn_metrics.precision_recall_fscore_support(actual, predicted, labels=labels)
    for name, values in zip(["precision", "recall", "f1"], by_class, strict=False):
        ours = [scores[name].value for scores in row.by_class]
        assert ours == pytest.approx(list(values)), name
    assert [scores["auc"].value for scores in row.by_class] == pytest.approx(areas)
    assert row.n_actual.tolist() == by_class[3].tolist()


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
    expected = sklearn_metrics.f1_score(
        *samples.frame[["actual", "predicted"]].T.values, average="macro"
    )
    assert row.estimates["macro_f1"].value == pytest.approx(expected)


def test_differences_of_classifiers_are_paired_and_on_the_same_samples():
    study = make_classes(100, ["a", "b", "c"])
    study["baseline_predictions"] = study["baseline_predictions"][:80]
    scores = score_classification(join_classes(**study), NAMES)
    sizes = {name: row.n_samples for name, row in scores.rows.items()}
    assert sizes == {MODEL: 80, BASELINE: 80, DUMMY: 80, ALL_SAMPLES: 100}
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc"):
        ours, other = (scores.rows[who].estimates[metric] for who in (MODEL, BASELINE))
        difference = scores.differences[BASELINE][metric]
        assert difference.value == pytest.approx(ours.value - other.value)
        assert difference.lower < difference.value < difference.upper


def test_a_model_compared_with_itself_differs_by_nothing():
    study = make_classes(60, ["a", "b"])
    study["baseline_predictions"] = study["predictions"]
    study["baseline_probabilities"] = study["probabilities"]
    found = score_classification(join_classes(**study), NAMES).differences[BASELINE]
    for estimate in found.values():
        assert estimate.value == estimate.lower == estimate.upper == 0


def test_the_dummy_answers_the_most_frequent_class_of_the_training_samples():
    samples = join_classes(**make_classes(41, ["a", "b", "c"]))
    plain = score_classification(samples, NAMES)
    assert plain.dummy == samples.frame["actual"].mode()[0]
    assert plain.dummy_is == "the most frequent class of the samples shown here"
    trained = score_classification(samples, NAMES, {"a": 3, "b": 9, "unseen": 50})
    assert trained.dummy == "b"
    share = (samples.frame["actual"] == "b").mean()
    assert values_of(trained.rows[DUMMY])["accuracy"] == pytest.approx(share)
    assert score_classification(samples, NAMES, {"unseen": 50}).dummy == plain.dummy
    tied = score_classification(samples, NAMES, {"a": 9, "b": 9})
    assert tied.dummy_is == "one of the most frequent classes of the training samples"


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


def test_equal_probabilities_share_a_bin_with_wilsons_interval():
    table = calibration_bins(np.ones(20), np.arange(20) < 2)
    assert len(table) == 1
    ends = table[["share", "lower", "upper"]].to_numpy()[0]
    assert ends == pytest.approx([0.1, 0.0279, 0.3010], abs=1e-4)
