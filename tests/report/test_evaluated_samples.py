import numpy as np
import pandas as pd
import pytest

from q2_aam.errors import AAMError
from q2_aam.report.regression.page import write_headline
from q2_aam.report.regression.samples import join_numbers
from q2_aam.report.regression.scores import score_regression
from q2_aam.report.samples import BASELINE, MODEL, NO_GROUP, describe_bootstrap


def _series(values: dict, name="month") -> pd.Series:
    return pd.Series(values, name=name)


TRUTH = _series({"a": 1.0, "b": 2.0, "c": 3.0, "d": np.nan, "fitted": 9.0})
NAMES = {MODEL: "this model", BASELINE: "baseline"}
PREDICTED = _series({"c": 3.5, "a": 1.5, "b": 1.0, "d": 4.0, "stranger": 5.0}, "prediction")


def test_samples_are_joined_by_id_and_the_rest_is_counted():
    samples = join_numbers(PREDICTED, TRUTH)
    assert samples.frame["error"].to_dict() == {"c": 0.5, "a": 0.5, "b": -1.0}
    counts = {entry.what: (entry.count, entry.examples) for entry in samples.counts}
    assert counts["samples left out: predicted, but not in the metadata"] == (1, ("stranger",))
    assert counts["samples left out: predicted, but blank in 'month'"] == (1, ("d",))
    not_predicted = next(value for name, value in counts.items() if "not predicted" in name)
    assert not_predicted == (1, ("fitted",))


@pytest.mark.parametrize("far", [1e101, -1e308])
def test_row_11_values_too_large_to_score_are_named(far):
    with pytest.raises(AAMError, match="1 sample of 3 have a value beyond 1e.100: 'b'"):
        join_numbers(PREDICTED, TRUTH.replace(2.0, far))


def test_predictions_without_any_truth_are_refused():
    with pytest.raises(AAMError, match="no ids in common"):
        join_numbers(PREDICTED.rename(lambda name: f"x{name}y"), TRUTH)
    with pytest.raises(AAMError, match="None of the 1 predicted sample.*'month'"):
        join_numbers(PREDICTED[["d"]], TRUTH)


def test_predictions_that_are_no_numbers_are_refused():
    with pytest.raises(AAMError, match=r"2 values.*'a', 'b'.*regressor"):
        join_numbers(_series({"a": "Vaginal", "b": "inf", "c": "1"}), TRUTH)


def test_intervals_need_their_columns_and_their_order():
    with pytest.raises(AAMError, match="lack the columns 'lower'"):
        join_numbers(PREDICTED, TRUTH, pd.DataFrame({"upper": [1.0]}, index=["a"]))
    wrong = pd.DataFrame({"lower": [2.0], "upper": [1.0]}, index=["a"])
    with pytest.raises(AAMError, match="lower end above"):
        join_numbers(PREDICTED, TRUTH, wrong)
    elsewhere = pd.DataFrame({"lower": [2.0], "upper": [3.0]}, index=["z"])
    with pytest.raises(AAMError, match="no ids in common"):
        join_numbers(PREDICTED, TRUTH, elsewhere)


def test_coverage_counts_only_finite_intervals():
    intervals = pd.DataFrame(
        {"lower": [0.0, 2.5, -np.inf], "upper": [2.0, 4.0, np.inf]}, index=["a", "b", "c"]
    )
    scores = score_regression(join_numbers(PREDICTED, TRUTH, intervals), NAMES)
    assert (scores.n_inside, scores.n_intervals) == (1, 2)


def test_numeric_groups_and_blank_groups():
    groups = _series({"a": 18.0, "b": 18.0, "c": np.nan}, "subject")
    samples = join_numbers(PREDICTED, TRUTH, groups=groups)
    assert samples.frame["group"].to_dict() == {"a": "18", "b": "18", "c": NO_GROUP}
    assert samples.n_groups == 1


def _many(n=120, seed=0):
    random = np.random.default_rng(seed)
    ids = [f"s{place}" for place in range(n)]
    truth = pd.Series(random.uniform(0, 24, n), index=ids, name="month")
    good = truth + random.normal(0, 1, n)
    bad = truth + random.normal(0, 4, n)
    useless = pd.Series(random.uniform(-40, 60, n), index=ids)
    groups = pd.Series([f"child {place % 12}" for place in range(n)], index=ids, name="child")
    return truth, good, bad, useless, groups


def test_the_headline_is_honest_about_the_winner():
    truth, good, bad, useless, _ = _many()

    def headline(predictions, baseline=None):
        samples = join_numbers(predictions, truth, baseline_predictions=baseline)
        return write_headline(samples, score_regression(samples, NAMES), NAMES)

    assert "the model's error is smaller by" in headline(good, bad)
    assert "the baseline is better" in headline(bad, good)
    assert "too few to tell" in headline(good, good + np.tile([0.001, -0.001], 60))
    assert "exactly as much" in headline(good, good)
    assert "is better and misses" in headline(useless)
    assert "the model is of no use here" in headline(useless, bad)
    assert "would miss by" in headline(good)


def test_too_few_groups_are_not_drawn_whole_and_the_page_says_so():
    truth, good, _, _, groups = _many()
    many = join_numbers(good, truth, groups=groups)
    assert len(set(many.group_codes)) == 12
    few = join_numbers(good, truth, groups=groups.str[-1].isin(list("01")).astype(str))
    assert few.group_codes is None
    assert "too few to draw" in describe_bootstrap(few)


def test_a_single_sample_can_be_evaluated():
    samples = join_numbers(PREDICTED[["a"]], TRUTH)
    assert "over 1 sample" in write_headline(samples, score_regression(samples, NAMES), NAMES)
