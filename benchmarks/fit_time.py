"""Time of fitting and predicting as whole commands, beside q2-sample-classifier's in the same run.

    python benchmarks/fit_time.py                      # 560 infants: months
    python benchmarks/fit_time.py --generated 16000    # a made-up table as well, ours alone

Needs QIIME 2 with the `qiime` command on PATH. Commands take turns, one thread each; processor
seconds stand beside wall seconds, as others may use the machine. Ratios are of processor seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import qiime2
from large_table import draw_table

RESULTS = Path(__file__).parent / "results"
OURS, OTHER = "aam", "sample-classifier"
ALLOWED = {"fit": 2.0, "predict": 3.0, "milliseconds_a_sample": 5.0}


def run(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command in a process of its own, without results of earlier runs."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    before, began = os.times(), time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        environment["Q2_AAM_RUN_DIR"] = runs
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return {"seconds": wall, "processor_seconds": processor}


def write_infants(folder: Path) -> int:
    """Write the training and the test samples of the first fold; return how many train."""
    from cross_validation import folds_of, load_problem

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


def write_generated(folder: Path, samples: int) -> None:
    """Write a made-up table, whose ids are DNA, with a number that some of its ASVs bear on."""
    import biom

    table = draw_table(samples)
    random = np.random.default_rng(0)
    effects = random.standard_normal(len(table.dna)) * (random.random(len(table.dna)) < 0.02)
    values = np.asarray((table.matrix_data > 0).T @ effects).ravel()
    values += values.std() * random.standard_normal(samples)
    ids = table.ids("sample")
    counts = biom.Table(table.matrix_data, table.dna, ids)
    qiime2.Artifact.import_data("FeatureTable[Frequency]", counts).save(
        str(folder / "training.qza")
    )
    frame = pd.DataFrame({"value": values}, index=pd.Index(ids, name="id"))
    frame.to_csv(folder / "metadata.tsv", sep="\t")


def fit_command(plugin: str, grouped: bool) -> list[str]:
    """Return the command that fits a regressor with defaults."""
    column = ["--m-metadata-file", "metadata.tsv", "--m-metadata-column", "value"]
    command = ["qiime", plugin, "fit-regressor", "--i-table", "training.qza", *column]
    if plugin == OTHER:
        outputs = ["--o-sample-estimator", "other.qza", "--o-feature-importance", "importance.qza"]
        return [*command, *outputs]
    if grouped:
        command += ["--i-sequences", "sequences.qza", "--m-groups-file", "metadata.tsv"]
        command += ["--m-groups-column", "group"]
    return [*command, "--o-regressor", "ours.qza", "--o-training-log", "log.qza"]


def predict_command(plugin: str) -> list[str]:
    """Return the command that predicts the test samples."""
    command = ["qiime", plugin, "predict-regression", "--i-table", "test.qza"]
    if plugin == OTHER:
        return [*command, "--i-sample-estimator", "other.qza", "--o-predictions", "by-other.qza"]
    command += ["--i-sequences", "sequences.qza", "--i-regressor", "ours.qza"]
    return [*command, "--output-dir", tempfile.mkdtemp() + "/predicted"]


def compare(rounds: int) -> list[dict]:
    """Time both plugins on the infants, in turns."""
    found: dict[tuple[str, str], list[dict]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        samples = write_infants(folder)
        for _ in range(rounds):
            for plugin in (OURS, OTHER):
                fitted = run(fit_command(plugin, grouped=True), folder)
                found.setdefault(("fit", plugin), []).append(fitted)
            for plugin in (OURS, OTHER):
                predicted = run(predict_command(plugin), folder)
                found.setdefault(("predict", plugin), []).append(predicted)
    rows = []
    for task in ("fit", "predict"):
        medians = {
            plugin: {
                name: statistics.median(one[name] for one in found[task, plugin])
                for name in ("seconds", "processor_seconds")
            }
            for plugin in (OURS, OTHER)
        }
        ratio = medians[OURS]["processor_seconds"] / medians[OTHER]["processor_seconds"]
        row = {"task": task, "samples": samples, "ours": medians[OURS], "other": medians[OTHER]}
        rows.append(row | {"ratio": ratio, "allowed": ALLOWED[task]})
    return rows


def main() -> None:
    """Run, print one table and store every figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generated", type=int, default=0, help="samples of a made-up table")
    parser.add_argument("--output", type=Path, default=RESULTS / "fit-time.json")
    options = parser.parse_args()
    rows = compare(options.rounds) if options.rounds else []
    print("| task | samples | ours, s (processor) | q2-sample-classifier | ratio | at most |")
    print("| --- |" + " --- |" * 5)
    for row in rows:
        cells = [
            "{seconds:.1f} ({processor_seconds:.1f})".format(**row[one])
            for one in ("ours", "other")
        ]
        cells += [f"{row['ratio']:.2f}", f"{row['allowed']:g}"]
        print(f"| {row['task']} | {row['samples']} | " + " | ".join(cells) + " |")
    if options.generated:
        with tempfile.TemporaryDirectory() as scratch:
            write_generated(Path(scratch), options.generated)
            took = run(fit_command(OURS, grouped=False), Path(scratch))
        each = 1000 * took["processor_seconds"] / options.generated
        rows.append({"task": "fit, generated", "samples": options.generated, "ours": took})
        print(
            f"\n{options.generated:,} generated samples: {took['seconds']:.0f} s "
            f"({took['processor_seconds']:.0f}), {each:.1f} ms a sample, "
            f"at most {ALLOWED['milliseconds_a_sample']:g}"
        )
    where = {"cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d")}
    options.output.write_text(json.dumps(where | {"results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
