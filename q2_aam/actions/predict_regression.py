"""predict-regression: predict a number of each sample, with an interval."""

import biom
import pandas as pd
import qiime2

from ..config import REGRESSION
from ..conformal import prediction_intervals, widen_unrecognized
from ..data.target_scaling import middle, to_units
from ..parameters import DEFAULT
from ..types import AAMModelDirectoryFormat
from .prediction import predict_table, read_fitted, recognition_columns


def predict_regression(
    table: biom.Table,
    regressor: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    covariates: qiime2.Metadata = None,
    interval: float = DEFAULT["interval"],
    min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame):
    """Predict every sample of a table, in the target's units."""
    config, arrays = read_fitted(regressor, REGRESSION)
    sample_ids, answers, recognition = predict_table(
        table, sequences, config, arrays, covariates, min_recognized
    )
    index = pd.Index(sample_ids, name="id")
    predictions = pd.Series(to_units(config.target, middle(answers)), index, name="prediction")
    lower, upper = prediction_intervals(config.target, answers, interval)
    lower, upper = widen_unrecognized(config.target, lower, upper, recognition.recognized)
    columns = {"lower": lower, "upper": upper} | recognition_columns(recognition)
    return predictions, pd.DataFrame(columns, index)
