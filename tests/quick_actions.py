"""The actions on simulated studies, quickly and anew: no finished run answers for another."""

import os
from tempfile import TemporaryDirectory
from unittest import mock

import pandas as pd
import qiime2
import skbio
from qiime2.plugins import aam
from simulated_study import QUICK_FIT, TINY, column_of, values_of

ACTIONS = aam.actions


def _anew(action, *inputs, **settings):
    with TemporaryDirectory() as folder, mock.patch.dict(os.environ, Q2_AAM_RUN_DIR=folder):
        return action(*inputs, **settings)


def pretrain(study, distances=None, **settings):
    given = {"sequences": [study.sequences]} | TINY | settings
    return _anew(ACTIONS.pretrain, [study.table], [distances or study.distances], **given)


def fit(study, values=None, **settings):
    """Fit a regressor or a classifier, by what the values are; the ages if none are given."""
    values = study.ages if values is None else values
    column = column_of(values) if isinstance(values, pd.Series) else values
    numeric = isinstance(column, qiime2.NumericMetadataColumn)
    action = ACTIONS.fit_regressor if numeric else ACTIONS.fit_classifier
    return _anew(
        action, study.table, column, **{"sequences": study.sequences} | QUICK_FIT | settings
    )


def split(study, values=None, **settings):
    """Divide the samples of a study, by the ages if no values are given."""
    values = study.ages if values is None else values
    return ACTIONS.split_samples(study.table, column_of(values), **settings)


def predict(study, model, **settings):
    model = model if isinstance(model, qiime2.Artifact) else model[0]
    regresses = str(model.type) == "AAMRegressor"
    action = ACTIONS.predict_regression if regresses else ACTIONS.predict_classification
    return action(study.table, model, **{"sequences": study.sequences} | settings)


def predictions(study, model, **settings) -> pd.Series:
    return values_of(predict(study, model, **settings).predictions)


def distances(study, model) -> skbio.DistanceMatrix:
    found = ACTIONS.predict_distances(study.table, model, sequences=study.sequences)
    return found.distance_matrix.view(skbio.DistanceMatrix)


def probabilities(study, model, **settings) -> pd.DataFrame:
    return values_of(predict(study, model, **settings).probabilities)
