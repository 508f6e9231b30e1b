import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as sklearn_metrics

from q2_aam.report import metrics
from q2_aam.report.bootstrap import estimate


def _truth_and_prediction(n=60, seed=0):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 12, n).astype(float)
    return truth, np.round(truth + random.normal(0, 2, n), 1)


def _value(function, truth, predicted, weights=None):
    weights = np.ones((1, len(truth))) if weights is None else weights
    return function(truth, predicted, weights)[0]


def test_metrics_equal_those_of_scikit_learn_and_scipy():
    truth, predicted = _truth_and_prediction()
    mae = sklearn_metrics.mean_absolute_error(truth, predicted)
    mse = sklearn_metrics.mean_squared_error(truth, predicted)
    r2 = sklearn_metrics.r2_score(truth, predicted)
    assert _value(metrics.mean_absolute_error, truth, predicted) == pytest.approx(mae)
    assert _value(metrics.root_mean_squared_error, truth, predicted) == pytest.approx(mse**0.5)
    assert _value(metrics.r_squared, truth, predicted) == pytest.approx(r2)
    rho = spearmanr(truth, predicted)[0]
    assert _value(metrics.spearman_correlation, truth, predicted) == pytest.approx(rho)


def test_weights_count_like_repeated_samples():
    truth, predicted = _truth_and_prediction(20)
    counts = np.random.default_rng(1).integers(0, 4, 20)
    repeated = np.repeat(truth, counts), np.repeat(predicted, counts)
    for metric in metrics.METRICS:
        weighted = _value(metric.function, truth, predicted, counts[None].astype(float))
        assert weighted == pytest.approx(_value(metric.function, *repeated)), metric.name


def test_r_squared_survives_a_large_offset():
    truth, predicted = _truth_and_prediction()
    expected = sklearn_metrics.r2_score(truth, predicted)
    shifted = _value(metrics.r_squared, truth + 1e6, predicted + 1e6)
    assert shifted == pytest.approx(expected, rel=1e-6)


def test_undefined_scores_are_nan_and_have_no_interval():
    constant = np.full(10, 3.0)
    predicted = np.arange(10.0)
    assert np.isnan(_value(metrics.r_squared, constant, predicted))
    assert np.isnan(_value(metrics.spearman_correlation, constant, predicted))
    score = estimate(lambda weights: metrics.r_squared(constant, predicted, weights), 10)
    assert np.isnan([score.value, score.lower, score.upper]).all()


def test_the_interval_holds_the_value_and_is_the_same_every_time():
    truth, predicted = _truth_and_prediction(200)

    def statistic(weights):
        return metrics.mean_absolute_error(truth, predicted, weights)

    score = estimate(statistic, 200)
    assert score.lower < score.value < score.upper
    assert score == estimate(statistic, 200)


def test_drawing_whole_groups_widens_the_interval_of_grouped_errors():
    groups = np.repeat(np.arange(20), 10)
    errors = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)

    def statistic(weights):
        return metrics.mean_absolute_error(np.zeros(200), errors, weights)

    single, grouped = estimate(statistic, 200), estimate(statistic, 200, groups)
    assert grouped.value == pytest.approx(single.value)
    assert grouped.upper - grouped.lower > 1.5 * (single.upper - single.lower)


def test_one_group_gives_no_interval():
    score = estimate(lambda weights: weights.sum(axis=1), 5, np.zeros(5, int))
    assert score.value == 5
    assert np.isnan(score.lower)
