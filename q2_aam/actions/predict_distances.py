"""predict-distances: UniFrac between samples, without a tree."""

import biom
import numpy as np
import pandas as pd
import skbio

from ..data.table import read_table
from ..errors import AAMError
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .prediction import read_studies

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
    from .. import inference

    config, arrays = read_model(str(model))
    if config.distance_state != "trained":
        raise AAMError(_REMEDIES[config.distance_state])
    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, for_target=False)
    network, everything = inference.load_network(config, arrays), np.arange(len(samples.sample_ids))
    parts = network.parts_for(distances=True, target=False)
    state = inference.all_states(network, studies, 0, everything, parts=parts)
    matrix = inference.predict_distances(network, state, studies.studies[0].abundances).astype(
        float
    )
    return skbio.DistanceMatrix(matrix, samples.sample_ids)
