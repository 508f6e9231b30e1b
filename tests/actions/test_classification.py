"""Classifiers learn, say probabilities, and refuse what cannot be learned."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim


@pytest.fixture(scope="module")
def predicted(halves, classified):
    return quick.predict(halves[1], classified)


def test_unseen_samples_are_classified_far_better_than_by_the_most_common_class(halves, predicted):
    found, truth = predicted.predictions.view(pd.Series), sim.by_age(halves[1])
    assert sorted(found.index) == sorted(truth.index)
    accuracy = (found == truth[found.index]).mean()
    assert accuracy > truth.value_counts(normalize=True).max() + 0.25


def test_probabilities_are_probabilities_and_favour_the_prediction(halves, predicted):
    shares = predicted.probabilities.view(pd.DataFrame)
    assert list(shares) == ["milk", "mixed", "solid"]
    assert shares.to_numpy().min() >= 0
    assert shares.to_numpy().max() <= 1
    assert (shares.sum(axis=1) - 1).abs().max() < 1e-12
    favoured = shares.idxmax(axis=1)
    assert favoured.equals(predicted.predictions.view(pd.Series)[shares.index])
    assert shares["milk"].std() > 0.1
    # the truth has more probability than chance would give it, also where it is not the favourite
    truth = sim.by_age(halves[1])
    wrong = shares.index[favoured != truth[shares.index]]
    given = [shares.at[name, truth[name]] for name in wrong]
    rest = [(1 - shares.loc[name].max()) / 2 for name in wrong]
    assert len(wrong) == 0 or np.mean(given) >= np.mean(rest)


def test_other_plugins_read_predictions(predicted, halves):
    from qiime2.plugins import sample_classifier

    assert str(predicted.predictions.type) == "SampleData[ClassifierPredictions]"
    assert str(predicted.probabilities.type) == "SampleData[Probabilities]"
    (page,) = sample_classifier.actions.confusion_matrix(
        predicted.predictions,
        sim.column_of(sim.by_age(halves[1])),
        probabilities=predicted.probabilities,
    )
    assert str(page.type) == "Visualization"
    frame = predicted.predictions.view(qiime2.Metadata).merge(
        predicted.probabilities.view(qiime2.Metadata)
    ).to_dataframe()  # fmt: skip
    assert list(frame) == ["prediction", "milk", "mixed", "solid"]


def test_the_log_and_the_model_say_what_was_learned(classified, halves):
    target, log = sim.model_of(classified.classifier)[0].target, sim.log_of(classified)
    counts = sim.by_age(halves[0]).value_counts()
    assert target.counts == tuple(counts[list(target.classes)])
    assert log.summary["sample_ids"] == sorted(halves[0].counts.index)
    assert 0.5 < log.summary["scores"]["balanced_accuracy"] <= 1
    assert sum(head["weight"] for head in log.summary["heads"]) == pytest.approx(1)


def test_rare_classes_are_found_more_often_if_classes_are_balanced(halves):
    random = np.random.default_rng(5)
    study, unseen = halves

    def draw(part):
        noisy = part.ages + random.normal(0, 9, len(part.ages))
        return pd.Series(np.where(noisy > 19, "rare", "usual"), part.ages.index, name="state")

    column, truth = draw(study), draw(unseen)
    assert 0.1 < (column == "rare").mean() < 0.4
    found, fits = {}, {}
    for how in ("none", "balanced"):
        fits[how] = fitted = quick.fit(study, column, class_weights=how)
        found[how] = quick.predict(unseen, fitted).probabilities.view(pd.DataFrame)["rare"]
        chosen = {setting.name: setting for setting in sim.log_of(fitted).settings}["class_weights"]
        assert (chosen.value, chosen.chosen_by) == (how, "user" if how == "balanced" else "default")
    rare = truth.index[truth == "rare"]
    assert found["balanced"][rare].mean() > found["none"][rare].mean() + 0.1
    assert not sim.same_weights(*(one.classifier for one in fits.values()))


def test_distances_are_learned_beside_classes(study, pretrained):
    """The encoder of a classifier is trained as that of a regressor."""
    found = quick.fit(
        study, sim.by_age(study), distance_matrix=study.distances, encoder=pretrained.encoder,
        freeze_encoder=False, **sim.DESCENT,
    )  # fmt: skip
    assert sim.model_of(found.classifier)[0].distance_state == "trained"
    history = sim.history_of(found)
    assert (history[["validation_unifrac_loss", "validation_target_loss"]] > 0).all(axis=None)
    assert history["validation_accuracy"].between(0, 1).all()


def test_classes_that_look_like_numbers_stay_classes(study):
    from qiime2.plugins import sample_classifier

    column = sim.by_age(study, (12,), ("1", "2"))
    found = quick.predict(study, quick.fit(study, column))
    assert list(found.probabilities.view(pd.DataFrame)) == ["1", "2"]
    assert set(found.predictions.view(pd.Series).astype(str)) <= {"1", "2"}
    (page,) = sample_classifier.actions.confusion_matrix(found.predictions, sim.column_of(column))
    assert page is not None


HOSTILE = ("a,b", '"quoted"', "<script>alert(1)</script>", "#comment", "=1+1", "a.1", "a", "ü \\N")


def test_any_name_of_a_class_is_read_back():
    study = sim.simulate_study(40, 30, 7, (40, 40))
    column = sim.by_age(study, np.quantile(study.ages, np.arange(1, 8) / 8), HOSTILE)
    found = quick.predict(study, quick.fit(study, column))
    assert sorted(HOSTILE) == list(found.probabilities.view(pd.DataFrame))
    read = found.predictions.view(pd.Series)
    assert set(read) <= set(HOSTILE)
    assert read.nunique() > 3
    frame = found.probabilities.view(qiime2.Metadata).to_dataframe()
    assert np.allclose(frame.sum(axis=1), 1)
    assert frame.idxmax(axis=1).equals(read[frame.index])


def test_a_class_of_one_group_trains(study):
    """Its samples cannot be on both sides of a fold; the others judge the heads."""
    column = pd.Series("usual", study.counts.index, name="state")
    column.iloc[:4] = "rare"
    found = quick.fit(
        study, column, groups=sim.column_of(study.subjects.mask(column == "rare", "1"))
    )
    assert sim.model_of(found.classifier)[0].target.counts[0] == 4


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
    refused(lambda: quick.fit(study, sim.column_of(column)), *parts)


def test_classes_lost_with_samples_without_a_group_or_a_distance(refused, study):
    column = sim.by_age(study, (np.quantile(study.ages, 0.7),), ("young", "old"))
    groups = sim.column_of(study.subjects.mask(column == "old"))
    refused(
        lambda: quick.fit(study, column, groups=groups),
        "same 'diet' ('young')", "that can be used",
    )  # fmt: skip
    few = column.index[column == "old"][2:]
    matrix = study.select([name for name in column.index if name not in set(few)]).distances
    given = {"distance_matrix": matrix, "missing_samples": "ignore", "freeze_encoder": False}
    refused(
        lambda: quick.fit(study, column, **given),
        "1 class with fewer than 3 samples", "'old: 2 samples'",
    )  # fmt: skip


def test_a_class_whose_samples_all_validate(refused, study):
    column = sim.by_age(study, (12,), ("young", "old"))
    groups = sim.column_of(column.rename("site"))
    refused(
        lambda: quick.fit(study, column, groups=groups, attention_head="on"),
        "'diet' has 1 class without a training sample", "groups that validate", "'groups'",
    )  # fmt: skip


def test_more_classes_than_can_be_learned(refused):
    from q2_aam.data.alignment import require_classes

    values = pd.Series([f"class {number // 3}" for number in range(3 * 1025)])
    refused(lambda: require_classes(values, "strain"), "1,025 classes", "at most 1,024")
    require_classes(values[: 3 * 1024], "strain")


def test_a_classifier_is_no_regressor(aam, refused, study, halves, classified, fitted, tmp_path):
    with pytest.raises(TypeError, match="Categorical"):
        aam.fit_classifier(study.table, study.age_column, sequences=study.sequences)
    for results, wrong, parts in (
        (classified, "Regressor", ("'diet'", "no regressor", "predict-classification")),
        (fitted, "Classifier", ("'age'", "no classifier", "predict-regression")),
    ):
        action = getattr(aam, f"predict_{'regression' if wrong[0] == 'R' else 'classification'}")
        with pytest.raises(TypeError, match=f"AAM{wrong}"):
            action(study.table, results[0], sequences=study.sequences)
        # under a wrong type, as someone may import it
        results[0].export_data(str(tmp_path / wrong))
        model = qiime2.Artifact.import_data(f"AAM{wrong}", str(tmp_path / wrong))
        refused(lambda m=model, act=action: act(study.table, m, sequences=study.sequences), *parts)
