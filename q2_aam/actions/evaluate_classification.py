"""evaluate-classification: how good predicted classes of a metadata column are."""

import biom
import pandas as pd
import qiime2
from q2_sample_classifier import PredictionsDirectoryFormat, ProbabilitiesDirectoryFormat

from ..storage.training_log import read_training_log
from ..types import AAMTrainingLogDirectoryFormat
from .important_features import read_importance

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
    log = None if training_log is None else read_training_log(str(training_log))
    important = read_importance(importance, sequences, taxonomy, table)
    write_classification_page(output_dir, samples, log, important)
