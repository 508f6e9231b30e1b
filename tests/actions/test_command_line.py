"""The actions as people type them, and what their results cite."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import qiime2
from click.testing import CliRunner
from q2cli.__main__ import qiime as command_line
from q2cli.core.usage import CLIUsage
from qiime2.core.type.util import is_metadata_type
from qiime2.sdk import PluginManager
from simulated_study import simulate_study

from q2_aam.parameters import PARAMETERS

QIIME = shutil.which("qiime", path=str(Path(sys.executable).parent)) or shutil.which("qiime")
PLUGIN = PluginManager().plugins["aam"]
ACTIONS = {
    name.replace("_", "-"): action for name, action in PLUGIN.actions.items() if name[0] != "_"
}
FAST = ["--p-n-estimators", "6", "--p-threads", "1", "--p-device", "cpu"]


def qiime(*arguments, folder=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [QIIME, "aam", *map(str, arguments)], check=False, capture_output=True, text=True,
        timeout=200, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with the files of a study whose ids look like numbers."""
    folder = tmp_path_factory.mktemp("inputs")
    ids = [f"{number:04d}" for number in range(1, 25)]
    study = simulate_study(asvs=30, seed=13, sample_ids=ids)
    study.table.save(str(folder / "table.qza"))
    study.sequences.save(str(folder / "rep-seqs.qza"))
    rows = pd.concat([study.ages, study.subjects], axis=1)
    qiime2.Metadata(rows).save(str(folder / "metadata.tsv"))
    qiime2.Metadata(rows.rename(index="x{}".format)).save(str(folder / "others.tsv"))
    return folder


@pytest.mark.parametrize("name", ACTIONS)
def test_help_tells_every_parameter_and_an_example(name):
    found = CliRunner().invoke(command_line, ["aam", name, "--help"])
    assert found.exit_code == 0, found.output
    signature = ACTIONS[name].signature
    for kind in ("inputs", "parameters", "outputs"):
        for one, spec in getattr(signature, kind).items():
            flag = "m" if is_metadata_type(spec.qiime_type) else kind[0]
            assert f"--{flag}-{one.replace('_', '-')}" in found.output, one
    words = set(re.findall(r"\w+", found.output))
    for one, spec in signature.parameters.items():
        if one in PARAMETERS:  # of others, names of parameters are written as options
            assert set(re.findall(r"\w+", spec.description)) <= words, one
    assert f"qiime aam {name} " in found.output


@pytest.mark.parametrize("name", ACTIONS)
def test_examples_can_be_copied(name):
    """They carry no values that only suit a small study, and name the groups."""
    use = CLIUsage()
    for example in ACTIONS[name].examples.values():
        example(use)
    options = set(re.findall(r"--[pm]-[a-z-]+", use.render()))
    assert {one for one in options if one[:3] == "--p"} <= {"--p-version"}
    assert ("--m-groups-column" in options) == ("groups" in ACTIONS[name].signature.parameters)


def test_a_study_goes_from_its_files_to_predictions(inputs, tmp_path):
    study = ("--i-sequences", inputs / "rep-seqs.qza")
    age = ("--m-metadata-file", inputs / "metadata.tsv", "--m-metadata-column", "age")
    child = ("--m-groups-file", inputs / "metadata.tsv", "--m-groups-column", "child")
    steps = [
        ["split-samples", "--i-table", inputs / "table.qza", *age, *child,
         "--o-training-table", "train.qza", "--o-test-table", "test.qza",
         "--o-training-targets", "train-ages.qza", "--o-test-targets", "test-ages.qza"],
        ["fit-regressor", "--i-table", "train.qza", *study, *age, *child, *FAST,
         "--o-regressor", "regressor.qza", "--o-training-log", "log.qza"],
        ["predict-regression", "--i-table", "test.qza", *study,
         "--i-regressor", "regressor.qza", "--p-confidence-level", "0.5",
         "--o-predictions", "predictions.qza", "--o-intervals", "intervals.qza"],
    ]  # fmt: skip
    for step in steps:
        found = qiime(*step, folder=tmp_path)
        assert found.returncode == 0, found.stderr
    held, predictions = (
        qiime2.Artifact.load(str(tmp_path / f"{name}.qza")).view(pd.Series)
        for name in ("test-ages", "predictions")
    )
    assert sorted(predictions.index) == sorted(held.index)
    assert all(re.fullmatch(r"00\d\d", name) for name in predictions.index)


def test_bad_input_ends_with_a_message_and_no_files(inputs, tmp_path):
    found = qiime(
        "fit-regressor", "--i-table", "table.qza", "--i-sequences", "rep-seqs.qza", *FAST,
        "--m-metadata-file", "others.tsv", "--m-metadata-column", "age",
        "--output-dir", tmp_path / "results", folder=inputs,
    )  # fmt: skip
    assert found.returncode == 1
    message = re.sub(r"\s+", " ", found.stderr)
    assert "Plugin error from aam:" in message
    assert "no ids in common" in message
    assert "Traceback" not in found.stderr
    assert len(found.stderr.strip().splitlines()) <= 14
    assert not list(tmp_path.rglob("*.qza"))


def test_results_cite_the_plugin_aam_and_who_fits_the_heads_and_forests(aam):
    encoder = aam.load_encoder().encoder
    cited = (encoder._archiver.provenance_dir / "citations.bib").read_text("utf-8")
    for work in ("The q2-aam developers", "Attention All Microbes (AAM)"):
        assert work in cited.replace("{", "").replace("}", "")
    for name in ("fit_regressor", "fit_classifier", "regress_samples", "classify_samples"):
        cited = " ".join(one.fields["title"] for one in PLUGIN.actions[name].citations)
        assert "Scikit-learn" in cited
        assert ("q2-sample" in cited) == ("samples" in name)


@pytest.mark.parametrize("name", ["aam", *PLUGIN.actions])
def test_citations_can_be_written_in_any_locale(name):
    works = PLUGIN.citations if name == "aam" else PLUGIN.actions[name].citations
    for work in works:
        for field, text in work.fields.items():
            assert text.isascii(), (work.type, field, text)
