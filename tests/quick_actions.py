"""The actions on simulated studies, quickly and anew: no finished run answers for another."""

import os
from tempfile import TemporaryDirectory
from unittest import mock

import pandas as pd
import qiime2
import skbio
from qiime2.plugins import aam
from simulated_study import QUICK_FIT, TINY

ACTIONS = aam.actions


def column_of(values: pd.Series):
    """Make a metadata column of numbers or of classes."""
    values = values.rename(values.name or "score").rename_axis("id")
    numeric = pd.api.types.is_numeric_dtype(values)
    kind = qiime2.NumericMetadataColumn if numeric else qiime2.CategoricalMetadataColumn
    return kind(values)


def _anew(action, *inputs, **settings):
    with TemporaryDirectory() as folder, mock.patch.dict(os.environ, Q2_AAM_RUN_DIR=folder):
        return action(*inputs, **settings)


def pretrain(study, distances=None, **settings):
    """Pretrain on a study and its UniFrac."""
    given = {"sequences": [study.sequences]} | TINY | settings
    return _anew(ACTIONS.pretrain, [study.table], [distances or study.distances], **given)


def fit(study, values=None, **settings):
    """Fit a regressor or a classifier, by what the values are; the ages if none are given."""
    column = column_of(study.ages) if values is None else values
    if isinstance(column, pd.Series):
        column = column_of(column)
    numeric = isinstance(column, qiime2.NumericMetadataColumn)
    action = ACTIONS.fit_regressor if numeric else ACTIONS.fit_classifier
    return _anew(
        action, study.table, column, **{"sequences": study.sequences} | QUICK_FIT | settings
    )


def predict(study, model, **settings):
    """Predict a study by a model, or by the model among results."""
    model = model if isinstance(model, qiime2.Artifact) else model[0]
    regresses = str(model.type) == "AAMRegressor"
    action = ACTIONS.predict_regression if regresses else ACTIONS.predict_classification
    return action(study.table, model, **{"sequences": study.sequences} | settings)


def predictions(study, model, **settings) -> pd.Series:
    """Return the predicted value of each sample."""
    return predict(study, model, **settings).predictions.view(pd.Series)


def distances(study, model) -> skbio.DistanceMatrix:
    """Return the predicted distances between the samples of a study."""
    found = ACTIONS.predict_distances(study.table, model, sequences=study.sequences)
    return found.distance_matrix.view(skbio.DistanceMatrix)
