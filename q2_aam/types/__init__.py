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
    "AAMRegressor",
    "AAMTrainingLog",
    "AAMTrainingLogDirectoryFormat",
    "PredictionIntervals",
    "PredictionIntervalsDirectoryFormat",
    "PredictionIntervalsFormat",
]
