"""Semantic types, formats and transformers; they never need torch."""

from ._formats import (
    AAMEmbeddingsDirectoryFormat,
    AAMEmbeddingsFormat,
    AAMModelDirectoryFormat,
    AAMTrainingLogDirectoryFormat,
    PredictionIntervalsDirectoryFormat,
    PredictionIntervalsFormat,
)
from ._types import (
    AAMClassifier,
    AAMEmbeddings,
    AAMEncoder,
    AAMRecognition,
    AAMRegressor,
    AAMTrainingLog,
    PredictionIntervals,
)

__all__ = [
    "AAMClassifier",
    "AAMEmbeddings",
    "AAMEmbeddingsDirectoryFormat",
    "AAMEmbeddingsFormat",
    "AAMEncoder",
    "AAMModelDirectoryFormat",
    "AAMRecognition",
    "AAMRegressor",
    "AAMTrainingLog",
    "AAMTrainingLogDirectoryFormat",
    "PredictionIntervals",
    "PredictionIntervalsDirectoryFormat",
    "PredictionIntervalsFormat",
]
