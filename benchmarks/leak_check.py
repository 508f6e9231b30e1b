"""The leak check: with targets permuted between groups, nothing can be learned."""

from pathlib import Path

import numpy as np
from aam_predictions import fitted_predictions
from accuracy_scores import scores
from classical_models import classical_predictions
from cross_validation import FOLDS, Problem, folds_of, permuted
from encoders import encoder_of_fold


def run(problem: Problem, seed: int, permutations: int, cache: Path) -> dict:
    """Score predictions of permuted targets; each permutation takes the next of the folds.

    Encoders are those of the folds, as they saw no labels. R² must center on 0 or below, AUC on
    0.5.
    """
    folds, found = folds_of(problem), []
    for number in range(permutations):
        training, test = folds[number % FOLDS]
        values = permuted(problem, seed * 1000 + number)
        encoder = encoder_of_fold(problem, training, seed, cache)
        predicted = classical_predictions(problem, values, training, test, seed)
        predicted["aam"], _ = fitted_predictions(problem, values, training, test, encoder, seed)
        of_model = {
            model: scores(part, values[test], np.zeros(len(test)), bool(problem.classes))
            for model, part in predicted.items()
        }
        found.append({"fold": number % FOLDS} | of_model)
        print(problem.name, "permutation", number, of_model["aam"], flush=True)
    score = "auc" if problem.classes else "r2"
    return {
        "task": problem.name,
        "seed": seed,
        "score": score,
        "center": {
            model: describe([one[model][score] for one in found])
            for model in ("aam", "forest", "ridge")
        },
        "permutations": found,
    }


def describe(values: list[float]) -> dict[str, float]:
    """Return mean, its standard error, and median; an AUC of one class only is left out."""
    known = np.array(values)[~np.isnan(values)]
    return {
        "mean": float(known.mean()),
        "standard_error": float(known.std(ddof=1) / np.sqrt(len(known))),
        "median": float(np.median(known)),
        "number": len(known),
    }
