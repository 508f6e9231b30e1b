"""predict-regression, predict-classification, predict-distances: what a model says of a table."""

import dataclasses

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio

from ..config import CLASSIFICATION, REGRESSION
from ..conformal import prediction_intervals
from ..data.covariates import encode_covariates, unknown_levels
from ..data.matching import CLADES_ONLY, EMBEDDING_ONLY, KINDS
from ..data.study import build_studies
from ..data.table import read_table
from ..data.target_scaling import point_prediction, to_units
from ..data.vocabulary import read_vocabulary
from ..errors import AAMError, counted, examples, verb, warn
from ..parameters import DEFAULT
from ..storage.boxed import BUNDLED, read_boxed
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .inputs import merge_sequences, read_covariates_of


def predict_regression(
    table: biom.Table,
    regressor: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    covariates: qiime2.Metadata = None,
    confidence_level: float = DEFAULT["confidence_level"],
    min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame):
    """Predict every sample of a table, in the target's units."""
    config, arrays = read_fitted(regressor, REGRESSION)
    sample_ids, outputs, recognition = predict_table(
        table, sequences, config, arrays, covariates, min_recognized
    )
    index = pd.Index(sample_ids, name="id")
    predictions = pd.Series(
        to_units(config.target, point_prediction(outputs)), index, name="prediction"
    )
    recognized = None if recognition is None else recognition.recognized
    lower, upper = prediction_intervals(config.target, outputs, confidence_level, recognized)
    intervals = pd.DataFrame({"lower": lower, "upper": upper}, index)
    return predictions, intervals.join(recognition_columns(recognition, index))


def predict_classification(
    table: biom.Table,
    classifier: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    covariates: qiime2.Metadata = None,
    min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame, pd.DataFrame):
    """Predict every sample of a table."""
    config, arrays = read_fitted(classifier, CLASSIFICATION)
    sample_ids, outputs, recognition = predict_table(
        table, sequences, config, arrays, covariates, min_recognized
    )
    index = pd.Index(sample_ids, name="id")
    shares = outputs.clip(0, 1)
    shares /= shares.sum(axis=1, keepdims=True)  # to the last digit: the network rounds to float32
    probabilities = pd.DataFrame(shares, index, config.target.classes)
    favoured = np.array(config.target.classes, dtype=object)[shares.argmax(axis=1)]
    recognized = recognition_columns(recognition, index)
    return pd.Series(favoured, index, name="prediction"), probabilities, recognized


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
    table: biom.Table, model: AAMModelDirectoryFormat = None, sequences: pd.Series = None
) -> skbio.DistanceMatrix:
    """Predict the distances between all samples of a table."""
    from .. import inference

    config, arrays = read_any_model(model)
    if config.distance_state != "trained":
        raise AAMError(_REMEDIES[config.distance_state])
    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, for_target=False)
    network, everything = inference.load_network(config, arrays), np.arange(len(samples.sample_ids))
    parts = network.parts_for(distances=True, target=False)
    state = inference.all_states(network, studies, 0, everything, parts=parts)
    matrix = inference.predict_distances(network, state, studies.studies[0].abundances)
    matrix = matrix.astype(float)
    return skbio.DistanceMatrix(matrix, samples.sample_ids)


def read_any_model(model):
    """Read a model; without one, the encoder that ships with q2-aam."""
    if model is not None:
        return read_model(str(model))
    print(f"model: {BUNDLED}")
    return read_boxed()


def read_fitted(model, kind: str):
    """Read a model that predicts a number or a class.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray

    Raises
    ------
    AAMError
        If the model predicts nothing, or something else.
    """
    config, arrays = read_model(str(model))
    needed = "classifier" if kind == CLASSIFICATION else "regressor"
    if config.target is None:
        raise AAMError(f"The model has no target: it is an encoder. Fit a {needed} with it first.")
    if config.target.kind != kind:
        raise AAMError(
            f"The model predicts '{config.target.name}' by {config.target.kind}: it is no "
            f"{needed}. Use predict-{config.target.kind}."
        )
    return config, arrays


def predict_table(table, sequences, config, arrays, covariates, min_recognized: float):
    """Predict the target of every sample of a table.

    Returns
    -------
    sample_ids : tuple of str
    outputs : ndarray of float64, (samples, O)
        See `q2_aam.inference.predict_answers`.
    recognition : Recognition, or None of a model that reads clades only
    """
    from ..inference import load_network, predict_samples

    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, covariates)
    refuse_unrecognized(samples, studies, min_recognized)
    network, everything = load_network(config, arrays), np.arange(len(samples.sample_ids))
    outputs = predict_samples(network, studies, 0, everything)
    return samples.sample_ids, outputs, studies.recognition


def read_studies(samples, sequences, config, arrays, covariates=None, for_target: bool = True):
    """Read the samples of a table as a model reads them, and print how they were recognized.

    Parameters
    ----------
    samples : SampleTable
    sequences : pd.Series or None
    config : ModelConfig
    arrays : dict of str to ndarray
        The model's weights.
    covariates : qiime2.Metadata, optional
    for_target : bool
        Whether the model's target is to be predicted, which needs its covariates.

    Returns
    -------
    Studies
        One study, of all samples.
    """
    vocabulary = read_vocabulary(arrays) if config.target is not None else None
    studies = build_studies(
        [samples], merge_sequences(sequences), config.max_sequence_length, config.max_asvs,
        vocabulary=vocabulary,
    )  # fmt: skip
    if studies.asvs.shortened:
        shortened = studies.asvs.shortened
        warn(
            f"{counted(shortened, 'sequence')} of {len(samples.feature_ids):,} "
            f"{verb(shortened, 'are')} longer than the {config.max_sequence_length} nucleotides "
            "that the model reads; their ends were not read" + describe_joined(studies.asvs.joined)
        )
    if vocabulary is not None and not len(vocabulary):
        studies = dataclasses.replace(studies, recognition=None)  # there is nothing to look up
        print("the model reads the clades of its encoder: no read needs to be recognized")
    elif vocabulary is not None:
        print(describe_recognition(samples, studies.recognition))
    if for_target:
        studies = _add_covariates(studies, config.target.covariates, covariates, samples)
    return studies


def describe_joined(joined: int) -> str:
    """Say how many sequences became equal to others when they were cut; end the sentence."""
    return f", and {joined:,} became equal to others by this." if joined else "."


def describe_recognition(samples, recognition) -> str:
    """Say in one line what share of a table's reads a model recognizes, and how."""
    reads = np.asarray(samples.counts.sum(axis=1)).ravel()
    shares = reads @ recognition.shares / reads.sum()
    names = ("the same", "overlapping", "read by embedding only")
    parts = [f"{share:.1%} {name}" for share, name in zip(shares, names, strict=True)]
    line = f"reads recognized by the model: {', '.join(parts)}"
    turned = int(recognition.reversed.sum())
    if turned:
        line += f"; {counted(turned, 'sequence')} read as the reverse complement"
    return line


def refuse_unrecognized(samples, studies, min_recognized: float) -> None:
    """Stop where a model recognizes so little of a table that predictions would mean nothing.

    Raises
    ------
    AAMError
        If the mean share of the samples' reads that is recognized is below `min_recognized`.
    """
    recognition = studies.recognition
    if recognition is None or recognition.recognized.mean() >= min_recognized:
        return
    share = recognition.recognized.mean()
    strange = np.flatnonzero(recognition.kind == EMBEDDING_ONLY)
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    most = strange[np.argsort(-reads[strange], kind="stable")]
    raise AAMError(
        f"The model recognizes {share:.1%} of the reads of a sample on average, and "
        f"{counted(len(samples.feature_ids) - len(strange), 'feature')} of "
        f"{len(samples.feature_ids):,}: predictions would mean nothing.\n"
        "The most abundant features that it does not recognize: "
        f"{examples(samples.feature_ids[column] for column in most)}.\n"
        "Likely causes: another gene or region, another habitat than that of the model, a primer "
        "or adapter left on both ends, or joined reads in the wrong order. 'qiime aam check-table' "
        "shows more.\nTo predict all the same, lower 'min_recognized' (now "
        f"{min_recognized:g})."
    )


def recognition_columns(recognition, index: pd.Index) -> pd.DataFrame:
    """Name the shares of each sample's reads by how they were recognized."""
    if recognition is None:
        return pd.DataFrame({CLADES_ONLY: 1.0}, index)
    return pd.DataFrame(recognition.shares, index, list(KINDS))


def _add_covariates(studies, known, covariates, samples):
    columns = read_covariates_of(known, covariates, samples)
    if columns is None:
        return studies
    for name, levels in unknown_levels(known, columns).items():
        warn(
            f"The covariate '{name}' has {counted(len(levels), 'level')} that the training samples "
            f"did not have, read as unknown: {examples(levels)}."
        )
    study = dataclasses.replace(studies.studies[0], covariates=encode_covariates(known, columns))
    return dataclasses.replace(studies, studies=(study,))
