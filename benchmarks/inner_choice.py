"""Compare values of one setting on inner folds: test samples of the reported folds are not used."""

import numpy as np
from aam_predictions import fitted_predictions
from accuracy_scores import scores
from classical_models import classical_predictions
from cross_validation import Problem, folds_of, inner_fold
from encoders import encoder_of_fold

MEAN = "mean of the predictions"


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
    The encoder is the fold's: it saw the samples that are predicted here, without labels. The mean
    of the predictions with all values tells what averaging models would bring: with `random_seed`,
    an ensemble of networks that were each validated on other samples.
    """
    name, *values = setting
    found = []
    for fold, (training, _) in enumerate(folds_of(problem)[: options.folds]):
        encoder = encoder_of_fold(problem, training, seed, options.cache)
        kept, held_out = inner_fold(problem, training)
        predicted = classical_predictions(problem, problem.values, kept, held_out, seed)
        ours = {}
        for value in values:
            ours[f"{name} {value}"], _ = fitted_predictions(
                problem, problem.values, kept, held_out, encoder, seed, **{name: typed(value)}
            )
        predicted |= ours | {MEAN: np.mean(list(ours.values()), axis=0)}
        of_fold, actual = np.full(len(held_out), fold), problem.values[held_out]
        row: dict = {"fold": fold}
        for model, part in predicted.items():
            row[model] = scores(part, actual, of_fold, bool(problem.classes))
        print(problem.name, "inner fold", row, flush=True)
        found.append(row)
    means = {
        model: {
            score: float(np.nanmean([row[model][score] for row in found]))
            for score in found[0][model]
        }
        for model in found[0]
        if model != "fold"
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
