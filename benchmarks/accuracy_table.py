"""Print the kept results of the accuracy benchmark as the tables of the README.

    python accuracy_table.py [--further]

Each cell is the score over all folds ± the standard deviation over folds, the mean over seeds.
"""

import argparse
import json

import numpy as np
from measuring import RESULTS, markdown
from studies import FURTHER_TASKS, TASKS

MODELS, RIVALS = ("aam", "forest", "ridge", "constant"), ("forest", "ridge")
COLUMNS = (
    "task", "samples (groups)", "score", "ours", *MODELS[1:], "ours − forest (95 %)",
    "ours − ridge (95 %)", "intervals hold",
)  # fmt: skip


def cell(results: list[dict], model: str, score: str) -> str:
    """Write a model's score: mean over seeds ± spread over folds."""
    overall = np.mean([one["scores"][model][score] for one in results])
    digits = ".2f" if score in ("auc", "r2", "balanced_accuracy") else ".3g"
    if model == "constant":
        return f"{overall:{digits}}"
    of_folds = [[fold[model][score] for fold in one["folds"]] for one in results]
    return f"{overall:{digits}} ± {np.nanstd(of_folds, axis=1, ddof=1).mean():.2g}"


def rows_of(task: str, results: list[dict]) -> list[list[str]]:
    """Write a row for each of a task's scores; the first is the one that was compared."""
    first, rows = results[0], []
    of_folds = [fold.get("coverage", np.nan) for one in results for fold in one["folds"]]
    last = [
        "; ".join("{:+.2g} to {:+.2g}".format(*one["difference_95"][rival]) for one in results)
        for rival in RIVALS
    ]
    last.append("" if np.isnan(of_folds).all() else f"{100 * np.mean(of_folds):.0f} %")
    for score in first["scores"]["aam"]:
        row = [task, f"{first['samples']} ({first['groups']})", score.replace("_", " ")]
        row += [cell(results, model, score) for model in MODELS]
        rows.append([*row, *(last if score == first["score_compared"] else [""] * len(last))])
    return rows


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--further", action="store_true", help="columns nothing was chosen by")
    tasks = FURTHER_TASKS if parser.parse_args().further else TASKS
    rows = []
    for task in tasks:
        paths = sorted(RESULTS.glob(f"accuracy-{task}-*.json"))  # one for each seed
        rows += rows_of(task, [json.loads(path.read_text()) for path in paths]) if paths else []
    print(markdown(COLUMNS, rows))


if __name__ == "__main__":
    main()
