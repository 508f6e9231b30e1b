"""Semantic types, formats and transformers; they never need torch."""

from ._formats import (
    AAMModelDirectoryFormat,
    AAMTrainingLogDirectoryFormat,
    PredictionIntervalsDirectoryFormat,
    PredictionIntervalsFormat,
)
from ._types import AAMClassifier, AAMEncoder, AAMRegressor, AAMTrainingLog, PredictionIntervals

__all__ = [
    "AAMClassifier",
    "AAMEncoder",
    "AAMModelDirectoryFormat",
    "AAMRegressor",
    "AAMTrainingLog",
    "AAMTrainingLogDirectoryFormat",
    "PredictionIntervals",
    "PredictionIntervalsDirectoryFormat",
    "PredictionIntervalsFormat",
]
