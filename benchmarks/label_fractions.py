"""Whether pretraining pays: few and many labels, with encoders of several kinds, frozen or not."""

import numpy as np
from aam_predictions import fitted_predictions
from accuracy_scores import scores
from classical_models import classical_predictions
from cross_validation import Problem, folds_of, share_of
from encoders import encoder_of_fold, encoder_of_others_then_fold

NONE, OWN, FOUR = "none", "own study", "other three studies, then own"


def run(problem: Problem, seed: int, shares: list[float], options) -> dict:
    """Cross-validate with shares of the training groups' labels.

    Encoders saw all training samples of the fold, without labels; samples whose labels are
    dropped are not fitted on.
    """
    predicted: dict[tuple, np.ndarray] = {}
    fold_of = np.full(len(problem.values), -1)
    for fold, (training, test) in enumerate(folds_of(problem)[: options.folds]):
        fold_of[test] = fold
        encoders = {NONE: None, OWN: encoder_of_fold(problem, training, seed, options.cache)}
        if options.four is not None:
            epochs = {"epochs": options.four} if options.four else {}
            encoders[FOUR] = encoder_of_others_then_fold(
                problem, training, seed, options.cache, **epochs
            )
        for share in shares:
            kept = share_of(problem, training, share, seed)
            found = classical_predictions(problem, problem.values, kept, test, seed)
            for name, encoder in encoders.items():
                for frozen in (False,) if encoder is None else (True, False):
                    key = name if encoder is None else f"{name}, {'' if frozen else 'not '}frozen"
                    found[key], _ = fitted_predictions(
                        problem, problem.values, kept, test, encoder, seed, freeze_encoder=frozen
                    )
            for model, part in found.items():
                key = (share, model)
                predicted.setdefault(key, np.full(len(problem.values), np.nan))[test] = part
            print(problem.name, "fold", fold, "share", share, "done", flush=True)
    rows = fold_of >= 0
    found = {str(share): {} for share in shares}
    for (share, model), values in predicted.items():
        found[str(share)][model] = scores(
            values[rows], problem.values[rows], fold_of[rows], bool(problem.classes)
        )
    return {"task": problem.name, "seed": seed, "shares": found}
