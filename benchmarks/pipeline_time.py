"""Time of whole pipelines, beside what their own forest steps take in the same run.

    python pipeline_time.py

`regress-samples` on mice's age and soils' pH and `classify-samples` on mice's exposure, five folds,
defaults, through the Artifact API in a process of its own, one thread. Steps count in processor
seconds; a step's time includes QIIME 2's own work for it.
"""

import argparse
import json
import os
import tempfile
import time

import pandas as pd
import qiime2
from cross_validation import load_problem
from measuring import markdown, run_job, store
from qiime2.plugins import aam
from qiime2.sdk import Context

TASKS = ("sleep-age", "soils-ph", "sleep-exposure")


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


def run(name: str) -> dict:
    """Run a task's pipeline."""
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


def main() -> None:
    """Print one table and store every figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print("\n" + json.dumps(run(json.loads(options.job)["task"])))
        return
    results, rows = [], []
    for name in options.tasks:
        with tempfile.TemporaryDirectory() as runs:
            threads = {"OMP_NUM_THREADS": "1", "Q2_AAM_RUN_DIR": runs}
            found = run_job(__file__, {"task": name}, **threads)
        forest = found["steps"]["sample_classifier"]
        others = sum(found["steps"].values()) - forest
        ours = found["processor"] - forest - others
        numbers = (found["wall"], found["processor"], forest, others, ours)
        rows.append([name, *(f"{one:.1f}" for one in numbers), f"{ours / forest:.2f}"])
        results.append(found)
    columns = [
        "task",
        "whole, s",
        "processor s",
        "forest",
        "other plugins",
        "ours",
        "ours / forest",
    ]
    print(markdown(columns, rows))
    store("pipeline-time", {"load": os.getloadavg()[0], "results": results})


if __name__ == "__main__":
    main()
