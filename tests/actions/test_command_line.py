"""The actions as people type them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import qiime2
from qiime2.core.type.util import is_metadata_type
from simulated_study import simulate_study

from q2_aam.parameters import PARAMETERS

QIIME = shutil.which("qiime", path=str(Path(sys.executable).parent)) or shutil.which("qiime")
ACTIONS = [
    "pretrain", "pretrain-from-phylogeny", "load-encoder", "split-samples", "fit-regressor",
    "fit-classifier", "find-learning-rate", "predict-regression", "predict-classification",
    "predict-distances", "check-table", "embed-samples", "feature-importance",
    "evaluate-regression", "evaluate-classification", "evaluate-distances", "summarize-training",
    "regress-samples", "classify-samples",
]  # fmt: skip
FAST = ["--p-n-estimators", "6", "--p-threads", "1", "--p-device", "cpu"]
TINY = ["--p-epochs", "2", "--p-pretrained", "none", "--p-threads", "1", "--p-device", "cpu"]


def qiime(*arguments, folder=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [QIIME, "aam", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with the files of a study whose ids look like numbers."""
    folder = tmp_path_factory.mktemp("inputs")
    ids = [f"{number:04d}" for number in range(1, 25)]
    study = simulate_study(asvs=30, seed=13, sample_ids=ids)
    study.table.save(str(folder / "table.qza"))
    study.sequences.save(str(folder / "rep-seqs.qza"))
    study.distances.save(str(folder / "unifrac.qza"))
    qiime2.Metadata(pd.concat([study.ages, study.subjects], axis=1)).save(
        str(folder / "metadata.tsv")
    )
    qiime2.Metadata(study.ages.rename(lambda name: f"x{name}").to_frame()).save(
        str(folder / "others.tsv")
    )
    return folder


def test_the_actions_are_all_tested(aam):
    import qiime2.sdk

    registered = qiime2.sdk.PluginManager().plugins["aam"].actions
    shown = [name for name in registered if not name.startswith("_")]
    assert sorted(ACTIONS) == sorted(name.replace("_", "-") for name in shown)


@pytest.mark.parametrize("action", ACTIONS)
def test_help_tells_every_parameter_and_an_example(action):
    import qiime2.sdk

    found = qiime(action, "--help")
    assert found.returncode == 0, found.stderr
    registered = qiime2.sdk.PluginManager().plugins["aam"].actions[action.replace("-", "_")]
    for kind, names in (
        ("i", registered.signature.inputs),
        ("p", registered.signature.parameters),
        ("o", registered.signature.outputs),
    ):
        for name, spec in names.items():
            flag = "m" if is_metadata_type(spec.qiime_type) else kind
            assert f"--{flag}-{name.replace('_', '-')}" in found.stdout, name
    words = set(re.findall(r"\w+", found.stdout))
    for name, spec in registered.signature.parameters.items():
        if name in PARAMETERS:  # of others, names of parameters are written as options
            assert set(re.findall(r"\w+", spec.description)) <= words, name
    assert f"qiime aam {action}" in found.stdout


def test_a_study_goes_from_its_files_to_predictions(inputs, tmp_path):
    study = ("--i-sequences", inputs / "rep-seqs.qza")
    age = ("--m-metadata-file", inputs / "metadata.tsv", "--m-metadata-column", "age")
    child = ("--m-groups-file", inputs / "metadata.tsv", "--m-groups-column", "child")
    steps = [
        ["split-samples", "--i-table", inputs / "table.qza", *age, *child,
         "--o-training-table", "train.qza", "--o-test-table", "test.qza"],
        ["fit-regressor", "--i-table", "train.qza", *study, *age, *child, *FAST,
         "--o-regressor", "regressor.qza", "--o-training-log", "log.qza"],
        ["predict-regression", "--i-table", "test.qza", *study,
         "--i-regressor", "regressor.qza", "--p-confidence-level", "0.5",
         "--o-predictions", "predictions.qza", "--o-intervals", "intervals.qza"],
    ]  # fmt: skip
    for step in steps:
        found = qiime(*step, folder=tmp_path)
        assert found.returncode == 0, found.stderr
    held = qiime2.Artifact.load(str(tmp_path / "test.qza")).view(pd.DataFrame).index
    predictions = qiime2.Artifact.load(str(tmp_path / "predictions.qza")).view(pd.Series)
    assert sorted(predictions.index) == sorted(held)
    assert all(re.fullmatch(r"00\d\d", name) for name in predictions.index)


BAD = {
    "ids that are not DNA": (
        ["pretrain", "--i-tables", "table.qza", "--i-distance-matrices", "unifrac.qza", *TINY],
        ["encoder", "training-log"],
        "30 feature ids of 30",
    ),
    "metadata of other samples": (
        ["fit-regressor", "--i-table", "table.qza", "--i-sequences", "rep-seqs.qza", *FAST,
         "--m-metadata-file", "others.tsv", "--m-metadata-column", "age"],
        ["regressor", "training-log"],
        "no ids in common",
    ),
    "fewer matrices than tables": (
        ["pretrain", "--i-tables", "table.qza", "table.qza",
         "--i-distance-matrices", "unifrac.qza", "--i-sequences", "rep-seqs.qza", *TINY],
        ["encoder", "training-log"],
        "2 tables but 1 distance matrix",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input_ends_with_a_message_and_no_files(inputs, tmp_path, name):
    arguments, outputs, part = BAD[name]
    arguments = [inputs / one if (inputs / one).exists() else one for one in arguments]
    for output in outputs:
        arguments += [f"--o-{output}", tmp_path / f"{output}.qza"]
    found = qiime(*arguments, folder=tmp_path)
    assert found.returncode == 1
    message = re.sub(r"\s+", " ", found.stderr)
    assert "Plugin error from aam:" in message
    assert part in message
    assert "Traceback" not in found.stderr
    assert len(found.stderr.strip().splitlines()) <= 14
    assert not list(tmp_path.glob("*.qza"))
