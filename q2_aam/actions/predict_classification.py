"""predict-classification: predict a class of each sample, with the probability of every class."""

import biom
import numpy as np
import pandas as pd
import qiime2

from ..config import CLASSIFICATION
from ..parameters import DEFAULT
from ..types import AAMModelDirectoryFormat
from .prediction import predict_table, read_fitted, recognition_columns


def predict_classification(
    table: biom.Table,
    classifier: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    covariates: qiime2.Metadata = None,
    min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame, pd.DataFrame):
    """Predict every sample of a table."""
    config, arrays = read_fitted(classifier, CLASSIFICATION)
    sample_ids, answers, recognition = predict_table(
        table, sequences, config, arrays, covariates, min_recognized
    )
    index = pd.Index(sample_ids, name="id")
    shares = answers.clip(0, 1)
    shares /= shares.sum(axis=1, keepdims=True)  # to the last digit: the network rounds to float32
    probabilities = pd.DataFrame(shares, index, config.target.classes)
    favoured = np.array(config.target.classes, dtype=object)[shares.argmax(axis=1)]
    recognized = pd.DataFrame(recognition_columns(recognition), index)
    return pd.Series(favoured, index, name="prediction"), probabilities, recognized
