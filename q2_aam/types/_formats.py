"""Directory formats; each validates by the rules of `q2_aam.storage`, at every level."""

import pandas as pd
from qiime2.plugin import ValidationError, model

from ..errors import AAMError
from ..storage.model import check_model
from ..storage.tables import read_embeddings, read_intervals
from ..storage.training_log import read_training_log


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
        try:
            check_model(str(self))
        except AAMError as error:
            raise ValidationError(str(error)) from error


class TrainingLogFileFormat(model.BinaryFileFormat):
    """A file of a training log; the folder that holds it is validated as a whole."""

    def _validate_(self, level):
        pass


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
        try:
            read_training_log(str(self))
        except AAMError as error:
            raise ValidationError(str(error)) from error


class PredictionIntervalsFormat(model.TextFileFormat):
    """Tab-separated: id, lower, upper."""

    def to_frame(self) -> pd.DataFrame:
        """Read the intervals, indexed by sample id, with float columns lower and upper."""
        with self.open() as lines:
            return read_intervals(lines)

    def _validate_(self, level):
        try:
            self.to_frame()
        except AAMError as error:
            raise ValidationError(str(error)) from error


PredictionIntervalsDirectoryFormat = model.SingleFileDirectoryFormat(
    "PredictionIntervalsDirectoryFormat", "intervals.tsv", PredictionIntervalsFormat
)


class AAMEmbeddingsFormat(model.TextFileFormat):
    """Tab-separated: id, then a column for each dimension."""

    def to_frame(self) -> pd.DataFrame:
        """Read the embeddings, indexed by sample id, with a float column for each dimension."""
        with self.open() as lines:
            return read_embeddings(lines)

    def _validate_(self, level):
        try:
            self.to_frame()
        except AAMError as error:
            raise ValidationError(str(error)) from error


AAMEmbeddingsDirectoryFormat = model.SingleFileDirectoryFormat(
    "AAMEmbeddingsDirectoryFormat", "embeddings.tsv", AAMEmbeddingsFormat
)
