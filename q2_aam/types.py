"""Semantic types, formats and transformers; predictions use q2-sample-classifier's types."""

import pandas as pd
import qiime2
from q2_types.sample_data import SampleData
from qiime2.plugin import SemanticType, ValidationError, model

from .errors import AAMError
from .storage.model import check_model
from .storage.tables import read_embeddings, read_intervals, write_intervals, write_table
from .storage.training_log import heads_table, read_training_log

AAMEncoder = SemanticType("AAMEncoder")
AAMRegressor = SemanticType("AAMRegressor")
AAMClassifier = SemanticType("AAMClassifier")
AAMTrainingLog = SemanticType("AAMTrainingLog")
PredictionIntervals = SemanticType("PredictionIntervals", variant_of=SampleData.field["type"])
AAMEmbeddings = SemanticType("AAMEmbeddings", variant_of=SampleData.field["type"])
AAMRecognition = SemanticType("AAMRecognition", variant_of=SampleData.field["type"])


def _as_valid(read, source):
    """Read a file or folder by the rules of `q2_aam.storage`, which hold at every level."""
    try:
        read(source)
    except AAMError as error:
        raise ValidationError(str(error)) from error


class ModelFileFormat(model.BinaryFileFormat):
    """A file of a model; the folder that holds it is validated as a whole."""

    def _validate_(self, level):
        pass


class AAMModelDirectoryFormat(model.DirectoryFormat):
    """A model: architecture, weights, and the sums of both files."""

    config = model.File("config.json", format=ModelFileFormat)
    weights = model.File("weights.safetensors", format=ModelFileFormat)
    manifest = model.File("manifest.json", format=ModelFileFormat)

    def _validate_(self, level):
        _as_valid(check_model, str(self))


class TrainingLogFileFormat(ModelFileFormat):
    """A file of a training log; the folder that holds it is validated as a whole."""


class AAMTrainingLogDirectoryFormat(model.DirectoryFormat):
    """What happened while a model was trained, with TensorBoard events, and the sums of all."""

    history = model.File("history.tsv", format=TrainingLogFileFormat)
    settings = model.File("settings.json", format=TrainingLogFileFormat)
    summary = model.File("summary.json", format=TrainingLogFileFormat)
    train_events = model.File(
        "tensorboard/train/events.out.tfevents.aam", format=TrainingLogFileFormat
    )
    validation_events = model.File(
        "tensorboard/validation/events.out.tfevents.aam", format=TrainingLogFileFormat
    )
    # artifacts of before there were sums have none
    manifest = model.File("manifest.json", format=TrainingLogFileFormat, optional=True)

    def _validate_(self, level):
        _as_valid(read_training_log, str(self))


class _TableFormat(model.TextFileFormat):
    def to_frame(self) -> pd.DataFrame:
        """Read float columns, indexed by sample id."""
        with self.open() as lines:
            return self.read(lines)

    def _validate_(self, level):
        _as_valid(_TableFormat.to_frame, self)


class PredictionIntervalsFormat(_TableFormat):
    """Tab-separated: id, lower, upper."""

    read, write = staticmethod(read_intervals), staticmethod(write_intervals)


class AAMEmbeddingsFormat(_TableFormat):
    """Tab-separated: id, then a column for each dimension."""

    read, write = staticmethod(read_embeddings), staticmethod(write_table)


PredictionIntervalsDirectoryFormat = model.SingleFileDirectoryFormat(
    "PredictionIntervalsDirectoryFormat", "intervals.tsv", PredictionIntervalsFormat
)
AAMEmbeddingsDirectoryFormat = model.SingleFileDirectoryFormat(
    "AAMEmbeddingsDirectoryFormat", "embeddings.tsv", AAMEmbeddingsFormat
)


def training_log_to_metadata(log: AAMTrainingLogDirectoryFormat) -> qiime2.Metadata:
    """Read the history of a training run as Metadata, one row an epoch; without any, one a head."""
    found = read_training_log(log.path)
    return qiime2.Metadata(found.history if len(found.history) else heads_table(found))


def _transformers_of(kind: type):
    """Make the transformers of a table: the framework reads from annotations what they are for."""

    def to_frame(table: kind) -> pd.DataFrame:
        return table.to_frame()

    def to_metadata(table: kind) -> qiime2.Metadata:
        return qiime2.Metadata(table.to_frame())

    def from_frame(frame: pd.DataFrame) -> kind:
        table = kind()
        with table.open() as file:
            kind.write(file, frame)
        return table

    return to_frame, to_metadata, from_frame


TRANSFORMERS = (
    training_log_to_metadata,
    *_transformers_of(PredictionIntervalsFormat),
    *_transformers_of(AAMEmbeddingsFormat),
)
