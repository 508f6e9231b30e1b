"""predict-distances: UniFrac between samples, without a tree."""

import biom
import pandas as pd
import skbio

from ..errors import AAMError
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .prediction import embed_table

_REMEDIES = {
    "untrained": (
        "The model never learned distances. Use an encoder from 'qiime aam pretrain', or give "
        "the matrix to 'fit-regressor' or 'fit-classifier'."
    ),
    "stale": (
        "The model's embeddings changed in fitting after its distances were learned. Use the "
        "encoder that it was fitted from, fit with 'freeze_encoder', or give the matrix to "
        "'fit-regressor' or 'fit-classifier'."
    ),
}


def predict_distances(
    table: biom.Table, model: AAMModelDirectoryFormat, sequences: pd.Series = None
) -> skbio.DistanceMatrix:
    """Predict the distances between all samples of a table."""
    from ..inference import predict_distances as predict

    config, arrays = read_model(str(model))
    if config.distance_state != "trained":
        raise AAMError(_REMEDIES[config.distance_state])
    network, sample_ids, state = embed_table(table, sequences, config, arrays, for_target=False)
    return skbio.DistanceMatrix(predict(network, state).astype(float), sample_ids)
