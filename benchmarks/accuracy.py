"""How well defaults predict real studies, beside a forest, ridge regression and a constant.

    python benchmarks/accuracy.py ecam-month soils-ph sleep-age

Folds and forest as in the studies' own README; ours goes through the actions, with defaults.
Pretraining sees the training samples of the fold only.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from qiime2.plugins import aam
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold
from studies import TASKS, labelled_samples, load_study

RESULTS = Path(__file__).parent / "results"
BOOTSTRAPS = 2000


def scores(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Return mean absolute error and R²."""
    residual = predicted - actual
    spread = np.square(actual - actual.mean()).sum()
    return {
        "mae": float(np.abs(residual).mean()),
        "r2": float(1 - np.square(residual).sum() / spread),
    }


def classical_features(study, ids, training) -> np.ndarray:
    """Log abundances of the ASVs that are in at least 1 % of the training samples."""
    table = study.table.filter(set(ids), inplace=False).sort_order(ids)
    counts = table.matrix_data.T.toarray()
    fractions = counts / counts.sum(axis=1, keepdims=True)
    prevalent = (fractions[training] > 0).mean(axis=0) >= 0.01
    return np.log1p(1e4 * fractions[:, prevalent])


def classical_predictions(features, values, training, test, seed: int) -> dict[str, np.ndarray]:
    """Predict by a forest, by ridge regression and by the training mean."""
    forest = RandomForestRegressor(150, random_state=seed, n_jobs=-1)
    ridge = RidgeCV(np.logspace(-2, 6, 33))
    found = {"constant": np.full(len(test), values[training].mean())}
    for name, model in (("forest", forest), ("ridge", ridge)):
        found[name] = model.fit(features[training], values[training]).predict(features[test])
    return found


def aam_predictions(study, task, ids, training, test, seed: int) -> tuple[np.ndarray, dict]:
    """Pretrain and fit on the training samples, predict the test samples; all by the actions."""
    train_ids, test_ids = [ids[i] for i in training], [ids[i] for i in test]
    started = time.time()
    pretrained = aam.actions.pretrain(
        tables=[study.table_of(train_ids, rarefied=True)],
        distance_matrices=[study.distances_of(train_ids)],
        random_seed=seed,
    )
    seconds = {"pretrain": time.time() - started}
    started = time.time()
    groups = {}
    if task.groups is not None:
        groups["groups"] = study.column(task.groups, train_ids, numeric=False)
    fitted = aam.actions.fit_regressor(
        table=study.table_of(train_ids),
        sequences=study.sequences,
        metadata=study.column(task.column, train_ids, numeric=True),
        encoder=pretrained.encoder,
        random_seed=seed,
        **groups,
    )
    seconds["fit"] = time.time() - started
    import pandas as pd
    import skbio

    predicted = aam.actions.predict_regression(
        table=study.table_of(test_ids), sequences=study.sequences, regressor=fitted.regressor
    )
    values = predicted.predictions.view(pd.Series)[test_ids].to_numpy()
    bounds = predicted.intervals.view(pd.DataFrame).loc[test_ids]
    distances = aam.actions.predict_distances(
        table=study.table_of(test_ids, rarefied=True), model=pretrained.encoder
    ).distance_matrix.view(skbio.DistanceMatrix)
    actual = study.distances.filter(distances.ids).condensed_form()
    guessed = distances.condensed_form()
    truth = study.metadata.loc[test_ids, task.column].astype(float).to_numpy()
    inside = (bounds["lower"].to_numpy() <= truth) & (truth <= bounds["upper"].to_numpy())
    return values, {
        "seconds": seconds,
        "unifrac_r": float(np.corrcoef(actual, guessed)[0, 1]),
        "unifrac_r2": scores(guessed, actual)["r2"],
        "coverage": float(inside.mean()),
    }


def paired_bootstrap(ours, theirs, actual, groups) -> list[float]:
    """Return a 95 % interval of our MAE minus theirs, drawing whole groups."""
    names = np.unique(groups)
    members = [np.flatnonzero(groups == name) for name in names]
    difference = np.abs(ours - actual) - np.abs(theirs - actual)
    random = np.random.default_rng(0)
    means = []
    for _ in range(BOOTSTRAPS):
        rows = np.concatenate([members[i] for i in random.integers(len(names), size=len(names))])
        means.append(difference[rows].mean())
    return [float(value) for value in np.quantile(means, [0.025, 0.975])]


def run_task(name: str, seed: int, folds: int | None) -> dict:
    """Cross-validate one task."""
    task = TASKS[name]
    study = load_study(task.study)
    ids, values, groups = labelled_samples(study, task)
    values = values.astype(float)
    splitter = KFold(5, shuffle=True, random_state=0) if groups is None else GroupKFold(5)
    predicted: dict[str, np.ndarray] = {}
    details, scored = [], []
    for fold, (training, test) in enumerate(splitter.split(values, groups=groups)):
        if folds is not None and fold >= folds:
            break
        features = classical_features(study, ids, training)
        found = classical_predictions(features, values, training, test, seed)
        found["aam"], detail = aam_predictions(study, task, ids, training, test, seed)
        for model, part in found.items():
            predicted.setdefault(model, np.full(len(values), np.nan))[test] = part
        scored.extend(test)
        detail |= {model: scores(part, values[test]) for model, part in found.items()}
        details.append(detail)
        print(name, "fold", fold, json.dumps(detail), flush=True)
    scored = np.array(scored)
    units = np.arange(len(values)) if groups is None else groups
    return {
        "task": name,
        "seed": seed,
        "samples": len(scored),
        "scores": {m: scores(p[scored], values[scored]) for m, p in predicted.items()},
        "mae_difference_to_forest_95": paired_bootstrap(
            predicted["aam"][scored], predicted["forest"][scored], values[scored], units[scored]
        ),
        "folds": details,
    }


def main() -> None:
    """Run the tasks asked for and store their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=1, help="seeds of ours and of the forest")
    parser.add_argument("--folds", type=int, help="only the first folds, for a quick look")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for name in options.tasks:
        for seed in range(options.seeds):
            result = run_task(name, seed, options.folds)
            print(json.dumps({key: result[key] for key in result if key != "folds"}, indent=1))
            if options.folds is None:
                path = RESULTS / f"accuracy-{name}-{seed}.json"
                path.write_text(json.dumps(result | {"cores": os.cpu_count()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
