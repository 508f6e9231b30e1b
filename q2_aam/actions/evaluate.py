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
    output_dir: str, predictions: pd.Series, truth: qiime2.NumericMetadataColumn,
    intervals: pd.DataFrame = None, baseline_predictions: pd.Series = None,
    groups: qiime2.MetadataColumn = None, color_by: qiime2.MetadataColumn = None,
    training_log: AAMTrainingLogDirectoryFormat = None, importance: pd.DataFrame = None,
    sequences: pd.Series = None, taxonomy: pd.DataFrame = None, table: biom.Table = None,
    design: str = "",
) -> None:  # fmt: skip
    """Write the evaluation of a regressor's predictions as a page."""
    from ..report.regression import join_numbers, write_regression_page

    samples = join_numbers(
        predictions, truth.to_series(), intervals=intervals, groups=_series(groups),
        baseline_predictions=baseline_predictions, color_by=_series(color_by),
    )  # fmt: skip
    important = _join_importance(importance, sequences, taxonomy, table)
    write_regression_page(output_dir, samples, _read_log(training_log, design), important)


def evaluate_classification(
    output_dir: str, predictions: PredictionsDirectoryFormat,
    truth: qiime2.CategoricalMetadataColumn, probabilities: ProbabilitiesDirectoryFormat = None,
    baseline_predictions: PredictionsDirectoryFormat = None,
    baseline_probabilities: ProbabilitiesDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None, training_log: AAMTrainingLogDirectoryFormat = None,
    importance: pd.DataFrame = None, sequences: pd.Series = None, taxonomy: pd.DataFrame = None,
    table: biom.Table = None, recognition: pd.DataFrame = None, design: str = "",
) -> None:  # fmt: skip
    """Write the evaluation of a classifier's predictions as a page."""
    from ..report.classification import write_classification_page
    from ..report.classification_scores import join_classes, read_classes, read_probabilities

    # read from files, as q2-sample-classifier names them: see `join_classes`
    def classes(given, name: str):
        return None if given is None else read_classes(given.path / "predictions.tsv", name)

    def shares(given, name: str):
        path = given and given.path / "class_probabilities.tsv"
        return None if given is None else read_probabilities(path, name)

    samples = join_classes(
        classes(predictions, "The predictions"), truth.to_series(),
        shares(probabilities, "The probabilities"),
        classes(baseline_predictions, "The baseline predictions"),
        shares(baseline_probabilities, "The baseline probabilities"), _series(groups), recognition,
    )  # fmt: skip
    important = _join_importance(importance, sequences, taxonomy, table)
    write_classification_page(output_dir, samples, _read_log(training_log, design), important)


def evaluate_distances(
    output_dir: str, predicted: DistanceMatrixDirectoryFormat,
    actual: DistanceMatrixDirectoryFormat, color_by: qiime2.MetadataColumn = None,
    random_seed: int = DEFAULT["random_seed"],
) -> None:  # fmt: skip
    """Write the comparison of predicted with actual distances as a page."""
    from ..report.distance_scores import compare_distances, read_distances
    from ..report.distances import write_distances_page

    compared = compare_distances(
        read_distances(predicted.path / "distance-matrix.tsv", "the predicted distances"),
        read_distances(actual.path / "distance-matrix.tsv", "the actual distances"),
    )
    write_distances_page(output_dir, compared, _series(color_by), random_seed)


def summarize_training(output_dir: str, training_log: AAMTrainingLogDirectoryFormat) -> None:
    """Write the summary of a training run as a page."""
    from ..report.training import write_training_page

    folder = str(training_log)
    write_training_page(output_dir, read_training_log(folder), folder)


def _series(column: qiime2.MetadataColumn = None) -> pd.Series:
    return None if column is None else column.to_series()


def _read_log(training_log, design: str):
    """Read a training log, if there is one, and add how the samples were predicted."""
    if training_log is None:
        return None
    log = read_training_log(str(training_log))
    if design:
        log = dataclasses.replace(log, summary=log.summary | {"design": design})
    return log


def _join_importance(importance, sequences, taxonomy, table):
    """Join the importance of features, if it is given, with their DNA, taxa and abundances."""
    from ..report.importance import join_important_features

    others = {"sequences": sequences, "taxonomy": taxonomy, "table": table}
    given = [repr(name) for name, part in others.items() if part is not None]
    if importance is None:
        if given:
            raise AAMError(
                f"{' and '.join(given)} were given, but not 'importance', of whose features they "
                "tell. Give the importance from feature-importance too, or leave them out."
            )
        return None
    taxa = None if taxonomy is None else taxonomy["Taxon"].astype(str).to_dict()
    return join_important_features(importance, merge_sequences(sequences), taxa, table)
