"""Compare values of one setting on inner folds: test samples of the reported folds are not used."""

import numpy as np
from aam_predictions import fitted_predictions
from accuracy_scores import scores
from cross_validation import Problem, folds_of, inner_fold
from encoders import encoder_of_fold


def run(problem: Problem, seed: int, setting: list[str], options) -> dict:
    """Fit with each value on 3/4 of each fold's training samples and predict the other 1/4.

    Parameters
    ----------
    problem : Problem
    seed : int
    setting : list of str
        Its name, and the values to compare.
    options : argparse.Namespace
        ``folds`` and ``cache``.

    Notes
    -----
    The encoder is the fold's: it saw the samples that are predicted here, without labels.
    """
    name, *values = setting
    found = []
    for fold, (training, _) in enumerate(folds_of(problem)[: options.folds]):
        encoder = encoder_of_fold(problem, training, seed, options.cache)
        kept, held_out = inner_fold(problem, training)
        row: dict = {"fold": fold}
        for value in values:
            predicted, _ = fitted_predictions(
                problem, problem.values, kept, held_out, encoder, seed, **{name: typed(value)}
            )
            of_fold = np.full(len(held_out), fold)
            actual = problem.values[held_out]
            row[value] = scores(predicted, actual, of_fold, bool(problem.classes))
        print(problem.name, "inner fold", row, flush=True)
        found.append(row)
    means = {
        value: {
            score: float(np.nanmean([row[value][score] for row in found]))
            for score in found[0][value]
        }
        for value in values
    }
    return {"task": problem.name, "seed": seed, "setting": name, "means": means, "folds": found}


def typed(text: str):
    """Read a number or a truth value where the text is one."""
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
