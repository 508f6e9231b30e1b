"""predict-regression: predict a number of each sample, with an interval."""

import biom
import pandas as pd

from ..conformal import interval_half_width
from ..errors import AAMError
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .prediction import embed_table


def predict_regression(
    table: biom.Table,
    regressor: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    interval: float = DEFAULT["interval"],
) -> (pd.Series, pd.DataFrame):
    """Predict every sample of a table, in the target's units."""
    from ..inference import predict_targets

    config, arrays = read_model(str(regressor))
    if config.target is None:
        raise AAMError("The model has no target: it is an encoder. Fit a regressor with it first.")
    network, sample_ids, state = embed_table(table, sequences, config, arrays)
    index = pd.Index(sample_ids, name="id")
    predictions = pd.Series(predict_targets(network, state), index=index, name="prediction")
    half = interval_half_width(config.target, interval)
    intervals = pd.DataFrame({"lower": predictions - half, "upper": predictions + half})
    return predictions, intervals
