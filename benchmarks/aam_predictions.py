"""Predictions: q2-aam's, through its actions with defaults; a forest's, ridge's, a constant."""

import time

import numpy as np
import pandas as pd
import qiime2
import skbio
from accuracy_scores import regression_scores
from cross_validation import Problem
from qiime2.plugins import aam
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import RidgeCV

TREES = 150  # of the forest


def fitted_predictions(
    problem: Problem, values: np.ndarray, training: np.ndarray, test: np.ndarray,
    encoder: qiime2.Artifact | None, seed: int, **settings,
) -> tuple[np.ndarray, dict]:  # fmt: skip
    """Fit on some samples (positions, with their values) and predict others.

    Returns numbers, or probabilities of the positive class, and what it took: seconds, those of
    the processor, and for numbers the share of intervals that hold the truth.
    """
    study, task = problem.study, problem.task
    train_ids, test_ids = problem.names(training), problem.names(test)
    inputs = {"random_seed": seed} | settings
    inputs |= {"table": study.table_of(train_ids), "sequences": study.sequences}
    if encoder is not None:
        inputs["encoder"] = encoder
    if task.groups is not None:
        inputs["groups"] = study.column(task.groups, train_ids, numeric=False)
    fit = aam.actions.fit_classifier if problem.classes else aam.actions.fit_regressor
    target = target_column(problem, values[training], train_ids)
    started, computed = time.time(), time.process_time()
    model = fit(metadata=target, **inputs)[0]
    details = {
        "fit_seconds": round(time.time() - started, 1),
        "fit_processor_seconds": round(time.process_time() - computed, 1),
    }
    test_table = study.table_of(test_ids)
    if problem.classes:
        found = aam.actions.predict_classification(
            table=test_table, sequences=study.sequences, classifier=model
        )
        probabilities = found.probabilities.view(pd.DataFrame).loc[test_ids]
        return probabilities[problem.classes[1]].to_numpy(), details
    found = aam.actions.predict_regression(
        table=test_table, sequences=study.sequences, regressor=model
    )
    bounds = found.intervals.view(pd.DataFrame).loc[test_ids]
    inside = (bounds["lower"] <= values[test]) & (values[test] <= bounds["upper"])
    details["coverage"] = float(inside.mean())
    return found.predictions.view(pd.Series)[test_ids].to_numpy(), details


def encoder_of_fold(problem: Problem, training: np.ndarray, seed: int) -> qiime2.Artifact:
    """Pretrain on a fold's training samples."""
    ids, study = problem.names(training), problem.study
    return aam.actions.pretrain(
        tables=[study.table_of(ids, rarefied=True)],
        distance_matrices=[study.distances_of(ids)],
        random_seed=seed,
    ).encoder


def target_column(problem: Problem, values: np.ndarray, ids: list[str]):
    """Write values as the metadata column that the action reads."""
    index = pd.Index(ids, name="id")
    name = problem.task.column
    if not problem.classes:
        return qiime2.NumericMetadataColumn(pd.Series(values, index, name=name))
    named = np.array(problem.classes, dtype=object)[values.astype(int)]
    return qiime2.CategoricalMetadataColumn(pd.Series(named, index, name=name))


def unifrac_of_unseen(study, ids: list[str], encoder: qiime2.Artifact) -> dict[str, float]:
    """Compare predicted with computed UniFrac among some samples."""
    predicted = aam.actions.predict_distances(
        table=study.table_of(ids, rarefied=True), model=encoder
    ).distance_matrix.view(skbio.DistanceMatrix)
    computed = study.distances.filter(predicted.ids).condensed_form()
    guessed = predicted.condensed_form()
    return {
        "unifrac_r": float(np.corrcoef(computed, guessed)[0, 1]),
        "unifrac_r2": regression_scores(guessed, computed)["r2"],
    }


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
