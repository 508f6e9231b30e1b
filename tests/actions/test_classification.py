"""Classifiers learn, say probabilities, and refuse what cannot be learned."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
from qiime2.plugins import sample_classifier
from scipy.stats import entropy


@pytest.fixture(scope="module")
def predicted(halves, classified):
    return quick.predict(halves[1], classified)


def test_unseen_samples_are_classified_with_probabilities(halves, classified, predicted):
    """Better than by the most common class; the truth is likely where it is not the favorite."""
    found, truth = sim.values_of(predicted.predictions), sim.by_age(halves[1])
    assert sorted(found.index) == sorted(truth.index)
    truth = truth[found.index]
    assert (found == truth).mean() > truth.value_counts(normalize=True).max() + 0.25
    shares = sim.values_of(predicted.probabilities).loc[found.index]
    assert list(shares) == ["milk", "mixed", "solid"]
    assert shares.to_numpy().min() >= 0
    assert shares.to_numpy().max() <= 1
    assert (shares.sum(axis=1) - 1).abs().max() < 1e-12
    assert shares.idxmax(axis=1).equals(found)
    assert shares["milk"].std() > 0.1
    wrong = shares.index[found != truth]
    given = [shares.at[name, truth[name]] for name in wrong]
    rest = (1 - shares.loc[wrong].max(axis=1)) / 2
    assert len(wrong) == 0 or np.mean(given) >= rest.mean()
    # what the model and the log say of the training samples
    target, summary = sim.target_of(classified), sim.log_of(classified).summary
    counts = sim.by_age(halves[0]).value_counts()
    assert target.counts == tuple(counts[list(target.classes)])
    assert summary["sample_ids"] == sorted(halves[0].counts.index)
    assert 0.5 < summary["scores"]["balanced_accuracy"] <= 1
    assert summary["scores"]["target_loss"] < 0.7 * entropy(counts)  # of the shares alone
    assert target.heads == ("ridge", "logistic", "forest")
    assert sum(head["weight"] for head in summary["heads"]) == pytest.approx(1)


def test_other_plugins_read_predictions(predicted, halves):
    truth = sim.column_of(sim.by_age(halves[1]))
    found = predicted[:2]
    assert [str(one.type) for one in found] == [
        "SampleData[ClassifierPredictions]", "SampleData[Probabilities]",
    ]  # fmt: skip
    (page,) = sample_classifier.actions.confusion_matrix(found[0], truth, probabilities=found[1])
    assert str(page.type) == "Visualization"
    merged = found[0].view(qiime2.Metadata).merge(found[1].view(qiime2.Metadata))
    assert list(merged.columns) == ["prediction", "milk", "mixed", "solid"]


def test_rare_classes_are_found_more_often_if_classes_are_balanced(halves):
    random = np.random.default_rng(5)
    study, unseen = halves

    def draw(part):
        noisy = part.ages + random.normal(0, 9, len(part.ages))
        return pd.Series(np.where(noisy > 19, "rare", "usual"), part.ages.index, name="state")

    column, truth = draw(study), draw(unseen)
    assert 0.1 < (column == "rare").mean() < 0.4
    found, fits = {}, {}
    for how, by in (("none", "default"), ("balanced", "user")):
        fits[how] = quick.fit(study, column, class_weights=how)
        found[how] = quick.probabilities(unseen, fits[how])["rare"]
        assert sim.settings_of(fits[how])["class_weights"] == (how, by)
    rare = truth.index[truth == "rare"]
    assert found["balanced"][rare].mean() > found["none"][rare].mean() + 0.1
    assert not sim.same_weights(*fits.values())


HOSTILE = ("a,b", '"quoted"', "<script>alert(1)</script>", "#comment", "=1+1", "a.1", "a", "ü \\N")


@pytest.mark.parametrize("names", [("1", "2"), HOSTILE])
def test_any_name_of_a_class_is_read_back(names):
    study = sim.simulate_study(40, 30, 7, (40, 40))
    bounds = np.quantile(study.ages, np.arange(1, len(names)) / len(names))
    column = sim.by_age(study, bounds, names)
    found = quick.predict(study, quick.fit(study, column))
    assert sorted(names) == list(sim.values_of(found.probabilities))
    read = sim.values_of(found.predictions).astype(str)
    assert set(read) <= set(names)
    assert read.nunique() > len(names) // 3
    frame = found.probabilities.view(qiime2.Metadata).to_dataframe()
    assert np.allclose(frame.sum(axis=1), 1)
    assert frame.idxmax(axis=1).equals(read[frame.index])
    if names[0] == "1":  # classes that look like numbers stay classes
        (page,) = sample_classifier.actions.confusion_matrix(
            found.predictions, sim.column_of(column)
        )
        assert page is not None


def test_a_class_of_one_group_trains(study):
    """Its samples cannot be on both sides of a fold; the others judge the heads."""
    column = pd.Series("usual", study.counts.index, name="state")
    column.iloc[:4] = "rare"
    groups = sim.column_of(study.subjects.mask(column == "rare", "1"))
    assert sim.target_of(quick.fit(study, column, groups=groups)).counts[0] == 4


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"all": "milk"}, ["All 20 samples", "same 'diet' ('milk')", "another column"]),
        (
            {0: "soup", 1: "soup", 2: "bread"},
            ["2 classes with fewer than 3", "'bread: 1 sample', 'soup: 2 samples'", "Join them"],
        ),
        ({0: "NA", 1: "NA", 2: "NA"}, ["missing values: 'NA'", "'not applicable'"]),
        ({0: "id", 1: "id", 2: "id"}, ["column of ids: 'id'", "Rename"]),
        ({0: "sample_name"}, ["column of ids: 'sample_name'", "Rename"]),
        ({0: "a\tb", 1: "a\tb", 2: "a\tb"}, ["control characters: 'a", "Rename"]),
        ({0: "a\nb"}, ["line ends"]),
        ({"all": None}, ["Only 0 samples can be used", "'diet'"]),
        ({"most": None}, ["Only 9 samples can be used"]),
    ],
)
def test_classes_that_cannot_be_learned(refused, study, change, parts):
    column = sim.by_age(study)
    for place, name in change.items():
        column.iloc[{"all": slice(None), "most": slice(9, None)}.get(place, place)] = name
    refused(quick.fit, *parts, study=study, values=column)


def test_classes_lost_with_samples_without_a_group_or_a_distance_or_that_validate(refused, study):
    column = sim.by_age(study, (np.quantile(study.ages, 0.7),), ("young", "old"))
    given = {"study": study, "values": column}
    groups = sim.column_of(study.subjects.mask(column == "old"))
    refused(quick.fit, "same 'diet' ('young')", "that can be used", groups=groups, **given)
    few = set(column.index[column == "old"][2:])
    matrix = study.select([name for name in column.index if name not in few]).distances
    beside = {"distance_matrix": matrix, "missing_samples": "ignore", "freeze_encoder": False}
    refused(quick.fit, "1 class with fewer than 3 samples", "'old: 2 samples'", **beside, **given)
    parts = ("'diet' has 1 class without a training sample", "groups that validate", "'groups'")
    groups = sim.column_of(column.rename("site"))
    refused(quick.fit, *parts, groups=groups, attention_head="on", **given)


def test_more_classes_than_can_be_learned(refused):
    from q2_aam.data.alignment import require_classes

    values = pd.Series([f"class {number // 3}" for number in range(3 * 1025)])
    refused(lambda: require_classes(values, "strain"), "1,025 classes", "at most 1,024")
    require_classes(values[: 3 * 1024], "strain")


def test_a_classifier_is_no_regressor(aam, refused, study, classified, fitted, tmp_path):
    with pytest.raises(TypeError, match="Categorical"):
        aam.fit_classifier(study.table, study.age_column, sequences=study.sequences)
    for results, wrong, act, parts in (
        (classified, "regressor", aam.predict_regression, ("'diet'", "predict-classification")),
        (fitted, "classifier", aam.predict_classification, ("'age'", "predict-regression")),
    ):
        given = {"table": study.table, "sequences": study.sequences}
        kind = f"AAM{wrong.title()}"
        with pytest.raises(TypeError, match=kind):
            act(**{wrong: results[0]}, **given)
        # under a wrong type, as someone may import it
        results[0].export_data(str(tmp_path / wrong))
        model = qiime2.Artifact.import_data(kind, str(tmp_path / wrong))
        refused(act, f"no {wrong}", *parts, **{wrong: model}, **given)
