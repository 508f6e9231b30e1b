"""How well defaults predict real studies, beside a forest, ridge regression and a constant.

    python accuracy.py ecam-delivery soils-ph --seeds 0 1 2
    python accuracy.py --further
    python accuracy.py --table [--further]
    python accuracy.py sleep-age sleep-exposure --permute 20
    python accuracy.py sleep-age --labels 0.1 0.25 0.5
    python accuracy.py ecam-month --features clades

Folds and forest as in the studies' own README; ours goes through the actions, with defaults: the
bundled encoder, frozen. With --pretrain it is pretrained on the training samples of the fold.
"""

import argparse
import json
import os
import tempfile

import measuring
import numpy as np
from aam_predictions import (
    classical_predictions,
    encoder_of_fold,
    fitted_predictions,
    unifrac_of_unseen,
)
from accuracy_scores import paired_bootstrap, scores
from cross_validation import FOLDS, Problem, folds_of, load_problem, permuted, share_of
from studies import ALL_TASKS, FURTHER_TASKS, TASKS


def run_task(problem: Problem, seed: int, share: float, options: argparse.Namespace) -> dict:
    """Cross-validate one task with one seed and a share of the training groups' labels."""
    predicted: dict[str, np.ndarray] = {}
    fold_of = np.full(len(problem.values), -1)
    details = []
    for fold, (training, test) in enumerate(folds_of(problem)[: options.folds]):
        fold_of[test] = fold
        encoder = None
        if options.pretrain:
            encoder = encoder_of_fold(problem, training, seed)
        if share < 1:
            training = share_of(problem, training, share, seed)
        found = classical_predictions(problem, problem.values, training, test, seed)
        settings = {"features": options.features, "attention_head": options.attention_head}
        found["aam"], detail = fitted_predictions(
            problem, problem.values, training, test, encoder, seed, **settings
        )
        if encoder is not None:
            detail |= unifrac_of_unseen(problem.study, problem.names(test), encoder)
        for model, part in found.items():
            predicted.setdefault(model, np.full(len(problem.values), np.nan))[test] = part
            detail[model] = scores(part, problem.values[test], fold_of[test], bool(problem.classes))
        details.append(detail)
        print(problem.name, "seed", seed, "fold", fold, json.dumps(detail), flush=True)
    return summarise(problem, seed, predicted, fold_of) | {"labels": share, "folds": details}


def summarise(problem: Problem, seed: int, predicted: dict, fold_of: np.ndarray) -> dict:
    """Score all folds together, and compare ours with the others."""
    rows = fold_of >= 0
    actual, fold, categorical = problem.values[rows], fold_of[rows], bool(problem.classes)
    kept = {model: values[rows] for model, values in predicted.items()}
    intervals = {
        model: paired_bootstrap(
            kept["aam"], kept[model], actual, fold, problem.groups[rows], categorical
        )
        for model in ("forest", "ridge")
    }
    return {
        "task": problem.name,
        "seed": seed,
        "samples": int(rows.sum()),
        "groups": len(np.unique(problem.groups[rows])),
        "scores": {
            model: scores(values, actual, fold, categorical) for model, values in kept.items()
        },
        "score_compared": "auc" if categorical else "mae",
        "difference_95": intervals,
    }


def check_leaks(problem: Problem, seed: int, permutations: int) -> dict:
    """Score predictions of targets permuted between groups; each takes the next of the folds.

    R² must center on 0 or below, AUC on 0.5.
    """
    folds, found = folds_of(problem), []
    for number in range(permutations):
        training, test = folds[number % FOLDS]
        values = permuted(problem, seed * 1000 + number)
        predicted = classical_predictions(problem, values, training, test, seed)
        predicted["aam"], _ = fitted_predictions(problem, values, training, test, None, seed)
        found.append({
            model: scores(part, values[test], np.zeros(len(test)), bool(problem.classes))
            for model, part in predicted.items()
        })  # fmt: skip
        print(problem.name, "permutation", number, found[-1]["aam"], flush=True)
    score, center = "auc" if problem.classes else "r2", {}
    for model in ("aam", "forest", "ridge"):
        known = np.array([one[model][score] for one in found])
        known = known[~np.isnan(known)]  # an AUC of one class only
        error = known.std(ddof=1) / np.sqrt(len(known))
        center[model] = {"mean": float(known.mean()), "standard_error": float(error)}
    return {"task": problem.name, "seed": seed, "center": center, "folds": found}


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


def print_table(tasks: list[str]) -> None:
    """Print kept results: score over all folds ± deviation over folds, the mean of seeds."""
    rows = []
    for task in tasks:
        kept = sorted(measuring.RESULTS.glob(f"accuracy-{task}-*.json"))
        if kept:
            rows += rows_of(task, [json.loads(path.read_text()) for path in kept])
    print(measuring.markdown(COLUMNS, rows))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = measuring.parser_of(__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), help=", ".join(ALL_TASKS))
    parser.add_argument(
        "--further",
        action="store_true",
        help="the columns that nothing was chosen by, instead of tasks that are named",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of ours and the forest")
    parser.add_argument("--folds", type=int, help="only the first folds, for a quick look")
    parser.add_argument(
        "--pretrain",
        action="store_true",
        help="pretrain an encoder on the training samples of each fold, not the bundled one",
    )
    parser.add_argument("--features", choices=("auto", "asvs", "clades"), default="auto")
    parser.add_argument("--attention-head", choices=("auto", "on"), default="auto")
    parser.add_argument("--table", action="store_true", help="only print what was kept")
    parser.add_argument("--permute", type=int, help="leak check: with so many permuted targets")
    parser.add_argument("--labels", type=float, nargs="+", help="with these shares of the labels")
    options = parser.parse_args()
    if options.further:
        options.tasks = list(FURTHER_TASKS)
    unknown = set(options.tasks) - set(ALL_TASKS)
    if unknown:
        known = ", ".join(ALL_TASKS)
        parser.error(f"no such task: {', '.join(sorted(unknown))}; there are {known}")
    return options


def main() -> None:
    """Run what was asked for; print results, and keep those of all folds as JSON."""
    options = read_options()
    if options.table:
        print_table(options.tasks)
        return
    for name in options.tasks:
        problem = load_problem(name)
        for seed in options.seeds:
            results = {}
            if options.permute:
                results[f"leak-{name}-{seed}"] = check_leaks(problem, seed, options.permute)
            for share in [] if options.permute else options.labels or [1]:
                kind = f"labels-{share:g}" if options.labels else "accuracy"
                kind += "" if options.features == "auto" else f"-{options.features}"
                kind += "" if options.attention_head == "auto" else "-attention"
                results[f"{kind}-{name}-{seed}"] = run_task(problem, seed, share, options)
            for where, result in results.items():
                shown = {key: value for key, value in result.items() if key != "folds"}
                print(json.dumps(shown, indent=1), flush=True)
                if options.folds is None:
                    measuring.store(where, result)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as runs:
        os.environ["Q2_AAM_RUN_DIR"] = runs  # no result of an earlier run
        main()
