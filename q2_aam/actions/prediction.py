"""What every predicting action does first: read the model, and the table as the model reads it."""

import dataclasses
import warnings

import numpy as np

from ..config import CLASSIFICATION, KNOWN_ASVS
from ..data.covariates import encode_covariates, unknown_levels
from ..data.known_asvs import match_asvs
from ..data.study import build_studies
from ..data.table import read_table
from ..errors import AAMError, counted, examples
from ..storage.model import read_model
from .covariate_columns import read_covariates_of
from .named_sequences import merge_sequences


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


def predict_table(table, sequences, config, arrays, covariates=None):
    """Predict the target of every sample of a table.

    Returns
    -------
    sample_ids : tuple of str
    answers : ndarray of float64, (samples, O)
        See `q2_aam.inference.predict_answers`.
    """
    from ..inference import load_network, predict_samples

    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, covariates)
    network, everything = load_network(config, arrays), np.arange(len(samples.sample_ids))
    return samples.sample_ids, predict_samples(network, studies, 0, everything)


def read_studies(samples, sequences, config, arrays, covariates=None, for_target: bool = True):
    """Read the samples of a table as a model reads them.

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
    studies = build_studies(
        [samples], merge_sequences(sequences), config.max_sequence_length, config.max_asvs
    )
    if studies.asvs.shortened:
        warnings.warn(
            f"{counted(studies.asvs.shortened, 'sequence')} of {len(samples.feature_ids):,} are "
            f"longer than the {config.max_sequence_length} nucleotides that the model reads; their "
            "ends were not read.",
            stacklevel=2,
        )
    if config.target is not None:
        known = match_asvs(studies.asvs, arrays[KNOWN_ASVS])
        studies = dataclasses.replace(studies, known=known)
    if for_target:
        studies = _add_covariates(studies, config.target.covariates, covariates, samples)
    return studies


def _add_covariates(studies, known, covariates, samples):
    columns = read_covariates_of(known, covariates, samples)
    if columns is None:
        return studies
    for name, levels in unknown_levels(known, columns).items():
        warnings.warn(
            f"The covariate '{name}' has {counted(len(levels), 'level')} that the training samples "
            f"did not have, read as unknown: {examples(levels)}.",
            stacklevel=2,
        )
    study = dataclasses.replace(studies.studies[0], covariates=encode_covariates(known, columns))
    return dataclasses.replace(studies, studies=(study,))
