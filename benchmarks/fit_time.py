"""Time of imports, fits and predictions, beside q2-sample-classifier's in the same run.

    python fit_time.py

Fits and predictions are whole commands on 560 infants' months; an import is what q2-aam adds to the
start of a process that imports q2-sample-classifier. Needs QIIME 2 with the `qiime` command on
PATH. They take turns, one thread each, and ratios are of processor seconds, as others may use the
machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from cross_validation import folds_of, load_problem
from measuring import markdown, store

OURS, OTHER = "aam", "sample-classifier"
ROUNDS = 3
COLUMN = ["--m-metadata-file", "metadata.tsv", "--m-metadata-column", "value"]
IMPORT = "import q2_sample_classifier.plugin_setup"
COMMANDS = {
    ("import", OTHER): [sys.executable, "-W", "ignore", "-c", IMPORT],
    ("import", OURS): [sys.executable, "-W", "ignore", "-c", f"{IMPORT}, q2_aam.plugin_setup"],
    ("fit", OTHER): [
        "qiime", OTHER, "fit-regressor", "--i-table", "training.qza", *COLUMN,
        "--o-sample-estimator", "other.qza", "--o-feature-importance", "importance.qza",
    ],
    ("fit", OURS): [
        "qiime", OURS, "fit-regressor", "--i-table", "training.qza", *COLUMN, "--i-sequences",
        "sequences.qza", "--m-groups-file", "metadata.tsv", "--m-groups-column", "group",
        "--o-regressor", "ours.qza", "--o-training-log", "log.qza",
    ],
    ("predict", OTHER): [
        "qiime", OTHER, "predict-regression", "--i-table", "test.qza", "--i-sample-estimator",
        "other.qza", "--o-predictions", "by-other.qza",
    ],
    ("predict", OURS): [
        "qiime", OURS, "predict-regression", "--i-table", "test.qza", "--i-sequences",
        "sequences.qza", "--i-regressor", "ours.qza", "--output-dir",
    ],
}  # fmt: skip
ALLOWED = {"import": "0.3 s more", "fit": "2 ×", "predict": "3 ×"}


def processor_seconds(command: list[str], folder: Path) -> float:
    """Run a command in a process of its own, without results of earlier runs."""
    before = os.times()
    with tempfile.TemporaryDirectory() as runs:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "Q2_AAM_RUN_DIR": runs}
        if command[-1] == "--output-dir":
            command = [*command, str(Path(runs) / "results")]
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    after = os.times()
    children = after.children_user + after.children_system
    return children - before.children_user - before.children_system


def write_infants(folder: Path) -> int:
    """Write the training and the test samples of the first fold; return how many train."""
    problem = load_problem("ecam-month")
    training, test = folds_of(problem)[0]
    for name, rows in (("training", training), ("test", test)):
        problem.study.table_of(problem.names(rows)).save(str(folder / f"{name}.qza"))
    problem.study.sequences.save(str(folder / "sequences.qza"))
    metadata = pd.DataFrame(
        {"value": problem.values, "group": [f"child {one}" for one in problem.groups]},
        index=pd.Index(problem.ids, name="id"),
    )
    metadata.to_csv(folder / "metadata.tsv", sep="\t")
    return len(training)


def main() -> None:
    """Take turns, print one table and store every figure."""
    found: dict[tuple[str, str], list[float]] = {one: [] for one in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        samples = write_infants(Path(folder))
        for _ in range(ROUNDS):
            for one, command in COMMANDS.items():
                found[one].append(processor_seconds(command, Path(folder)))
    medians = {one: statistics.median(seconds) for one, seconds in found.items()}
    rows, results = [], []
    for task, allowed in ALLOWED.items():
        other, ours = medians[task, OTHER], medians[task, OURS]
        rows.append([task, f"{ours:.2f}", f"{other:.2f}", f"{ours / other:.2f}", allowed])
        results.append({"task": task, "ours": ours, "other": other})
    print(markdown(["task", "ours, s", "q2-sample-classifier, s", "ratio", "at most"], rows))
    store("fit-time", {"samples": samples, "results": results})


if __name__ == "__main__":
    main()
