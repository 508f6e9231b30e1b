"""Predictions joined with the truth and what belongs to them, of numbers and of classes."""

import re

import numpy as np
import pandas as pd
import pytest
from page_reading import make_classes, make_study

from q2_aam.errors import AAMError
from q2_aam.report import classification, regression
from q2_aam.report.classification_scores import (
    join_classes,
    read_classes,
    read_probabilities,
    score_classification,
)
from q2_aam.report.evaluation import BASELINE, MODEL, NO_GROUP
from q2_aam.report.regression_scores import join_numbers, score_regression

NAMES = {MODEL: "this model", BASELINE: "baseline"}
MONTHS = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0, "d": np.nan, "fitted": 9.0}, name="month")
SITES = pd.Series({"a": "x", "b": "y", "c": "y", "d": np.nan, "fitted": "x"}, name="site")
NUMBERS = pd.Series({"c": 3.5, "a": 1.5, "b": 1.0, "d": 4.0, "stranger": 5.0})
CLASSES = pd.Series({"c": "x", "a": "x", "b": "y", "d": "x", "stranger": "y"})
SHARES = pd.DataFrame({"x": [0.7, 0.9, 0.2], "y": [0.3, 0.1, 0.8]}, index=["c", "a", "b"])


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


def bounds(lower, upper, *ids) -> pd.DataFrame:
    return pd.DataFrame({"lower": lower, "upper": upper}, index=list(ids))


@pytest.mark.parametrize(
    ("message", "arguments", "options"),
    [
        ("no ids in common", (elsewhere(NUMBERS), MONTHS), {}),
        ("None of the 1 predicted sample.*'month'", (NUMBERS[["d"]], MONTHS), {}),
        ("2 values.*'a', 'b'.*regressor", (pd.Series({"a": "V", "b": "inf"}), MONTHS), {}),
        ("lack the columns 'lower'", (NUMBERS, MONTHS, SHARES.rename(columns={"x": "upper"})), {}),
        ("lower end above", (NUMBERS, MONTHS, bounds([2.0], [1.0], "a")), {}),
        ("no ids in common", (NUMBERS, MONTHS, bounds([2.0], [3.0], "z")), {}),
        ("no ids in common", (elsewhere(CLASSES), SITES), {}),
        ("None of the 1 predicted sample.*'site'", (CLASSES[["d"]], SITES), {}),
        ("No predicted class occurs in.*'site'", (CLASSES.str.upper(), SITES), {}),
        ("no ids in common", (CLASSES, SITES, elsewhere(SHARES)), {}),
        ("lack 1 evaluated sample, such as 'b'", (CLASSES, SITES, SHARES.drop("b")), {}),
        (
            r"no column for 1 class that it predicted: 'y'\.\nTheir columns are 'x', 'z'",
            (CLASSES, SITES, SHARES.rename(columns={"y": "z"})),
            {},
        ),
        ("no baseline predictions", (CLASSES, SITES), {"baseline_probabilities": SHARES}),
        (
            "The baseline predictions and the evaluated samples have no ids in common",
            (CLASSES, SITES),
            {"baseline_predictions": elsewhere(CLASSES)},
        ),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(message, arguments, options):
    join = join_numbers if arguments[1].name == "month" else join_classes
    with pytest.raises(AAMError, match=re.compile(message, re.S)) as caught:
        join(*arguments, **options)
    assert len(str(caught.value).splitlines()) <= 10


@pytest.mark.parametrize("far", [1e101, -1e308])
def test_row_11_values_too_large_to_score_are_named(far):
    with pytest.raises(AAMError, match="1 sample of 3 have a value beyond 1e.100: 'b'"):
        join_numbers(NUMBERS, MONTHS.replace(2.0, far))


def test_coverage_counts_only_finite_intervals():
    intervals = bounds([0.0, 2.5, -np.inf], [2.0, 4.0, np.inf], *"abc")
    scores = score_regression(join_numbers(NUMBERS, MONTHS, intervals), NAMES)
    assert (scores.n_inside, scores.n_intervals) == (1, 2)


def test_numeric_groups_and_blank_groups():
    groups = pd.Series({"a": 18.0, "b": 18.0, "c": np.nan}, name="subject")
    samples = join_numbers(NUMBERS, MONTHS, groups=groups)
    assert samples.frame["group"].to_dict() == {"a": "18", "b": "18", "c": NO_GROUP}
    assert samples.n_groups == 1


def test_too_few_groups_are_not_drawn_whole_and_the_page_says_so():
    study = make_study(120)
    many = join_numbers(study["predictions"], study["truth"], groups=study["groups"])
    assert len(set(many.group_codes)) == 10
    groups = study["groups"].str[-1].isin(list("01")).astype(str)
    few = join_numbers(study["predictions"], study["truth"], groups=groups)
    assert len(set(few.group_codes)) == 120
    assert "too few to draw" in few.describe_bootstrap()


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_classes, "id\tprediction\ns1\t\ns2\ta\n", "no class for 1 sample, such as 's1'"),
        (read_classes, "id\tprediction\ns1\ta\ns1\tb\n", "1 sample more than once: 's1'"),
        (read_classes, "id\ta\tb\ns1\t1\t0\n", "3 columns and must have two"),
        (read_classes, "id\ta\ns1\ta\tb\tc\n", "no table of tab-separated columns"),
        (read_probabilities, "id\ta\ta\ns1\t0.5\t0.5\n", "more than one column for .* 'a'"),
        (read_probabilities, "id\ta\tb\ns1\t0.5\tx\ns2\t1\t0\n", "from 0 to 1.* 1 sample: 's1'"),
        (read_probabilities, "id\ta\tb\ns1\t0.5\tnan\n", "not numbers from 0 to 1.* for 1 sample"),
        (read_probabilities, "id\ta\tb\ns1\t1.5\t-0.5\n", "not numbers from 0 to 1.* 1 sample"),
        (read_probabilities, "id\ta\tb\ns1\t0.2\t0.2\n", "add up to 1"),
        (read_probabilities, "id\ta\ns1\t1\ns1\t1\n", "1 sample more than once"),
    ],
)
def test_bad_tables_are_refused(tmp_path, read, text, message):
    (tmp_path / "table.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(AAMError, match=message):
        read(tmp_path / "table.tsv")


def test_a_class_that_the_model_does_not_know_is_told_and_counts():
    probabilities = pd.DataFrame({"x": 1.0}, index=SHARES.index)
    samples = join_classes(CLASSES.replace("y", "x"), SITES.replace("y", "rare"), probabilities)
    assert samples.classes == ("rare", "x")
    assert samples.probabilities[:, 0].tolist() == [0, 0, 0]
    assert "does not know 1 class of the samples shown here: 'rare'" in samples.warnings[0]
    row = score_classification(samples, NAMES).rows[MODEL]
    assert row.estimates["accuracy"].value == pytest.approx(1 / 3)


def test_classes_stand_in_the_order_that_people_expect():
    names = ["week 10", "week 2", "Adult", "adult", "week 1"]
    truth = pd.Series(names, index=[f"s{n}" for n in range(len(names))], name="age")
    assert join_classes(truth, truth).classes == ("Adult", "adult", "week 1", "week 2", "week 10")


def test_predictions_of_another_run_than_the_probabilities_are_told():
    samples = join_classes(CLASSES, SITES, 1 - SHARES)
    assert "For 3 samples, the model predicted another class" in samples.warnings[0]


def test_the_headline_is_honest_about_the_winner_of_numbers():
    random = np.random.default_rng(0)
    truth = pd.Series(random.uniform(0, 24, 120), [f"s{n}" for n in range(120)], name="month")
    good, bad = (truth + random.normal(0, size, 120) for size in (1, 4))
    useless = pd.Series(random.uniform(-40, 60, 120), truth.index)

    def headline(predictions, baseline=None):
        samples = join_numbers(predictions, truth, baseline_predictions=baseline)
        return regression.write_headline(samples, score_regression(samples, NAMES), NAMES)

    assert "the model's error is smaller by" in headline(good, bad)
    assert "the baseline is better" in headline(bad, good)
    assert "too few to tell" in headline(good, good + np.tile([0.001, -0.001], 60))
    assert "exactly as much" in headline(good, good)
    assert "is better and misses" in headline(useless)
    assert "the model is of no use here" in headline(useless, bad)
    assert "would miss by" in headline(good)


def test_the_headline_is_honest_about_the_winner_of_classes():
    study = make_classes(200, ["a", "b", "c"], noise=1.0)

    def headline(predictions, baseline=None):
        samples = join_classes(predictions, study["truth"], baseline_predictions=baseline)
        return classification.write_headline(samples, score_classification(samples, NAMES), NAMES)

    good, bad = study["predictions"], study["baseline_predictions"]
    frequent = study["truth"].value_counts().index[0]
    constant, nearly = good.copy(), good.copy()
    constant[:] = frequent
    useless = study["truth"].map({"a": "b", "b": "c", "c": "a"})
    nearly.iloc[0] = study["truth"].iloc[0] if good.iloc[0] != study["truth"].iloc[0] else "c"
    assert "the model is better; always predicting" in headline(good, bad)
    assert "it is better than the model" in headline(bad, good)
    assert "exactly as often" in headline(good, good)
    assert "too few to tell" in headline(nearly, good)
    assert f"always predicting '{frequent}'" in headline(good)
    assert "is right more often" in headline(useless)
    assert "do not show that the model tells the classes apart" in headline(constant)
