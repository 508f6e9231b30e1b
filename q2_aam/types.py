"""Semantic types, formats and transformers; predictions use q2-sample-classifier's types."""

import csv

import numpy as np
import pandas as pd
import qiime2
from q2_types.sample_data import SampleData
from qiime2.plugin import SemanticType, ValidationError, model

from .data.matching import CLADES_ONLY, KINDS
from .errors import AAMError, counted, examples
from .storage.model import check_model
from .storage.training_log import heads_table, read_training_log

AAMEncoder = SemanticType("AAMEncoder")
AAMRegressor = SemanticType("AAMRegressor")
AAMClassifier = SemanticType("AAMClassifier")
AAMTrainingLog = SemanticType("AAMTrainingLog")
PredictionIntervals = SemanticType("PredictionIntervals", variant_of=SampleData.field["type"])
AAMEmbeddings = SemanticType("AAMEmbeddings", variant_of=SampleData.field["type"])
AAMRecognition = SemanticType("AAMRecognition", variant_of=SampleData.field["type"])
BOUNDS, SHARES = ["lower", "upper"], list(KINDS)  # intervals of older versions have no shares
_COLUMNS_OF_INTERVALS = (BOUNDS, BOUNDS + SHARES, [*BOUNDS, CLADES_ONLY])


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
    """Tab-separated text: ids of samples, which stay text (``0001``), then columns of numbers."""

    @classmethod
    def write(cls, file, frame: pd.DataFrame) -> None:
        """Write numbers indexed by sample id."""
        if not cls._fit(list(frame)):
            raise cls._other_columns(list(frame))
        frame.to_csv(file, sep="\t", index_label="id")

    @classmethod
    def read(cls, lines) -> pd.DataFrame:
        """Read float64 columns indexed by sample id; AAMError if a name repeats or a value errs."""
        try:
            names = next(csv.reader([lines.readline()], delimiter="\t"), [])
            if names[:1] != ["id"] or not cls._fit(names[1:]):
                raise cls._other_columns(names)
            types = {0: str} | dict.fromkeys(range(1, len(names)), np.float64)
            frame = pd.read_csv(lines, sep="\t", header=None, dtype=types, keep_default_na=False)
        except AAMError:
            raise
        except (ValueError, csv.Error) as error:  # letters that are not UTF-8, too
            why = str(error).strip()
            raise AAMError(f"The {cls.what} are not a table of numbers: {why}") from error
        if frame.shape[1] != len(names):
            raise AAMError(
                f"The {cls.what} have {counted(len(names) - 1, 'number')} in their first line, but "
                f"{frame.shape[1] - 1:,} in the others."
            )
        frame = frame.set_index(0).set_axis(names[1:], axis=1).rename_axis("id")
        for why, rows in ({"appear twice": frame.index.duplicated()} | cls._wrong(frame)).items():
            found = frame.index[rows]
            if len(found):
                raise AAMError(
                    f"{counted(len(found), 'id')} {why} in the {cls.what}: {examples(found)}."
                )
        return frame

    @classmethod
    def _other_columns(cls, names: list[str]) -> AAMError:
        found = f"the columns {examples(names)}" if names else "no columns"
        return AAMError(f"The {cls.what} have {found}, not {cls.wanted}.")

    def to_frame(self) -> pd.DataFrame:
        """Read the file."""
        with self.open() as lines:
            return self.read(lines)

    def _validate_(self, level):
        _as_valid(_TableFormat.to_frame, self)


class PredictionIntervalsFormat(_TableFormat):
    """Bounds, and perhaps the shares of each sample's reads by how they were recognized."""

    what, wanted = "intervals", f"id, lower, upper and perhaps {', '.join(SHARES)}"
    _fit = _COLUMNS_OF_INTERVALS.__contains__

    @staticmethod
    def _wrong(frame: pd.DataFrame) -> dict[str, pd.Series]:
        shares = frame[frame.columns[2:]].apply(lambda share: share.between(0, 1))
        return {
            "have no lower ≤ upper": ~(frame["lower"] <= frame["upper"]),
            "have shares of reads outside 0 to 1": ~shares.all(axis=1),
        }


class AAMEmbeddingsFormat(_TableFormat):
    """A column for each dimension."""

    what, wanted = "embeddings", "'id' and at least one dimension"
    _fit = bool

    @staticmethod
    def _wrong(frame: pd.DataFrame) -> dict[str, np.ndarray]:
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise AAMError(
                f"{counted(len(twice), 'dimension')} of the embeddings appear twice: "
                f"{examples(twice)}."
            )
        return {"have values that are not finite": ~np.isfinite(frame.to_numpy()).all(axis=1)}


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
