"""Views of q2-aam's artifacts."""

import pandas as pd
import qiime2

from ..storage.tables import write_intervals, write_table
from ..storage.training_log import heads_table, read_training_log
from ._formats import (
    AAMEmbeddingsFormat,
    AAMTrainingLogDirectoryFormat,
    PredictionIntervalsFormat,
)


def intervals_to_frame(intervals: PredictionIntervalsFormat) -> pd.DataFrame:
    """Read prediction intervals as a table."""
    return intervals.to_frame()


def intervals_to_metadata(intervals: PredictionIntervalsFormat) -> qiime2.Metadata:
    """Read prediction intervals as Metadata."""
    return qiime2.Metadata(intervals.to_frame())


def frame_to_intervals(frame: pd.DataFrame) -> PredictionIntervalsFormat:
    """Store prediction intervals."""
    intervals = PredictionIntervalsFormat()
    with intervals.open() as file:
        write_intervals(file, frame)
    return intervals


def embeddings_to_frame(embeddings: AAMEmbeddingsFormat) -> pd.DataFrame:
    """Read embeddings of samples as a table."""
    return embeddings.to_frame()


def embeddings_to_metadata(embeddings: AAMEmbeddingsFormat) -> qiime2.Metadata:
    """Read embeddings of samples as Metadata."""
    return qiime2.Metadata(embeddings.to_frame())


def frame_to_embeddings(frame: pd.DataFrame) -> AAMEmbeddingsFormat:
    """Store embeddings of samples."""
    embeddings = AAMEmbeddingsFormat()
    with embeddings.open() as file:
        write_table(file, frame)
    return embeddings


def training_log_to_metadata(log: AAMTrainingLogDirectoryFormat) -> qiime2.Metadata:
    """Read the history of a training run as Metadata, one row an epoch; without any, one a head."""
    found = read_training_log(log.path)
    return qiime2.Metadata(found.history if len(found.history) else heads_table(found))


TRANSFORMERS = (
    intervals_to_frame,
    intervals_to_metadata,
    frame_to_intervals,
    embeddings_to_frame,
    embeddings_to_metadata,
    frame_to_embeddings,
    training_log_to_metadata,
)
