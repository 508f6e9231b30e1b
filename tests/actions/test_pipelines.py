"""Held-out samples, and the pipelines that predict them beside a forest and write a report.

On QIIME 2's own engine a killed pipeline takes what it had made, and folds run side by side.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim

from q2_aam.actions import cross_validate
from q2_aam.actions.split import make_folds

FILES = ("table", "sequences", "distances")
RECIPE = Path(__file__).parents[2] / "recipe"
IDS = tuple(f"s{number:02d}" for number in range(30))
IN_THREES = {name: f"g{number // 3}" for number, name in enumerate(IDS)}


@pytest.fixture(scope="module")
def small():
    return sim.simulate_study(samples=24, asvs=30, seed=4)


@pytest.fixture(scope="module")
def sexes(small):
    return qiime2.Metadata(pd.DataFrame({"sex": list("fmmffm") * 4}, index=small.ages.index))


@pytest.fixture(scope="module")
def regress(aam, small):
    def run(values=small.ages, **settings):
        given = {"sequences": small.sequences, "device": "cpu"} | settings
        return aam.regress_samples(small.table, sim.column_of(values), **given)

    return run


def actions_behind(artifact: qiime2.Artifact) -> set[str]:
    """Name the actions that led to an artifact."""
    records = artifact._archiver.provenance_dir.glob("**/action.yaml")
    text = "\n".join(path.read_text() for path in records)
    return set(re.findall(r"^    action:\s+'?([a-z_]+)'?$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def cross_validated(regress, small, sexes, runs_of_models_made_once):
    """Every kind of input at once; one group is blank."""
    children = small.subjects.copy()
    children.iloc[:2] = None
    return regress(
        groups=sim.column_of(children), folds=2, confidence_level=0.5, covariates=sexes,
        covariate_columns=["sex"],
    )  # fmt: skip


def test_one_split_gives_what_the_steps_give(aam, small, regress):
    found = regress(test_size=0.4, confidence_level=0.5)
    split = quick.split(small, test_size=0.4)
    given, level = {"sequences": small.sequences}, {"confidence_level": 0.5}
    fitted = aam.fit_regressor(split.training_table, small.age_column, device="cpu", **given)
    alone = aam.predict_regression(split.test_table, fitted.regressor, **level, **given)
    for one, other in (
        (found.predictions, alone.predictions), (found.intervals, alone.intervals),
        (found.test_targets, split.test_targets),
    ):  # fmt: skip
        one, other = (sim.values_of(values).sort_index() for values in (one, other))
        assert one.equals(other)
        assert len(one) == 10
    assert set(sim.values_of(found.baseline_predictions).index) == set(one.index)
    assert sim.log_of(found).summary["sample_ids"] == sorted(small.counts.index)


def test_folds_predict_every_sample_once(small, cross_validated):
    for name in ("predictions", "baseline_predictions", "test_targets"):
        values = sim.values_of(getattr(cross_validated, name))
        assert sorted(values.index) == sorted(small.ages.index[2:])
    assert values.astype(float).equals(small.ages[values.index])
    bounds = sim.values_of(cross_validated.intervals)
    predicted = sim.values_of(cross_validated.predictions)[bounds.index]
    assert predicted.between(bounds["lower"], bounds["upper"]).all()
    (covariate,) = sim.target_of(cross_validated.regressor).covariates
    assert covariate.levels == ("f", "m")
    # provenance shows the steps
    behind = actions_behind(cross_validated.predictions)
    of_folds = {"filter_samples", "fit_regressor", "predict_regression"}
    assert of_folds | {"_merge_predictions", "regress_samples"} <= behind
    assert of_folds <= actions_behind(cross_validated.baseline_predictions)
    assert {"feature_importance", "fit_regressor"} <= actions_behind(cross_validated.importance)


def test_the_report_shows_which_features_matter_and_who_is_left_out(
    aam, small, sexes, cross_validated, tmp_path
):
    importance = sim.values_of(cross_validated.importance)
    given = (small.table, cross_validated.regressor, small.sequences, sexes)
    of_all_samples = sim.values_of(aam.feature_importance(*given).importance)
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


def test_a_distance_matrix_pretrains_the_encoder_that_everything_is_fitted_with(small):
    context, given = mock.Mock(), {"table": small.table, "distance_matrix": small.distances}
    context.get_action.return_value.return_value = ("made", "log")
    given |= {"device": "cpu", "missing_samples": "ignore", "random_seed": 3}
    assert cross_validate._encoder(context, given) == {"encoder": "made"}
    context.get_action.assert_called_once_with("aam", "pretrain")
    passed = context.get_action.return_value.call_args.kwargs
    assert (passed["random_seed"], passed["missing_samples"]) == (3, "ignore")


def test_classes_are_predicted_with_their_probabilities(aam, small, capsys):
    diets = sim.by_age(small, (small.ages.median(),), ("milk", "solid"))
    found = aam.classify_samples(
        small.table, sim.column_of(diets), sequences=small.sequences, folds=2, device="cpu"
    )
    assert re.findall(r"fold \d of \d", capsys.readouterr().out) == ["fold 1 of 2", "fold 2 of 2"]
    for predictions, probabilities in (
        (found.predictions, found.probabilities),
        (found.baseline_predictions, found.baseline_probabilities),
    ):
        shares = sim.values_of(probabilities)
        assert sorted(shares.index) == sorted(small.ages.index)
        assert np.allclose(shares.sum(axis=1), 1)
        assert (shares.idxmax(axis=1) == sim.values_of(predictions)[shares.index]).all()
    assert sim.target_of(found.classifier).classes == ("milk", "solid")
    assert sim.values_of(found.test_targets).to_dict() == diets.to_dict()


@pytest.fixture
def nothing_trains(monkeypatch):
    monkeypatch.delattr(cross_validate, "_encoder")  # without it, all that follows would fail


def covariates(column: pd.Series) -> dict:
    return {"covariates": qiime2.Metadata(column.to_frame()), "covariate_columns": ["run"]}


REFUSED = {
    "a sample without a row": (lambda s: {"values": s.ages.iloc[1:]},
                               ["1 sample of 24", "'S000'", "'missing_samples'"]),
    "a covariate": (lambda s: covariates(s.ages.rename("Run")), ["no column 'run'", "'Run'"]),
    "a covariate constant in a fold": (
        lambda s: covariates(pd.Series(["x", *"a" * 23], s.ages.index, name="run")) | {"folds": 24},
        ["'run' is 'a' in all 23 training samples"]),
    "a target constant in a fold": (
        lambda s: {"values": s.ages.where(s.ages.index == "S000", 2.0), "folds": 24},
        ["All 23 training samples have the same 'age'"]),
    "too many folds": (lambda s: {"folds": 100}, ["24 samples for 100 folds", "at most 24"]),
    "too many folds for groups": (lambda s: {"folds": 20, "groups": s.subject_column},
                                  ["12 groups for 20 folds"]),
    "one fold": (lambda s: {"folds": 1}, ["'folds' is 1", "nothing to fit on"]),
    "nothing to test on": (lambda s: {"test_size": 0.0}, ["'test_size' of 0", "no sample of 24"]),
    "folds and a share": (lambda s: {"folds": 2, "test_size": 0.5}, ["'test_size'", "no effect"]),
    "no sequences": (lambda s: {"sequences": None}, ["30 feature ids of 30", "not DNA"]),
    "a taxonomy of others": (
        lambda s: {"taxonomy": qiime2.Artifact.import_data("FeatureData[Taxonomy]", pd.DataFrame(
            {"Taxon": "k__B", "Confidence": "1"}, pd.Index(["x"], name="Feature ID")))},
        ["the taxonomy: 1 id, such as 'x'"]),
    "a matrix of others": (lambda s: {"distance_matrix": s.select(s.ages.index[:20]).distances},
                           ["4 samples of 24", "the distance matrix"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_refused_is_refused_before_any_work(
    refused, regress, small, nothing_trains, name
):
    given, parts = REFUSED[name]
    refused(regress, *parts, **given(small))


def test_a_new_encoder_and_a_class_too_small_are_refused_before_any_work(
    refused, aam, regress, small, pretrained, nothing_trains
):
    refused(regress, "'encoder' was given", encoder=pretrained.encoder, pretrained="none")
    column = pd.Series([*"CCC", *"AB" * 10, "A"], small.ages.index, name="site")
    given = {"table": small.table, "sequences": small.sequences, "metadata": sim.column_of(column)}
    parts = ("'C: 3 samples, of which", "to learn from after holding out the test samples")
    refused(aam.classify_samples, *parts, **given)


def test_classes_of_folds_are_merged_as_they_are_written_and_with_what_one_did_not_know():
    from q2_sample_classifier import PredictionsDirectoryFormat

    parts = []
    for values in ({"b": "01"}, {"a": "NA"}):
        series = pd.Series(values, name="prediction").rename_axis("id")
        part = qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", series)
        parts.append(part.view(PredictionsDirectoryFormat))
    merged = cross_validate._merge_predictions(parts)
    assert (merged.path / "predictions.tsv").read_text() == "id\tprediction\na\tNA\nb\t01\n"
    merged = cross_validate._merge_tables(
        [pd.DataFrame({"x": [0.4], "y": [0.6]}, ["a"]), pd.DataFrame({"x": [1.0]}, ["b"])]
    )
    assert merged.loc["b"].to_dict() == {"x": 1.0, "y": 0.0}


@pytest.mark.parametrize("seed", range(3))
def test_split_samples_keeps_groups_together_and_every_class_on_both_sides(study, seed):
    column, child = sim.by_age(study, (12,), ("young", "old")), study.subjects
    found = quick.split(study, column, groups=study.subject_column, random_seed=seed, test_size=0.3)
    parts = [table.view(pd.DataFrame) for table in found[:2]]
    kept, held = (set(part.index) for part in parts)
    assert kept | held == set(study.counts.index)
    assert not set(child[list(kept)]) & set(child[list(held)])
    assert set(column[list(kept)]) == set(column[list(held)]) == {"young", "old"}
    assert 4 <= len(held) <= 8
    for part in parts:
        assert (part.sum() > 0).all()
        assert (part == study.counts.loc[part.index, part.columns]).all().all()


def test_true_targets_are_those_of_the_tables_and_are_metadata(study):
    for values in (study.ages, sim.by_age(study, (12,), ("1", "2"))):
        found = quick.split(study, values, test_size=0.3)
        for table, targets in ((found[0], found[2]), (found[1], found[3])):
            assert str(targets.type) == "SampleData[TrueTargets]"
            read = sim.values_of(targets)
            assert sorted(read.index) == sorted(table.view(pd.DataFrame).index)
            assert (read.astype(str) == values[read.index].astype(str)).all()
    truth = found.test_targets.view(qiime2.Metadata)
    assert list(truth.columns) == ["diet"]


def samples_of(groups=None, classes=None) -> SimpleNamespace:
    """Stand in for training samples: of their ids, groups and classes alone."""
    samples = SimpleNamespace(sample_ids=IDS)
    return SimpleNamespace(samples=samples, groups=groups, classes=classes, covariates=None)


@pytest.mark.parametrize("folds", [0, 2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_groups_never_straddle(folds, seed):
    parts = make_folds(samples_of(IN_THREES), folds, 0.2, seed)
    assert len(parts) == max(folds, 1)
    for kept, held in parts:
        assert sorted(kept + held) == list(IDS)
        assert not {IN_THREES[name] for name in kept} & {IN_THREES[name] for name in held}
    assert not folds or sorted(name for _, held in parts for name in held) == list(IDS)


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
    parts = ("1 class would have fewer than 3", "in fold", "'C: 5 samples in 2 groups", "remain")
    refused(lambda: make_folds(samples_of(groups, classes), 5, 0.2, seed), *parts)
    classes[IDS[5]] = "C"  # now of three subjects, two samples each
    groups = IN_THREES | dict(zip(IDS[:6], "xxyyzz", strict=True))
    for kept, _ in make_folds(samples_of(groups, classes), 3, 0.2, seed):
        assert sum(classes[name] == "C" for name in kept) >= 3


@pytest.fixture(scope="module")
def parallel():
    pytest.importorskip("parsl", reason="this QIIME 2 has no Parsl")
    reason = "this QIIME 2 runs no action in parallel"
    return pytest.importorskip("qiime2.sdk.parallel_config", reason=reason)


def regress_samples(folder: Path):
    """Run the pipeline in a named pool, as ``--recycle-pool`` does."""
    from qiime2.plugins import aam

    table, sequences, distances = (
        qiime2.Artifact.load(str(folder / f"{name}.qza")) for name in FILES
    )
    age = qiime2.Metadata.load(str(folder / "metadata.tsv")).get_column("age")
    cache = qiime2.Cache(str(folder / "cache"))
    with cache, cache.create_pool(key="pool", reuse=True):
        return aam.pipelines.regress_samples(
            table, age, sequences=sequences, distance_matrix=distances, folds=2, device="cpu"
        )


def executions(folder: Path) -> Counter:
    """Count how often each action ran whose results lie in the pool."""
    found = set()
    for path in (folder / "cache" / "pools" / "pool").glob("*/provenance/action/action.yaml"):
        text = path.read_text()
        execution = re.search(r"uuid: (\S+)", text).group(1)
        if by := re.search(r"plugins:(\S+)'\s+action: (\S+)", text):  # true targets have none
            found.add((execution, " ".join(by.groups())))
    return Counter(action for _, action in found)


def test_21_1_what_was_done_before_a_pipeline_was_killed_is_not_done_again(
    study, tmp_path, monkeypatch
):
    if not hasattr(qiime2.core.cache.Pool, "create_index"):
        pytest.skip("this QIIME 2 cannot reuse results of a pipeline that was killed")
    for name in FILES:
        getattr(study, name).save(str(tmp_path / name))
    qiime2.Metadata(study.ages.to_frame()).save(str(tmp_path / "metadata.tsv"))
    command = [sys.executable, "-u", "-W", "ignore", __file__, str(tmp_path)]
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        found = next((line for line in process.stdout if line.startswith("fold 2 of 2")), "")
        process.kill()
    assert found and process.returncode == -signal.SIGKILL
    first = executions(tmp_path)
    assert first["aam pretrain"] == first["sample-classifier fit_regressor"] == 1

    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / "other-runs"))  # no state spares training
    regress_samples(tmp_path)
    again = executions(tmp_path)
    assert again["aam pretrain"] == 1
    assert again["sample-classifier fit_regressor"] == 2  # one for each fold
    assert again["feature-table filter_samples"] == 2  # one fold is fitted on what the other tests
    # A fit takes seconds and is done anew: QIIME 2 compares arguments in order, inputs first, and
    # a column of metadata stands before a fit's optional inputs.
    assert again["aam fit_regressor"] == first["aam fit_regressor"] + 3


@pytest.mark.parametrize("name", ["parsl-laptop.toml", "parsl-slurm-gpu.toml"])
def test_the_framework_reads_our_configurations(parallel, name):
    config, mapping = parallel.load_config_from_file(str(RECIPE / name))
    executors = {one.label: one for one in config.executors}
    assert set(executors) == {"tpool", "default"}
    assert mapping == {}
    assert executors["default"].max_workers_per_node >= 2
    if "gpu" in name:
        assert len(executors["default"].available_accelerators) == 4


@pytest.mark.filterwarnings("ignore")
def test_folds_side_by_side_predict_what_they_do_one_after_the_other(
    parallel, aam, study, tmp_path
):
    given = {"sequences": study.sequences, "folds": 2, "device": "cpu"}
    series = aam.regress_samples(study.table, study.age_column, **given)
    config, mapping = parallel.load_config_from_file(str(RECIPE / "parsl-laptop.toml"))
    config.run_dir = str(tmp_path / "parsl")
    with parallel.ParallelConfig(config, mapping):
        future = aam.regress_samples.parallel(study.table, study.age_column, **given)
        together = future._result()
    for name in ("predictions", "intervals", "baseline_predictions"):
        left, right = (sim.values_of(getattr(one, name)) for one in (series, together))
        assert left.equals(right), name
    assert parallel.PARALLEL_CONFIG.dfk is None  # nothing is left running


if __name__ == "__main__":
    regress_samples(Path(sys.argv[1]))
