"""What the defaults bring: one change at a time to pretraining or fitting, on inner folds.

    python ablation.py sleep-age --folds 3
    python ablation.py ecam-month --folds 1 --variants "as it is" "distances of pooled embeddings"

The training samples of each fold are divided once more, 3 to 1 by group: pretraining and fitting
see the larger part, and the other is predicted, UniFrac of all its pairs and the target. Test
samples of the folds are not used. A change of pretraining is followed by fitting with defaults, and
a change of fitting follows pretraining with defaults.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from aam_predictions import fitted_predictions, unifrac_of_unseen
from accuracy_scores import scores
from cross_validation import Problem, folds_of, inner_fold, load_problem
from encoders import CACHE, Encoder, Part, commit, pretrained

RESULTS = Path(__file__).parent / "results"
PLAIN = "as it is"
PRETRAINING = {
    PLAIN: {},
    "distances of pooled embeddings": {"distance_form": "euclidean"},
    "1 nucleotide a token": {"nucleotides_per_token": 1},
    "3 nucleotides a token": {"nucleotides_per_token": 3},
    "dropout 0.1": {"dropout": 0.1},
    "masked nucleotides, weight 0.1": {"nucleotide_weight": 0.1},
    "hidden abundances, weight 0.1": {"abundance_weight": 0.1},
    "48 wide": {"hidden_size": 48},
    "192 wide": {"hidden_size": 192},
    "no layer that reads DNA": {"asv_layers": 0},
    "2 layers that read DNA": {"asv_layers": 2},
    "256 branches": {"branches": 256},
    "4,096 branches": {"branches": 4096},
    "20 epochs": {"epochs": 20},
    "80 epochs": {"epochs": 80},
    "batches of 8": {"batch_size": 8},
    "batches of 16": {"batch_size": 16},
    "every epoch may be kept": {"settling": 0.0},
    "no validation samples": {"validation_size": 0.0},
}
FITTING = {
    "no encoder": {},
    "encoder learns too": {"freeze_encoder": False},
    "no trees": {"trees": 0},
    "500 trees": {"trees": 500},
    "loss mae": {"target_loss": "mae"},
    "loss mse": {"target_loss": "mse"},
    "target as logarithm": {"target_scaling": "log-z-score"},
    "dropout 0.2 in fitting": {"dropout": 0.2},
    "3 times the learning rate": {"learning_rate": 3e-3},
}


def encoder_for(problem: Problem, kept: np.ndarray, settings: dict, options) -> Encoder:
    """Pretrain on the larger part of an inner division."""
    part = Part(problem.task.study, problem.study, problem.names(kept))
    return pretrained([part], options.seed, options.cache, **settings)


def measure(problem: Problem, name: str, options: argparse.Namespace) -> dict[str, float]:
    """Pretrain and fit with one change; return the means over the folds."""
    found: dict[str, list[float]] = {}
    for training, _ in folds_of(problem)[: options.folds]:
        kept, held = inner_fold(problem, training)
        encoder = encoder_for(problem, kept, PRETRAINING.get(name, {}), options)
        row = unifrac_of_unseen(problem.study, problem.names(held), encoder)
        row["pretraining_seconds"] = encoder.made["processor_seconds"]
        started = time.process_time()
        predicted, _ = fitted_predictions(
            problem, problem.values, kept, held, None if name == "no encoder" else encoder,
            options.seed, **FITTING.get(name, {}),
        )  # fmt: skip
        row["fitting_seconds"] = time.process_time() - started
        of_fold = np.zeros(len(held))
        row |= scores(predicted, problem.values[held], of_fold, bool(problem.classes))
        for score, value in row.items():
            found.setdefault(score, []).append(value)
    return {score: float(np.nanmean(values)) for score, values in found.items()}


def table_of(results: dict[str, dict[str, float]]) -> str:
    """Write the results as a table in Markdown."""
    columns = list(next(iter(results.values())))
    lines = [["variant", *columns], ["---"] * (1 + len(columns))]
    for name, row in results.items():
        shown = [f"{row[one]:.0f}" if "seconds" in one else f"{row[one]:.3f}" for one in columns]
        lines.append([name, *shown])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure all variants, print the table and store every figure."""
    every = [*PRETRAINING, *FITTING]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", default=every, choices=every)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where encoders are kept")
    options = parser.parse_args()
    problem, results = load_problem(options.task), {}
    for name in options.variants:
        results[name] = measure(problem, name, options)
        print(name, json.dumps(results[name]), flush=True)
        content = {
            "task": options.task, "folds": options.folds, "seed": options.seed,
            "commit": commit(), "date": time.strftime("%Y-%m-%d"), "results": results,
        }  # fmt: skip
        path = RESULTS / f"ablation-{options.task}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
    print(table_of(results))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as runs:
        os.environ["Q2_AAM_RUN_DIR"] = runs  # no result of an earlier run
        main()
