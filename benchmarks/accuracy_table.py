"""Print the kept results of the accuracy benchmark as the tables of the README.

    python accuracy_table.py
    python accuracy_table.py --further

Each cell is the score over all folds, the mean over seeds; in the first table ± the standard
deviation over folds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from studies import FURTHER_TASKS, TASKS

RESULTS = Path(__file__).parent / "results"
MODELS = ("aam", "forest", "ridge", "constant")
COLUMNS = (
    "task",
    "samples (groups)",
    "seeds",
    "score",
    "ours",
    *MODELS[1:],
    "ours − forest (95 %)",
    "intervals hold",
)
SHORT_COLUMNS = (
    *COLUMNS[:2],
    "ours",
    *MODELS[1:],
    "ours − forest (95 %)",
    "ours − ridge (95 %)",
    "intervals hold",
)


def load_results(task: str) -> list[dict]:
    """Read a task's results, one for each seed."""
    return [
        json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"accuracy-{task}-*.json"))
    ]


def cell(results: list[dict], model: str, score: str) -> str:
    """Write a model's score: mean over seeds ± spread over folds."""
    overall = np.mean([one["scores"][model][score] for one in results])
    if model == "constant":
        return f"{overall:.2f}"
    of_folds = [[fold[model][score] for fold in one["folds"]] for one in results]
    return f"{overall:.2f} ± {np.nanstd(of_folds, axis=1, ddof=1).mean():.2f}"


def coverage(results: list[dict]) -> str:
    """Write the share of test samples that 90 % intervals hold, mean over folds."""
    of_folds = [fold["coverage"] for one in results for fold in one["folds"] if "coverage" in fold]
    return f"{100 * np.mean(of_folds):.0f} %" if of_folds else ""


def rows_of(task: str, results: list[dict]) -> list[list[str]]:
    """Write a task's two rows."""
    first = results[0]
    seeds = ", ".join(str(one["seed"]) for one in results)
    names = ("auc", "balanced_accuracy") if TASKS[task].categorical else ("mae", "r2")
    rows = []
    for score in names:
        interval = held = ""
        if score == first["score_compared"]:
            bounds = [one["difference_95"]["forest"] for one in results]
            interval = "; ".join(f"{low:+.2f} to {high:+.2f}" for low, high in bounds)
            held = coverage(results)
        row = [task, f"{first['samples']} ({first['groups']})", seeds, score.replace("_", " ")]
        cells = [cell(results, model, score) for model in MODELS]
        rows.append([*row, *cells, interval, held])
    return rows


def short_row(task: str, results: list[dict]) -> list[str]:
    """Write a task's scores in one row, R² of numbers in brackets."""
    first, compared = results[0], results[0]["score_compared"]

    def scored(model: str) -> str:
        means = {
            score: np.mean([one["scores"][model][score] for one in results])
            for score in first["scores"][model]
        }
        return f"{means[compared]:.3g}" + (f" ({means['r2']:.2f})" if "r2" in means else "")

    intervals = [
        "; ".join("{:+.2g} to {:+.2g}".format(*one["difference_95"][rival]) for one in results)
        for rival in ("forest", "ridge")
    ]
    return [
        task,
        f"{first['samples']} ({first['groups']})",
        *map(scored, MODELS),
        *intervals,
        coverage(results),
    ]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--further", action="store_true", help="columns nothing was chosen by")
    further = parser.parse_args().further
    columns = SHORT_COLUMNS if further else COLUMNS
    lines = [list(columns), ["---"] * len(columns)]
    for task in FURTHER_TASKS if further else TASKS:
        results = load_results(task)
        if results:
            lines += [short_row(task, results)] if further else rows_of(task, results)
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


if __name__ == "__main__":
    main()
