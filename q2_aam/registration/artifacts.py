"""Registration of the types of artifacts and of their views."""

from q2_types.sample_data import SampleData

from .. import types
from ..types._transformers import TRANSFORMERS


def register(plugin, citations) -> None:
    """Register types, formats and transformers."""
    del citations
    plugin.register_semantic_types(
        types.AAMEncoder,
        types.AAMRegressor,
        types.AAMClassifier,
        types.AAMTrainingLog,
        types.PredictionIntervals,
        types.AAMEmbeddings,
        types.AAMRecognition,
    )
    plugin.register_artifact_class(
        types.AAMEncoder,
        types.AAMModelDirectoryFormat,
        description="A pretrained model: it embeds samples and predicts UniFrac.",
    )
    plugin.register_artifact_class(
        types.AAMRegressor,
        types.AAMModelDirectoryFormat,
        description="A model that predicts a number of each sample.",
    )
    plugin.register_artifact_class(
        types.AAMClassifier,
        types.AAMModelDirectoryFormat,
        description="A model that predicts a class of each sample.",
    )
    plugin.register_artifact_class(
        types.AAMTrainingLog,
        types.AAMTrainingLogDirectoryFormat,
        description="History and settings of a training run.",
    )
    plugin.register_artifact_class(
        SampleData[types.PredictionIntervals],
        types.PredictionIntervalsDirectoryFormat,
        description="A lower and an upper bound for the predicted value of each sample.",
    )
    plugin.register_artifact_class(
        SampleData[types.AAMEmbeddings],
        types.AAMEmbeddingsDirectoryFormat,
        description="What a model has learned of each sample, as numbers.",
    )
    plugin.register_artifact_class(
        SampleData[types.AAMRecognition],
        types.AAMEmbeddingsDirectoryFormat,
        description="Shares of each sample's reads by how a model recognized them.",
    )
    plugin.register_views(
        types.AAMModelDirectoryFormat,
        types.AAMTrainingLogDirectoryFormat,
        types.PredictionIntervalsFormat,
        types.PredictionIntervalsDirectoryFormat,
        types.AAMEmbeddingsFormat,
        types.AAMEmbeddingsDirectoryFormat,
    )
    for transformer in TRANSFORMERS:
        plugin.register_transformer(transformer)
