"""Time of imports, fits and predictions, beside q2-sample-classifier's in the same run.

    python fit_time.py
    python fit_time.py --pipelines

Fits and predictions are whole commands on 560 infants' months; an import is what q2-aam adds to a
process that imports q2-sample-classifier. They take turns, one thread each; ratios are of processor
seconds. Pipelines, of five folds, stand beside what their own forest steps take.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import qiime2
from cross_validation import folds_of, load_problem
from measuring import markdown, parser_of, run_job, store
from qiime2.plugins import aam
from qiime2.sdk import Context

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
PIPELINES = ("sleep-age", "soils-ph", "sleep-exposure")
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
    return sum(after[2:4]) - sum(before[2:4])  # of children: user and system


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


def count_steps(spent: dict[str, float]) -> None:
    """Let steps of other plugins add their processor seconds to `spent`, by plugin."""
    get_action = Context.get_action

    def counting(self, plugin: str, action: str):
        step = get_action(self, plugin, action)
        if plugin == "aam":
            return step

        def timed(*inputs, **given):
            started = time.process_time()
            found = step(*inputs, **given)
            spent[plugin] = spent.get(plugin, 0.0) + time.process_time() - started
            return found

        return timed

    Context.get_action = counting


def run_pipeline(name: str) -> dict:
    """Run a task's pipeline, five folds, and say what it and its steps took."""
    problem = load_problem(name)
    study, task = problem.study, problem.task
    given = {"table": study.table_of(problem.ids), "sequences": study.sequences, "folds": 5}
    given["metadata"] = study.column(task.column, problem.ids, numeric=not task.categorical)
    if task.groups is not None:
        given["groups"] = study.column(task.groups, problem.ids, numeric=False)
    if task.against_rest:
        classes = pd.Series(
            [problem.classes[int(one)] for one in problem.values],
            pd.Index(problem.ids, name="id"), name=task.column,
        )  # fmt: skip
        given["metadata"] = qiime2.CategoricalMetadataColumn(classes)
    spent: dict[str, float] = {}
    count_steps(spent)
    pipeline = aam.actions.classify_samples if problem.classes else aam.actions.regress_samples
    wall, processor = time.time(), time.process_time()
    pipeline(**given)
    whole = time.process_time() - processor
    return {"task": name, "wall": time.time() - wall, "processor": whole, "steps": spent}


def time_pipelines() -> None:
    """Run each in a process of its own, print one table and store every figure."""
    results, rows = [], []
    for name in PIPELINES:
        with tempfile.TemporaryDirectory() as runs:
            threads = {"OMP_NUM_THREADS": "1", "Q2_AAM_RUN_DIR": runs}
            found = run_job(__file__, {"task": name}, **threads)
        forest, whole = found["steps"]["sample_classifier"], found["processor"]
        others = sum(found["steps"].values()) - forest
        numbers = (found["wall"], whole, forest, others, whole - forest - others)
        rows.append([name, *(f"{one:.1f}" for one in numbers), f"{numbers[-1] / forest:.2f}"])
        results.append(found)
    columns = ("task", "whole, s", "processor s", "forest", "other plugins", "ours", "ratio")
    print(markdown(columns, rows))
    store("pipeline-time", {"load": os.getloadavg()[0], "results": results})


def main() -> None:
    """Take turns, print one table and store every figure."""
    parser = parser_of(__doc__)
    parser.add_argument("--pipelines", action="store_true")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print("\n" + json.dumps(run_pipeline(json.loads(options.job)["task"])))
        return
    if options.pipelines:
        time_pipelines()
        return
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
