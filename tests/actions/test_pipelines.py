"""The common case in one command: held-out predictions beside a forest's, and a report."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import (
    by_age,
    categorical,
    log_of,
    model_of,
    simulate_study,
)

from q2_aam.actions.cross_validate import make_folds

IDS = tuple(f"s{number:02d}" for number in range(30))


@pytest.fixture(scope="module")
def small():
    return simulate_study(samples=24, asvs=30, seed=4)


@pytest.fixture(scope="module")
def sexes(small):
    return qiime2.Metadata(pd.DataFrame({"sex": list("fmmffm") * 4}, index=small.ages.index))


@pytest.fixture
def regress(aam, small):
    def run(column=None, **settings):
        return aam.regress_samples(
            small.table, column or small.age_column,
            **{"sequences": small.sequences, "device": "cpu"} | settings,
        )  # fmt: skip

    return run


def actions_behind(artifact: qiime2.Artifact) -> set[str]:
    """Name the actions that led to an artifact."""
    return {
        match
        for path in artifact._archiver.provenance_dir.glob("**/action.yaml")
        for match in re.findall(r"^    action:\s+'?([a-z_]+)'?$", path.read_text(), re.MULTILINE)
    }


@pytest.fixture(scope="module")
def cross_validated(aam, small, sexes, runs_of_models_made_once):
    """Every kind of input at once; one group is blank."""
    children = small.subjects.copy()
    children.iloc[:2] = None
    return aam.regress_samples(
        small.table, small.age_column, sequences=small.sequences, groups=categorical(children),
        folds=2, confidence_level=0.5, covariates=sexes, covariate_columns=["sex"], device="cpu",
    )  # fmt: skip


def test_one_split_gives_what_the_steps_give(aam, small, regress):
    found = regress(test_size=0.4, confidence_level=0.5)
    training, test = aam.split_samples(small.table, small.age_column, test_size=0.4)
    fitted = aam.fit_regressor(training, small.age_column, sequences=small.sequences, device="cpu")
    alone = aam.predict_regression(
        test, fitted.regressor, sequences=small.sequences, confidence_level=0.5
    )
    held = found.predictions.view(pd.Series)
    assert held.sort_index().equals(alone.predictions.view(pd.Series).sort_index())
    bounds = found.intervals.view(pd.DataFrame).sort_index()
    assert bounds.equals(alone.intervals.view(pd.DataFrame).sort_index())
    assert set(found.baseline_predictions.view(pd.Series).index) == set(held.index)
    assert len(held) == 10
    assert log_of(found).summary["sample_ids"] == sorted(small.counts.index)


def test_folds_predict_every_sample_once(small, cross_validated):
    for name in ("predictions", "baseline_predictions"):
        values = getattr(cross_validated, name).view(pd.Series)
        assert sorted(values.index) == sorted(small.ages.index[2:])
    bounds = cross_validated.intervals.view(pd.DataFrame)
    predicted = cross_validated.predictions.view(pd.Series)[bounds.index]
    assert predicted.between(bounds["lower"], bounds["upper"]).all()


def test_covariates_reach_every_model(cross_validated):
    (covariate,) = model_of(cross_validated.regressor)[0].target.covariates
    assert covariate.levels == ("f", "m")


def test_samples_with_a_blank_group_are_said_to_be_left_out(cross_validated, tmp_path):
    cross_validated.evaluation.export_data(tmp_path)
    samples = (tmp_path / "downloads" / "samples.tsv").read_text()
    assert "blank in 'child'" in samples


def test_the_report_shows_which_features_matter(aam, small, sexes, cross_validated, tmp_path):
    importance = cross_validated.importance.view(pd.DataFrame)
    of_all_samples = aam.feature_importance(
        small.table, cross_validated.regressor, small.sequences, sexes
    ).importance.view(pd.DataFrame)
    pd.testing.assert_frame_equal(importance, of_all_samples)
    cross_validated.evaluation.export_data(tmp_path / "page")
    listed = pd.read_csv(tmp_path / "page" / "downloads" / "importance.tsv", sep="\t", index_col=0)
    assert list(listed.index) == list(importance.index)
    assert (listed["sequence"] == small.dna[listed.index]).all()


def test_provenance_shows_the_steps(cross_validated):
    assert actions_behind(cross_validated.predictions) >= {
        "filter_samples", "fit_regressor", "predict_regression", "_merge_predictions",
        "regress_samples",
    }  # fmt: skip
    forest = actions_behind(cross_validated.baseline_predictions)
    assert {"fit_regressor", "predict_regression", "filter_samples"} <= forest
    assert {"feature_importance", "fit_regressor"} <= actions_behind(cross_validated.importance)


def test_a_distance_matrix_pretrains_the_encoder_that_everything_is_fitted_with(monkeypatch, small):
    from q2_aam.actions import cross_validate

    called = []

    def get_action(plugin, name):
        return lambda **given: called.append((name, given)) or ("made", "log")

    given = dict.fromkeys(("encoder", "sequences"))
    given |= {"ctx": SimpleNamespace(get_action=get_action), "table": small.table}
    given |= {"distance_matrix": small.distances, "missing_samples": "ignore", "device": "cpu"}
    assert cross_validate._encoder(given | {"random_seed": 3}) == "made"
    ((name, passed),) = called
    assert name == "pretrain"
    assert passed["random_seed"] == 3
    assert passed["missing_samples"] == "ignore"


def test_classes_are_predicted_with_their_probabilities(aam, small):
    diets = categorical(by_age(small, (small.ages.median(),), ("milk", "solid")))
    found = aam.classify_samples(
        small.table, diets, sequences=small.sequences, folds=2, device="cpu"
    )
    for predictions, probabilities in (
        (found.predictions, found.probabilities),
        (found.baseline_predictions, found.baseline_probabilities),
    ):
        shares = probabilities.view(pd.DataFrame)
        assert sorted(shares.index) == sorted(small.ages.index)
        assert np.allclose(shares.sum(axis=1), 1)
        assert (shares.idxmax(axis=1) == predictions.view(pd.Series)[shares.index]).all()
    assert model_of(found.classifier)[0].target.classes == ("milk", "solid")


# folds


def samples_of(groups=None, classes=None) -> SimpleNamespace:
    """Stand in for training samples: of their ids, groups and classes alone."""
    return SimpleNamespace(
        samples=SimpleNamespace(sample_ids=IDS), groups=groups, classes=classes, covariates=None
    )


IN_THREES = {name: f"g{number // 3}" for number, name in enumerate(IDS)}


@pytest.mark.parametrize("folds", [0, 2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_groups_never_straddle(folds, seed):
    parts = make_folds(samples_of(IN_THREES), folds, 0.2, seed)
    assert len(parts) == max(folds, 1)
    for kept, held in parts:
        assert sorted(kept + held) == list(IDS)
        assert not {IN_THREES[name] for name in kept} & {IN_THREES[name] for name in held}
    if folds:
        assert sorted(name for _, held in parts for name in held) == list(IDS)


def test_folds_have_all_classes_alike_and_depend_on_ids_alone():
    classes = {name: "rare" if number % 5 == 0 else "common" for number, name in enumerate(IDS)}
    given = samples_of(classes=classes)
    parts = make_folds(given, 3, 0.2, 0)
    assert [sum(classes[name] == "rare" for name in held) for _, held in parts] == [2, 2, 2]
    given.samples.sample_ids = IDS[::-1]
    assert make_folds(given, 3, 0.2, 0) == parts
    assert make_folds(given, 3, 0.2, 1) != parts


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_class_is_spread_over_folds_or_refused_with_the_reason(refused, seed):
    """Five samples in two subjects: a fold that holds both would never have seen the class."""
    classes = {name: "C" if number < 5 else "AB"[number % 2] for number, name in enumerate(IDS)}
    groups = IN_THREES | {IDS[4]: "g1"}
    refused(
        lambda: make_folds(samples_of(groups, classes), 5, 0.2, seed),
        "1 class would have fewer than 3", "in fold", "'C: 5 samples in 2 groups", "remain",
    )  # fmt: skip
    classes[IDS[5]] = "C"  # now of three subjects, two samples each
    groups = IN_THREES | dict(zip(IDS[:6], "xxyyzz", strict=True))
    for kept, _ in make_folds(samples_of(groups, classes), 3, 0.2, seed):
        assert sum(classes[name] == "C" for name in kept) >= 3


# refused before anything is trained


@pytest.fixture
def nothing_trains(monkeypatch):
    from q2_aam.actions import cross_validate

    def trained(*_):
        raise AssertionError("it would have trained")

    monkeypatch.setattr(cross_validate, "_encoder", trained)


def dropping(study, number: int) -> qiime2.NumericMetadataColumn:
    return qiime2.NumericMetadataColumn(study.ages.iloc[number:])


REFUSED = {
    "a sample without a row": (
        lambda s: {"column": dropping(s, 1)}, ["1 sample of 24", "'S000'", "'missing_samples'"],
    ),
    "a covariate's name": (
        lambda s: {
            "covariates": qiime2.Metadata(s.ages.rename("bmi").to_frame()),
            "covariate_columns": ["Bmi"],
        },
        ["no column 'Bmi'", "'bmi'"],
    ),
    "a covariate that is constant in a fold": (
        lambda s: {
            "covariates": qiime2.Metadata(
                pd.DataFrame({"run": ["x", *"a" * 23]}, index=s.ages.index)
            ),
            "covariate_columns": ["run"], "folds": 24,
        },
        ["'run' is 'a' in all 23 training samples"],
    ),
    "a target that is constant in a fold": (
        lambda s: {
            "column": qiime2.NumericMetadataColumn(
                pd.Series([1.0, *[2.0] * 23], s.ages.index, name="age")
            ),
            "folds": 24,
        },
        ["All 23 training samples have the same 'age'"],
    ),
    "too many folds": (lambda s: {"folds": 100}, ["24 samples for 100 folds", "at most 24"]),
    "too many folds for groups": (
        lambda s: {"folds": 20, "groups": s.subject_column}, ["12 groups for 20 folds"],
    ),
    "one fold": (lambda s: {"folds": 1}, ["'folds' is 1", "nothing to fit on"]),
    "nothing to test on": (lambda s: {"test_size": 0.0}, ["'test_size' of 0", "no sample of 24"]),
    "folds and a share": (lambda s: {"folds": 2, "test_size": 0.5}, ["'test_size'", "no effect"]),
    "no sequences": (lambda s: {"sequences": None}, ["30 feature ids of 30", "not DNA"]),
    "a matrix of others": (
        lambda s: {"distance_matrix": s.select(s.ages.index[:20]).distances},
        ["4 samples of 24", "the distance matrix"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_refused_is_refused_before_any_work(
    refused, regress, small, nothing_trains, name
):
    given, parts = REFUSED[name]
    refused(lambda: regress(**given(small)), *parts)


def test_an_encoder_where_a_new_one_is_asked_for(refused, regress, pretrained, nothing_trains):
    refused(lambda: regress(encoder=pretrained.encoder, pretrained="none"), "'encoder' was given")


def test_a_class_of_three_is_counted_whole(refused, aam, small, nothing_trains):
    column = pd.Series(["A", "B"] * 12, small.ages.index, name="site")
    column.iloc[:3] = "C"
    refused(
        lambda: aam.classify_samples(small.table, categorical(column), sequences=small.sequences),
        "'C: 3 samples, of which", "to learn from after holding out the test samples",
    )  # fmt: skip


# merging


def predictions_of(**values) -> qiime2.Artifact:
    series = pd.Series(values, name="prediction")
    series.index.name = "id"
    return qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", series)


def test_merged_predictions_keep_classes_as_they_are_written():
    from q2_sample_classifier import PredictionsDirectoryFormat

    from q2_aam.actions.cross_validate import _merge_predictions

    parts = [predictions_of(b="01"), predictions_of(a="NA")]
    merged = _merge_predictions([one.view(PredictionsDirectoryFormat) for one in parts])
    assert (merged.path / "predictions.tsv").read_text() == "id\tprediction\na\tNA\nb\t01\n"


def test_a_class_that_one_model_did_not_know_has_no_probability():
    from q2_aam.actions.cross_validate import _merge_tables

    merged = _merge_tables(
        [pd.DataFrame({"x": [0.4], "y": [0.6]}, ["a"]), pd.DataFrame({"x": [1.0]}, ["b"])]
    )
    assert merged.loc["b"].to_dict() == {"x": 1.0, "y": 0.0}
