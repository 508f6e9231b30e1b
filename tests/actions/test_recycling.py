"""Pipelines on QIIME 2's engine: what a killed one had made is reused; folds run side by side."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import qiime2
from simulated_study import values_of

FILES = ("table", "sequences", "distances")
RECIPE = Path(__file__).parents[2] / "recipe"


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
        left, right = (values_of(getattr(one, name)) for one in (series, together))
        assert left.equals(right), name
    assert parallel.PARALLEL_CONFIG.dfk is None  # nothing is left running


if __name__ == "__main__":
    regress_samples(Path(sys.argv[1]))
