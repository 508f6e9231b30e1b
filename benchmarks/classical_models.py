"""What q2-aam is compared with: a random forest, ridge regression and a constant."""

import numpy as np
from cross_validation import Problem
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import RidgeCV

TREES = 150


def log_abundances(problem: Problem, training: np.ndarray) -> np.ndarray:
    """Log abundances of the ASVs that are in at least 1 % of the training samples."""
    ids = problem.ids
    table = problem.study.table.filter(set(ids), inplace=False).sort_order(ids)
    counts = table.matrix_data.T.toarray()
    fractions = counts / counts.sum(axis=1, keepdims=True)
    prevalent = (fractions[training] > 0).mean(axis=0) >= 0.01
    return np.log1p(1e4 * fractions[:, prevalent])


def classical_predictions(
    problem: Problem, values: np.ndarray, training, test, seed: int
) -> dict[str, np.ndarray]:
    """Predict by a forest, by ridge regression (of 0 and 1 for classes) and by the mean."""
    features = log_abundances(problem, training)
    known, unseen = features[training], features[test]
    ridge = RidgeCV(np.logspace(-2, 6, 33)).fit(known, values[training])
    if problem.classes:
        forest = RandomForestClassifier(TREES, random_state=seed).fit(known, values[training])
        by_forest = forest.predict_proba(unseen)[:, list(forest.classes_).index(1.0)]
    else:
        forest = RandomForestRegressor(TREES, random_state=seed).fit(known, values[training])
        by_forest = forest.predict(unseen)
    return {
        "forest": by_forest,
        "ridge": ridge.predict(unseen),
        "constant": np.full(len(test), values[training].mean()),
    }
