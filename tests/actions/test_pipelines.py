"""The common case in one command: held-out predictions beside a forest's, and a report."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import by_age, column_of, log_of, model_of, simulate_study

from q2_aam.actions import cross_validate


@pytest.fixture(scope="module")
def small():
    return simulate_study(samples=24, asvs=30, seed=4)


@pytest.fixture(scope="module")
def sexes(small):
    return qiime2.Metadata(pd.DataFrame({"sex": list("fmmffm") * 4}, index=small.ages.index))


@pytest.fixture(scope="module")
def regress(aam, small):
    def run(values=small.ages, **settings):
        given = {"sequences": small.sequences, "device": "cpu"} | settings
        return aam.regress_samples(small.table, column_of(values), **given)

    return run


def actions_behind(artifact: qiime2.Artifact) -> set[str]:
    """Name the actions that led to an artifact."""
    return {
        match
        for path in artifact._archiver.provenance_dir.glob("**/action.yaml")
        for match in re.findall(r"^    action:\s+'?([a-z_]+)'?$", path.read_text(), re.MULTILINE)
    }


@pytest.fixture(scope="module")
def cross_validated(regress, small, sexes, runs_of_models_made_once):
    """Every kind of input at once; one group is blank."""
    children = small.subjects.copy()
    children.iloc[:2] = None
    return regress(
        groups=column_of(children), folds=2, confidence_level=0.5, covariates=sexes,
        covariate_columns=["sex"],
    )  # fmt: skip


def test_one_split_gives_what_the_steps_give(aam, small, regress):
    found = regress(test_size=0.4, confidence_level=0.5)
    split = aam.split_samples(small.table, small.age_column, test_size=0.4)
    given = {"sequences": small.sequences}
    fitted = aam.fit_regressor(split.training_table, small.age_column, device="cpu", **given)
    alone = aam.predict_regression(
        split.test_table, fitted.regressor, confidence_level=0.5, **given
    )
    held = found.predictions.view(pd.Series).sort_index()
    assert held.equals(alone.predictions.view(pd.Series).sort_index())
    bounds = found.intervals.view(pd.DataFrame).sort_index()
    assert bounds.equals(alone.intervals.view(pd.DataFrame).sort_index())
    assert set(found.baseline_predictions.view(pd.Series).index) == set(held.index)
    truth = found.test_targets.view(pd.Series)
    assert truth.equals(split.test_targets.view(pd.Series).sort_index())
    assert len(held) == 10
    assert log_of(found).summary["sample_ids"] == sorted(small.counts.index)


def test_folds_predict_every_sample_once(small, cross_validated):
    for name in ("predictions", "baseline_predictions", "test_targets"):
        values = getattr(cross_validated, name).view(pd.Series)
        assert sorted(values.index) == sorted(small.ages.index[2:])
    assert values.astype(float).equals(small.ages[values.index])
    bounds = cross_validated.intervals.view(pd.DataFrame)
    predicted = cross_validated.predictions.view(pd.Series)[bounds.index]
    assert predicted.between(bounds["lower"], bounds["upper"]).all()
    (covariate,) = model_of(cross_validated.regressor)[0].target.covariates
    assert covariate.levels == ("f", "m")


def test_the_report_shows_which_features_matter_and_who_is_left_out(
    aam, small, sexes, cross_validated, tmp_path
):
    importance = cross_validated.importance.view(pd.DataFrame)
    of_all_samples = aam.feature_importance(
        small.table, cross_validated.regressor, small.sequences, sexes
    ).importance.view(pd.DataFrame)
    pd.testing.assert_frame_equal(importance, of_all_samples)
    cross_validated.evaluation.export_data(tmp_path / "page")
    downloads = tmp_path / "page" / "downloads"
    listed = pd.read_csv(downloads / "importance.tsv", sep="\t", index_col=0)
    assert list(listed.index) == list(importance.index)
    assert (listed["sequence"] == small.dna[listed.index]).all()
    assert "blank in 'child'" in (downloads / "samples.tsv").read_text()
    text = re.sub(r"\s+", " ", (tmp_path / "page" / "index.html").read_text())
    for words in (
        "Design: 2-fold cross-validation: 22 of 22 samples predicted",
        "groups of &#39;child&#39; kept apart; 2 left out (blank in the metadata column",
        "random forest on the same samples. Predictions: ",
    ):
        assert words in text, words


def test_provenance_shows_the_steps(cross_validated):
    assert actions_behind(cross_validated.predictions) >= {
        "filter_samples", "fit_regressor", "predict_regression", "_merge_predictions",
        "regress_samples",
    }  # fmt: skip
    forest = actions_behind(cross_validated.baseline_predictions)
    assert {"fit_regressor", "predict_regression", "filter_samples"} <= forest
    assert {"feature_importance", "fit_regressor"} <= actions_behind(cross_validated.importance)


def test_a_distance_matrix_pretrains_the_encoder_that_everything_is_fitted_with(small):
    called = []

    def get_action(plugin, name):
        return lambda **given: called.append((name, given)) or ("made", "log")

    given = {"encoder": None, "sequences": None, "table": small.table, "device": "cpu"}
    given |= {"distance_matrix": small.distances, "missing_samples": "ignore", "random_seed": 3}
    assert cross_validate._encoder(SimpleNamespace(get_action=get_action), given) == "made"
    ((name, passed),) = called
    assert (name, passed["random_seed"], passed["missing_samples"]) == ("pretrain", 3, "ignore")


def test_classes_are_predicted_with_their_probabilities(aam, small, capsys):
    diets = by_age(small, (small.ages.median(),), ("milk", "solid"))
    found = aam.classify_samples(
        small.table, column_of(diets), sequences=small.sequences, folds=2, device="cpu"
    )
    assert re.findall(r"fold \d of \d", capsys.readouterr().out) == ["fold 1 of 2", "fold 2 of 2"]
    for predictions, probabilities in (
        (found.predictions, found.probabilities),
        (found.baseline_predictions, found.baseline_probabilities),
    ):
        shares = probabilities.view(pd.DataFrame)
        assert sorted(shares.index) == sorted(small.ages.index)
        assert np.allclose(shares.sum(axis=1), 1)
        assert (shares.idxmax(axis=1) == predictions.view(pd.Series)[shares.index]).all()
    assert model_of(found.classifier)[0].target.classes == ("milk", "solid")
    truth = found.test_targets.view(pd.Series)
    assert truth.to_dict() == diets.to_dict()


@pytest.fixture
def nothing_trains(monkeypatch):
    def trained(*_):
        raise AssertionError("it would have trained")

    monkeypatch.setattr(cross_validate, "_encoder", trained)


def covariates(column: pd.Series) -> dict:
    return {"covariates": qiime2.Metadata(column.to_frame()), "covariate_columns": ["run"]}


REFUSED = {
    "a sample without a row": (
        lambda s: {"values": s.ages.iloc[1:]}, ["1 sample of 24", "'S000'", "'missing_samples'"],
    ),
    "a covariate's name": (
        lambda s: covariates(s.ages.rename("Run")), ["no column 'run'", "'Run'"],
    ),
    "a covariate that is constant in a fold": (
        lambda s: covariates(pd.Series(["x", *"a" * 23], s.ages.index, name="run"))
        | {"folds": 24},
        ["'run' is 'a' in all 23 training samples"],
    ),
    "a target that is constant in a fold": (
        lambda s: {"values": s.ages.where(s.ages.index == "S000", 2.0), "folds": 24},
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
    "a taxonomy of others": (
        lambda s: {"taxonomy": qiime2.Artifact.import_data("FeatureData[Taxonomy]", pd.DataFrame(
            {"Taxon": "k__B", "Confidence": "1"}, pd.Index(["x"], name="Feature ID")))},
        ["the taxonomy: 1 id, such as 'x'"],
    ),
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
    column = pd.Series([*"CCC", *"AB" * 10, "A"], small.ages.index, name="site")
    refused(
        lambda: aam.classify_samples(small.table, column_of(column), sequences=small.sequences),
        "'C: 3 samples, of which", "to learn from after holding out the test samples",
    )  # fmt: skip


def test_merged_predictions_keep_classes_as_they_are_written():
    from q2_sample_classifier import PredictionsDirectoryFormat

    parts = []
    for values in ({"b": "01"}, {"a": "NA"}):
        series = pd.Series(values, name="prediction").rename_axis("id")
        part = qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", series)
        parts.append(part.view(PredictionsDirectoryFormat))
    merged = cross_validate._merge_predictions(parts)
    assert (merged.path / "predictions.tsv").read_text() == "id\tprediction\na\tNA\nb\t01\n"


def test_a_class_that_one_model_did_not_know_has_no_probability():
    merged = cross_validate._merge_tables(
        [pd.DataFrame({"x": [0.4], "y": [0.6]}, ["a"]), pd.DataFrame({"x": [1.0]}, ["b"])]
    )
    assert merged.loc["b"].to_dict() == {"x": 1.0, "y": 0.0}
