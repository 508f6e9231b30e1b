"""evaluate-*, summarize-training: pages about predictions, and about how a model was trained."""

import dataclasses

import biom
import pandas as pd
import qiime2
from q2_sample_classifier import PredictionsDirectoryFormat, ProbabilitiesDirectoryFormat
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..errors import AAMError
from ..parameters import DEFAULT
from ..storage.training_log import read_training_log
from ..types import AAMTrainingLogDirectoryFormat
from .inputs import merge_sequences


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
    design: str = "",
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
    log = _read_log(training_log, design)
    important = read_importance(importance, sequences, taxonomy, table)
    write_regression_page(output_dir, samples, log, important)


# as q2-sample-classifier names them
PREDICTIONS, PROBABILITIES = "predictions.tsv", "class_probabilities.tsv"


def evaluate_classification(
    output_dir: str,
    predictions: PredictionsDirectoryFormat,
    truth: qiime2.CategoricalMetadataColumn,
    probabilities: ProbabilitiesDirectoryFormat = None,
    baseline_predictions: PredictionsDirectoryFormat = None,
    baseline_probabilities: ProbabilitiesDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    training_log: AAMTrainingLogDirectoryFormat = None,
    importance: pd.DataFrame = None,
    sequences: pd.Series = None,
    taxonomy: pd.DataFrame = None,
    table: biom.Table = None,
    recognition: pd.DataFrame = None,
    design: str = "",
) -> None:
    """Write the evaluation of a classifier's predictions as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    predictions : PredictionsDirectoryFormat
        The class of each sample. Read from its file: see `read_classes`.
    truth : qiime2.CategoricalMetadataColumn
        The true classes.
    probabilities : ProbabilitiesDirectoryFormat, optional
        Of each class, for each sample.
    baseline_predictions, baseline_probabilities : optional
        Another classifier's, to compare with on the samples that both have.
    groups : qiime2.MetadataColumn, optional
        Samples that belong together: intervals of scores are drawn by group.
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
    recognition : pd.DataFrame, optional
        How the reads of each sample were recognized; index: sample id.

    Raises
    ------
    AAMError
        If no predicted sample has a true value, or the inputs do not belong together.
    """
    from ..report.classification.page import write_classification_page
    from ..report.classification.samples import join_classes, read_classes, read_probabilities

    def classes(given, name):
        return None if given is None else read_classes(given.path / PREDICTIONS, name)

    def shares(given, name):
        return None if given is None else read_probabilities(given.path / PROBABILITIES, name)

    samples = join_classes(
        classes(predictions, "The predictions"),
        truth.to_series(),
        probabilities=shares(probabilities, "The probabilities"),
        baseline_predictions=classes(baseline_predictions, "The baseline predictions"),
        baseline_probabilities=shares(baseline_probabilities, "The baseline probabilities"),
        groups=None if groups is None else groups.to_series(),
        recognition=recognition,
    )
    log = _read_log(training_log, design)
    important = read_importance(importance, sequences, taxonomy, table)
    write_classification_page(output_dir, samples, log, important)


def evaluate_distances(
    output_dir: str,
    predicted: DistanceMatrixDirectoryFormat,
    actual: DistanceMatrixDirectoryFormat,
    color_by: qiime2.MetadataColumn = None,
    random_seed: int = DEFAULT["random_seed"],
) -> None:
    """Write the comparison of predicted with actual distances as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    predicted, actual : DistanceMatrixDirectoryFormat
        Compared on the samples that both have.
    color_by : qiime2.MetadataColumn, optional
        Colors the samples.
    random_seed : int
        Of the bootstrap, of the permutations and of the samples that are ordinated.

    Raises
    ------
    AAMError
        If the matrices share fewer than three samples, or are no distances from 0 to 1.
    """
    import pandas as pd

    from ..report.color_by import ColorBy
    from ..report.distances.page import write_distances_page
    from ..report.distances.samples import compare_distances, read_distances

    compared = compare_distances(
        read_distances(predicted.path / "distance-matrix.tsv", "the predicted distances"),
        read_distances(actual.path / "distance-matrix.tsv", "the actual distances"),
    )
    colors = None
    if color_by is not None:
        colors = ColorBy.of(color_by.to_series(), pd.Index(compared.ids))
    write_distances_page(output_dir, compared, colors, random_seed)


def _read_log(training_log, design: str):
    """Read a training log, if there is one, and add how the samples were predicted."""
    if training_log is None:
        return None
    log = read_training_log(str(training_log))
    if design:
        log = dataclasses.replace(log, summary=log.summary | {"design": design})
    return log


def summarize_training(output_dir: str, training_log: AAMTrainingLogDirectoryFormat) -> None:
    """Write the summary of a training run as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    training_log : AAMTrainingLogDirectoryFormat
        As pretrain or a fit action wrote it.

    Raises
    ------
    AAMError
        If the log is damaged.
    """
    from ..report.training.page import write_training_page

    folder = str(training_log)
    write_training_page(output_dir, read_training_log(folder), folder)


def read_importance(importance, sequences, taxonomy, table):
    """Join the importance of features with their DNA, taxa and abundances.

    Parameters
    ----------
    importance : pd.DataFrame or None
    sequences : pd.Series of skbio.DNA, or None
    taxonomy : pd.DataFrame or None
    table : biom.Table or None

    Returns
    -------
    ImportantFeatures, or None
        None without importance.

    Raises
    ------
    AAMError
        If the others are given without importance, or tell of other features.
    """
    from ..report.importance import join_important_features

    others = {"sequences": sequences, "taxonomy": taxonomy, "table": table}
    given = [name for name, part in others.items() if part is not None]
    if importance is None:
        if given:
            raise AAMError(
                f"{' and '.join(repr(name) for name in given)} were given, but not 'importance', "
                "of whose features they tell. Give the importance from feature-importance too, or "
                "leave them out."
            )
        return None
    taxa = None if taxonomy is None else taxonomy["Taxon"].astype(str).to_dict()
    return join_important_features(importance, merge_sequences(sequences), taxa, table)
