"""evaluate-classification: how good predicted classes of a metadata column are."""

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
) -> None:
    """Write the evaluation of a classifier's predictions as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    predictions : PredictionsDirectoryFormat
        The class of each sample. Read from its file: see `read_predicted_classes`.
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

    Raises
    ------
    AAMError
        If no predicted sample has a true value, or the inputs do not belong together.
    """
    from ..report.class_files import read_predicted_classes, read_probabilities
    from ..report.classification import write_classification_page
    from ..report.classified_samples import join_classified_samples

    def classes(given, name):
        return None if given is None else read_predicted_classes(given.path / PREDICTIONS, name)

    def shares(given, name):
        return None if given is None else read_probabilities(given.path / PROBABILITIES, name)

    samples = join_classified_samples(
        classes(predictions, "The predictions"),
        truth.to_series(),
        probabilities=shares(probabilities, "The probabilities"),
        baseline_predictions=classes(baseline_predictions, "The baseline predictions"),
        baseline_probabilities=shares(baseline_probabilities, "The baseline probabilities"),
        groups=None if groups is None else groups.to_series(),
    )
    log = None if training_log is None else read_training_log(str(training_log))
    important = read_importance(importance, sequences, taxonomy)
    write_classification_page(output_dir, samples, log, important)
