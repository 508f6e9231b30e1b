"""The common case in one command: held-out predictions beside a forest's, and a report."""

import re

import numpy as np
import pandas as pd
import pytest
import qiime2
from q2_aam.actions.cross_validation import divide
from simulated_study import TINY_FIT, model_of, simulate_study

QUICK = {name: value for name, value in TINY_FIT.items() if name != "epochs"} | {"epochs": 1}
IDS = [f"s{number:02d}" for number in range(30)]


@pytest.fixture(scope="module")
def small():
    return simulate_study(samples=24, asvs=30, seed=4)


def diets(study) -> qiime2.CategoricalMetadataColumn:
    words = np.where(study.ages.to_numpy() > study.ages.median(), "solid", "milk")
    return qiime2.CategoricalMetadataColumn(pd.Series(words, study.ages.index, name="diet"))


def actions_behind(artifact: qiime2.Artifact) -> set[str]:
    """Name the actions that led to an artifact."""
    return {
        match
        for path in artifact._archiver.provenance_dir.glob("**/action.yaml")
        for match in re.findall(r"^    action:\s+'?([a-z_]+)'?$", path.read_text(), re.MULTILINE)
    }


@pytest.fixture(scope="module")
def sexes(small):
    return qiime2.Metadata(pd.DataFrame({"sex": ["f", "m"] * 12}, index=small.ages.index))


@pytest.fixture(scope="module")
def cross_validated(aam, small, sexes, runs_of_models_made_once):
    return aam.regress_samples(
        small.table, small.age_column, sequences=small.sequences, groups=small.subject_column,
        distance_matrix=small.distances, folds=3, confidence_level=0.5, pretraining_epochs=1,
        covariates=sexes, covariate_columns=["sex"], **QUICK,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*cannot support")
def test_one_split_gives_what_the_steps_give(aam, small):
    found = aam.regress_samples(
        small.table, small.age_column, sequences=small.sequences, test_size=0.4, confidence_level=0.5,
        **QUICK,
    )  # fmt: skip
    training, test = aam.split_samples(small.table, small.age_column, test_size=0.4)
    fitted = aam.fit_regressor(training, small.age_column, sequences=small.sequences, **QUICK)
    alone = aam.predict_regression(test, fitted.regressor, sequences=small.sequences, confidence_level=0.5)
    held = found.predictions.view(pd.Series)
    assert held.sort_index().equals(alone.predictions.view(pd.Series).sort_index())
    bounds = found.intervals.view(pd.DataFrame).sort_index()
    assert bounds.equals(alone.intervals.view(pd.DataFrame).sort_index())
    assert set(found.baseline_predictions.view(pd.Series).index) == set(held.index)
    assert len(held) == 10
    assert found.evaluation.type == qiime2.core.type.Visualization
    config, _ = model_of(found.regressor)
    everything = aam.fit_regressor(
        small.table, small.age_column, sequences=small.sequences, **QUICK
    )
    assert config == model_of(everything.regressor)[0]


@pytest.mark.filterwarnings("ignore:.*cannot support")
def test_folds_predict_every_sample_once(small, cross_validated):
    for name in ("predictions", "baseline_predictions"):
        values = getattr(cross_validated, name).view(pd.Series)
        assert sorted(values.index) == sorted(small.ages.index)
    bounds = cross_validated.intervals.view(pd.DataFrame)
    predicted = cross_validated.predictions.view(pd.Series)[bounds.index]
    assert (bounds["lower"] <= predicted).all()
    assert (predicted <= bounds["upper"]).all()


def test_a_distance_matrix_pretrains_an_encoder(cross_validated):
    assert model_of(cross_validated.regressor)[0].distance_state == "trained"


def test_covariates_reach_every_model(cross_validated):
    (covariate,) = model_of(cross_validated.regressor)[0].target.covariates
    assert covariate.levels == ("f", "m")


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
    assert {"feature_importance", "fit_regressor"} <= actions_behind(cross_validated.importance)


def test_provenance_shows_the_steps(cross_validated):
    assert actions_behind(cross_validated.predictions) >= {
        "pretrain", "filter_samples", "fit_regressor", "predict_regression", "merge_predictions",
        "regress_samples",
    }  # fmt: skip
    forest = actions_behind(cross_validated.baseline_predictions)
    assert {"fit_regressor", "predict_regression", "filter_samples"} <= forest
    assert "pretrain" not in forest


def test_classes_are_predicted_with_their_probabilities(aam, small):
    found = aam.classify_samples(
        small.table, diets(small), sequences=small.sequences, folds=2, **QUICK
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


def test_an_encoder_and_a_matrix_together_are_refused(aam, small, pretrained, refused):
    refused(
        lambda: aam.regress_samples(
            small.table, small.age_column, sequences=small.sequences,
            encoder=pretrained.encoder, distance_matrix=small.distances, **QUICK,
        ),
        "'encoder' and 'distance_matrix'", "leave one of them out",
    )  # fmt: skip


@pytest.mark.parametrize("folds", [0, 2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_groups_never_straddle(folds, seed):
    groups = {name: f"g{number // 3}" for number, name in enumerate(IDS)}
    parts = divide(IDS, folds, 0.2, seed, groups, None)
    assert len(parts) == max(folds, 1)
    for kept, held in parts:
        assert sorted(kept + held) == IDS
        assert not {groups[name] for name in kept} & {groups[name] for name in held}
    if folds:
        assert sorted(name for _, held in parts for name in held) == IDS


def test_folds_have_all_classes_alike_and_depend_on_ids_alone():
    classes = {name: "rare" if number % 5 == 0 else "common" for number, name in enumerate(IDS)}
    parts = divide(IDS, 3, 0.2, 0, None, classes)
    assert [sum(classes[name] == "rare" for name in held) for _, held in parts] == [2, 2, 2]
    assert divide(IDS[::-1], 3, 0.2, 0, None, classes) == parts
    assert divide(IDS, 3, 0.2, 1, None, classes) != parts


@pytest.mark.parametrize(("folds", "part"), [(1, "'folds' is 1"), (20, "10 groups for 20 folds")])
def test_impossible_folds_are_refused(refused, folds, part):
    groups = {name: f"g{number // 3}" for number, name in enumerate(IDS)}
    refused(lambda: divide(IDS, folds, 0.2, 0, groups, None), part, "folds")


def predictions_of(**values) -> qiime2.Artifact:
    series = pd.Series(values, name="prediction")
    series.index.name = "id"
    return qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", series)


def test_merged_predictions_keep_classes_as_they_are_written(aam):
    merged = aam.merge_predictions([predictions_of(b="01"), predictions_of(a="NA")])
    from q2_sample_classifier import PredictionsDirectoryFormat

    view = merged.merged_predictions.view(PredictionsDirectoryFormat)
    assert (view.path / "predictions.tsv").read_text() == "id\tprediction\na\tNA\nb\t01\n"


def test_a_class_that_one_model_did_not_know_has_no_probability(aam):
    tables = [
        qiime2.Artifact.import_data(
            "SampleData[Probabilities]",
            pd.DataFrame(shares, index=pd.Index([name], name="id")),
        )
        for name, shares in (("a", {"x": [0.4], "y": [0.6]}), ("b", {"x": [1.0]}))
    ]
    merged = aam.merge_prediction_tables(tables).merged_table.view(pd.DataFrame)
    assert merged.loc["b"].to_dict() == {"x": 1.0, "y": 0.0}


def test_samples_that_stand_in_two_parts_are_refused(aam, refused):
    parts = [predictions_of(a="x", b="y"), predictions_of(b="y")]
    refused(lambda: aam.merge_predictions(parts), "1 sample", "'b'", "different samples")
