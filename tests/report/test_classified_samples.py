import numpy as np
import pandas as pd
import pytest
from page_reading import make_classes

from q2_aam.errors import AAMError
from q2_aam.report.classification.page import write_headline
from q2_aam.report.classification.samples import join_classes, read_classes, read_probabilities
from q2_aam.report.classification.scores import score_classification
from q2_aam.report.samples import BASELINE, MODEL

NAMES = {MODEL: "this model", BASELINE: "baseline"}


def write(tmp_path, text: str):
    path = tmp_path / "table.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_are_text_whatever_they_look_like(tmp_path):
    names = ["NA", "nan", "01", "1.0", "True", "null", 'quo"ted', "=cmd()", "-"]
    given = pd.Series(names, index=[f"{n:04d}" for n in range(len(names))], name="prediction")
    given.to_csv(tmp_path / "predictions.tsv", sep="\t", index_label="id")
    found = read_classes(tmp_path / "predictions.tsv")
    assert found.tolist() == names
    assert found.index.tolist() == given.index.tolist()
    shares = pd.DataFrame(np.eye(len(names)), index=given.index, columns=names)
    shares.to_csv(tmp_path / "probabilities.tsv", sep="\t", index_label="id")
    found = read_probabilities(tmp_path / "probabilities.tsv")
    assert found.columns.tolist() == names
    np.testing.assert_array_equal(found, np.eye(len(names)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\tprediction\ns1\t\ns2\ta\n", "no class for 1 sample, such as 's1'"),
        ("id\tprediction\ns1\ta\ns1\tb\n", "1 sample more than once: 's1'"),
        ("id\ta\tb\ns1\t1\t0\n", "3 columns and must have two"),
        ("id\ta\ns1\ta\tb\tc\n", "no table of tab-separated columns"),
    ],
)
def test_bad_predictions_are_refused(tmp_path, text, message):
    with pytest.raises(AAMError, match=message):
        read_classes(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\ta\ta\ns1\t0.5\t0.5\n", "more than one column for the classes 'a'"),
        ("id\ta\tb\ns1\t0.5\tx\ns2\t1\t0\n", "not numbers from 0 to 1.* for 1 sample: 's1'"),
        ("id\ta\tb\ns1\t0.5\tnan\n", "not numbers from 0 to 1.* for 1 sample"),
        ("id\ta\tb\ns1\t1.5\t-0.5\n", "not numbers from 0 to 1.* for 1 sample"),
        ("id\ta\tb\ns1\t0.2\t0.2\n", "add up to 1"),
        ("id\ta\ns1\t1\ns1\t1\n", "1 sample more than once"),
    ],
)
def test_bad_probabilities_are_refused(tmp_path, text, message):
    with pytest.raises(AAMError, match=message):
        read_probabilities(write(tmp_path, text))


TRUTH = pd.Series({"s1": "a", "s2": "b", "s3": "b", "s4": np.nan, "fitted": "a"}, name="site")
PREDICTED = pd.Series({"s3": "a", "s1": "a", "s2": "b", "s4": "a", "stranger": "b"})
SHARES = pd.DataFrame({"a": [0.7, 0.9, 0.2], "b": [0.3, 0.1, 0.8]}, index=["s3", "s1", "s2"])


def test_samples_are_joined_by_id_and_the_rest_is_counted():
    samples = join_classes(PREDICTED, TRUTH, SHARES)
    assert samples.frame[["actual", "predicted"]].to_dict("index") == {
        "s3": {"actual": "b", "predicted": "a"},
        "s1": {"actual": "a", "predicted": "a"},
        "s2": {"actual": "b", "predicted": "b"},
    }
    assert samples.confidence().tolist() == [0.7, 0.9, 0.8]
    counts = {entry.what: (entry.count, entry.examples) for entry in samples.counts}
    assert counts["samples left out: predicted, but not in the metadata"] == (1, ("stranger",))
    assert counts["samples left out: predicted, but blank in 'site'"] == (1, ("s4",))
    assert samples.warnings == []


def test_inputs_that_do_not_belong_together_are_refused():
    def refused(message, *arguments, **options):
        with pytest.raises(AAMError, match=message) as caught:
            join_classes(*arguments, **options)
        assert len(str(caught.value).splitlines()) <= 10

    refused("no ids in common", PREDICTED.rename(lambda name: f"x{name}y"), TRUTH)
    refused("None of the 1 predicted sample.*'site'", PREDICTED[["s4"]], TRUTH)
    refused("No predicted class occurs in.*'site'", PREDICTED.replace({"a": "A", "b": "B"}), TRUTH)
    refused("no ids in common", PREDICTED, TRUTH, SHARES.rename(lambda name: f"x{name}y"))
    refused("lack 1 evaluated sample, such as 's2'", PREDICTED, TRUTH, SHARES.drop("s2"))
    refused(
        r"no column for 1 class that it predicted: 'b'\.\nTheir columns are 'a', 'c'",
        PREDICTED, TRUTH, SHARES.rename(columns={"b": "c"}),
    )  # fmt: skip
    refused("no baseline predictions", PREDICTED, TRUTH, baseline_probabilities=SHARES)
    refused(
        "The baseline predictions and the evaluated samples have no ids in common",
        PREDICTED, TRUTH, baseline_predictions=PREDICTED.rename(lambda name: f"x{name}y"),
    )  # fmt: skip


def test_a_class_that_the_model_does_not_know_is_told_and_counts():
    truth = TRUTH.replace({"b": "rare"})
    predicted = PREDICTED.replace({"b": "a"})
    samples = join_classes(predicted, truth, pd.DataFrame({"a": 1.0}, index=SHARES.index))
    assert samples.classes == ("a", "rare")
    assert samples.probabilities[:, 1].tolist() == [0, 0, 0]
    assert "does not know 1 class of the samples shown here: 'rare'" in samples.warnings[0]
    assert score_classification(samples, NAMES).rows[MODEL].estimates[
        "accuracy"
    ].value == pytest.approx(1 / 3)


def test_predictions_of_another_run_than_the_probabilities_are_told():
    samples = join_classes(PREDICTED, TRUTH, 1 - SHARES)
    assert "For 3 samples, the model predicted another class" in samples.warnings[0]


def test_classes_stand_in_the_order_that_people_expect():
    names = ["week 10", "week 2", "Adult", "week 1"]
    ids = list("stuv")
    truth = pd.Series(names, ids, name="age")
    shown = join_classes(truth.copy(), truth).classes
    assert shown == ("Adult", "week 1", "week 2", "week 10")


def test_the_headline_is_honest_about_the_winner():
    study = make_classes(200, ["a", "b", "c"], noise=1.0)

    def headline(predictions, baseline=None):
        samples = join_classes(predictions, study["truth"], baseline_predictions=baseline)
        return write_headline(samples, score_classification(samples, NAMES), NAMES)

    good, bad = study["predictions"], study["baseline_predictions"]
    frequent = study["truth"].value_counts().index[0]
    constant = good.copy()
    constant[:] = frequent
    useless = study["truth"].map({"a": "b", "b": "c", "c": "a"})
    assert "the model is better; always predicting" in headline(good, bad)
    assert "it is better than the model" in headline(bad, good)
    assert "exactly as often" in headline(good, good)
    nearly = good.copy()
    nearly.iloc[0] = study["truth"].iloc[0] if good.iloc[0] != study["truth"].iloc[0] else "c"
    assert "too few to tell" in headline(nearly, good)
    assert f"always predicting '{frequent}'" in headline(good)
    assert "is right more often" in headline(useless)
    assert "do not show that the model tells the classes apart" in headline(constant)
