"""How well defaults predict real studies, beside a forest, ridge regression and a constant.

    python accuracy.py ecam-delivery soils-ph --seeds 0 1 2
    python accuracy.py --further
    python accuracy.py sleep-age sleep-exposure --permute 20
    python accuracy.py sleep-age --labels 0.1 0.25 0.5 1

Folds and forest as in the studies' own README; ours goes through the actions, with defaults: the
bundled encoder, frozen. With --pretrain it is pretrained on the training samples of the fold.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import label_fractions
import leak_check
import numpy as np
from aam_predictions import fitted_predictions, unifrac_of_unseen
from accuracy_scores import paired_bootstrap, scores
from classical_models import classical_predictions
from cross_validation import Problem, folds_of, load_problem
from encoders import CACHE, commit, encoder_of_all, encoder_of_fold
from studies import ALL_TASKS, FURTHER_TASKS, TASKS

RESULTS = Path(__file__).parent / "results"


def run_task(problem: Problem, seed: int, options: argparse.Namespace) -> dict:
    """Cross-validate one task with one seed."""
    predicted: dict[str, np.ndarray] = {}
    fold_of = np.full(len(problem.values), -1)
    details = []
    for fold, (training, test) in enumerate(folds_of(problem)[: options.folds]):
        fold_of[test] = fold
        encoder = None
        if options.pretrain:
            encoder = encoder_of_fold(problem, training, seed, options.cache)
        found = classical_predictions(problem, problem.values, training, test, seed)
        found["aam"], detail = fitted_predictions(
            problem, problem.values, training, test, encoder, seed
        )
        if encoder is not None:
            detail["encoder"] = encoder.made
            detail |= unifrac_of_unseen(problem.study, problem.names(test), encoder)
        if options.all_unlabeled:
            encoder = encoder_of_all(problem, seed, options.cache)
            found["aam, all samples unlabeled"], _ = fitted_predictions(
                problem, problem.values, training, test, encoder, seed
            )
        for model, part in found.items():
            predicted.setdefault(model, np.full(len(problem.values), np.nan))[test] = part
            detail[model] = scores(part, problem.values[test], fold_of[test], bool(problem.classes))
        details.append(detail)
        print(problem.name, "seed", seed, "fold", fold, json.dumps(detail), flush=True)
    return summarise(problem, seed, predicted, fold_of) | {"folds": details}


def summarise(problem: Problem, seed: int, predicted: dict, fold_of: np.ndarray) -> dict:
    """Score all folds together, and compare ours with the others."""
    rows = fold_of >= 0
    actual, fold, categorical = problem.values[rows], fold_of[rows], bool(problem.classes)
    kept = {model: values[rows] for model, values in predicted.items()}
    intervals = {
        model: paired_bootstrap(
            kept["aam"], values, actual, fold, problem.groups[rows], categorical
        )
        for model, values in kept.items()
        if model in ("forest", "ridge")
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


def store(name: str, result: dict, options: argparse.Namespace) -> None:
    """Print a result, and keep it as JSON if it is whole."""
    print(json.dumps({key: result[key] for key in result if key != "folds"}, indent=1), flush=True)
    if options.folds is not None:
        return
    where = {"cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"), "commit": commit()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result | where, indent=1) + "\n")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=list(TASKS), help=", ".join(ALL_TASKS))
    parser.add_argument(
        "--further",
        action="store_true",
        help="the columns that nothing was chosen by, instead of tasks that are named",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of ours and the forest")
    parser.add_argument("--folds", type=int, help="only the first folds, for a quick look")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where encoders are kept")
    parser.add_argument(
        "--pretrain",
        action="store_true",
        help="pretrain an encoder on the training samples of each fold, not the bundled one",
    )
    parser.add_argument(
        "--all-unlabeled",
        action="store_true",
        help="also pretrain on all samples, those of the test without labels",
    )
    parser.add_argument("--permute", type=int, help="leak check: with so many permuted targets")
    parser.add_argument("--labels", type=float, nargs="+", help="with these shares of the labels")
    parser.add_argument(
        "--four",
        type=int,
        nargs="?",
        const=0,
        help="with --labels: also pretrain on the other three studies first, so many epochs",
    )
    options = parser.parse_args()
    if options.further:
        options.tasks = list(FURTHER_TASKS)
    unknown = set(options.tasks) - set(ALL_TASKS)
    if unknown:
        known = ", ".join(ALL_TASKS)
        parser.error(f"no such task: {', '.join(sorted(unknown))}; there are {known}")
    return options


def main() -> None:
    """Run what was asked for, and store the results."""
    options = read_options()
    for name in options.tasks:
        problem = load_problem(name)
        for seed in options.seeds:
            if options.permute:
                result = leak_check.run(problem, seed, options.permute, options.cache)
                store(f"leak-{name}-{seed}", result, options)
            elif options.labels:
                result = label_fractions.run(problem, seed, options.labels, options)
                store(f"labels-{name}-{seed}", result, options)
                store(f"inner-{options.inner[0]}-{name}-{seed}", result, options)
            else:
                store(f"accuracy-{name}-{seed}", run_task(problem, seed, options), options)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as runs:
        os.environ["Q2_AAM_RUN_DIR"] = runs  # no result of an earlier run
        main()
