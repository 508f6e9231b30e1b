"""Pipelines on QIIME 2's own parallel engine: folds side by side, the same predictions."""

import warnings
from pathlib import Path

import pytest
from simulated_study import simulate_study, values_of

RECIPE = Path(__file__).parents[2] / "recipe"
pytest.importorskip("parsl", reason="this QIIME 2 has no Parsl")
parallel_config = pytest.importorskip(
    "qiime2.sdk.parallel_config", reason="this QIIME 2 runs no action in parallel"
)
load_config_from_file = parallel_config.load_config_from_file


@pytest.mark.parametrize("name", ["parsl-laptop.toml", "parsl-slurm-gpu.toml"])
def test_the_framework_reads_our_configurations(name):
    config, mapping = load_config_from_file(str(RECIPE / name))
    executors = {one.label: one for one in config.executors}
    assert set(executors) == {"tpool", "default"}
    assert mapping == {}
    assert executors["default"].max_workers_per_node >= 2
    if "gpu" in name:
        assert len(executors["default"].available_accelerators) == 4


def test_folds_side_by_side_predict_what_they_do_one_after_the_other(tmp_path, monkeypatch):
    from qiime2.plugins import aam

    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / "runs"))
    study = simulate_study(20, 30, 2)
    given = {"sequences": study.sequences, "folds": 2, "device": "cpu"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series = aam.pipelines.regress_samples(study.table, study.age_column, **given)
        config, mapping = load_config_from_file(str(RECIPE / "parsl-laptop.toml"))
        config.run_dir = str(tmp_path / "parsl")
        with parallel_config.ParallelConfig(config, mapping):
            future = aam.pipelines.regress_samples.parallel(study.table, study.age_column, **given)
            together = future._result()
    for name in ("predictions", "intervals", "baseline_predictions"):
        left, right = (values_of(getattr(one, name)) for one in (series, together))
        assert left.equals(right), name
    assert parallel_config.PARALLEL_CONFIG.dfk is None  # nothing is left running
