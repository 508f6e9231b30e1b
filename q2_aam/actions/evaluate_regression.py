"""evaluate-regression: how good predictions of a numeric metadata column are."""

import biom
import pandas as pd
import qiime2

from ..storage.training_log import read_training_log
from ..types import AAMTrainingLogDirectoryFormat
from .important_features import read_importance


def evaluate_regression(
    output_dir: str,
    predictions: pd.Series,
    truth: qiime2.NumericMetadataColumn,
    intervals: pd.DataFrame = None,
    baseline_predictions: pd.Series = None,
    groups: qiime2.MetadataColumn = None,
    color_by: qiime2.MetadataColumn = None,
    training_log: AAMTrainingLogDirectoryFormat = None,
    importance: pd.DataFrame = None,
    sequences: pd.Series = None,
    taxonomy: pd.DataFrame = None,
    table: biom.Table = None,
) -> None:
    """Write the evaluation of a regressor's predictions as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    predictions : pd.Series
        Index: sample id.
    truth : qiime2.NumericMetadataColumn
        The true values, in the same units.
    intervals : pd.DataFrame, optional
        Columns ``lower`` and ``upper``, and perhaps how reads were recognized; index: sample id.
    baseline_predictions : pd.Series, optional
        Another model's predictions, to compare with on the samples that both have.
    groups : qiime2.MetadataColumn, optional
        Samples that belong together: errors are shown, and intervals of scores drawn, by group.
    color_by : qiime2.MetadataColumn, optional
        Colors the points of the charts.
    training_log : AAMTrainingLogDirectoryFormat, optional
        Of the model that predicted.
    importance : pd.DataFrame, optional
        What the model rests on, see `join_important_features`.
    sequences : pd.Series of skbio.DNA, optional
        Of the features of the importance.
    taxonomy : pd.DataFrame, optional
        Column ``Taxon``; index: feature id.
    table : biom.Table, optional
        Of the samples predicted: adds a heatmap of the features of the importance.

    Raises
    ------
    AAMError
        If no predicted sample has a true value, or something is not a number.
    """
    from ..report.regression.page import write_regression_page
    from ..report.regression.samples import join_numbers

    samples = join_numbers(
        predictions,
        truth.to_series(),
        intervals=intervals,
        baseline_predictions=baseline_predictions,
        groups=None if groups is None else groups.to_series(),
        color_by=None if color_by is None else color_by.to_series(),
    )
    log = None if training_log is None else read_training_log(str(training_log))
    important = read_importance(importance, sequences, taxonomy, table)
    write_regression_page(output_dir, samples, log, important)
