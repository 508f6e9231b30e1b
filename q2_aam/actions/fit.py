"""fit-regressor and fit-classifier: learn to predict a number or a class of each sample."""

import dataclasses
from typing import NamedTuple

import biom
import numpy as np
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..config import ClassificationTarget
from ..data.alignment import require_variation
from ..data.covariates import describe_covariates, encode_covariates
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.target_scaling import (
    clip_far_values,
    describe_target,
    refuse_far_values,
    refuse_negative_logarithms,
    to_scaled,
)
from ..data.vocabulary import know_prevalent_asvs
from ..errors import AAMError, counted, examples, warn
from ..parameters import (
    CLASSIFICATION_SETTINGS,
    FITTING_DEFAULT,
    OF_NUMBERS,
    REGRESSION_SETTINGS,
)
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .descent import (
    attention_descends,
    is_frozen,
    refuse_contradictions,
    refuse_unlearned_clades,
    refuse_what_has_no_effect,
)
from .inputs import (
    TrainingSamples,
    merge_sequences,
    read_training_samples,
    split_training_samples,
)
from .settings import with_settings
from .training_run import require_validation, start_run, store_run, training_settings


@with_settings(REGRESSION_SETTINGS, FITTING_DEFAULT)
def fit_regressor(
    table: biom.Table,
    metadata: qiime2.NumericMetadataColumn,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    distance_matrix: DistanceMatrixDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    covariates: qiime2.Metadata = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a regressor on every labeled sample of a table."""
    inputs = FitInputs(table, metadata, sequences, encoder, distance_matrix, groups, covariates)
    return fit_model("fit-regressor", inputs, settings)


@with_settings(CLASSIFICATION_SETTINGS, FITTING_DEFAULT)
def fit_classifier(
    table: biom.Table,
    metadata: qiime2.CategoricalMetadataColumn,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    distance_matrix: DistanceMatrixDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    covariates: qiime2.Metadata = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a classifier on every labeled sample of a table."""
    inputs = FitInputs(table, metadata, sequences, encoder, distance_matrix, groups, covariates)
    return fit_model("fit-classifier", inputs, settings)


class FitInputs(NamedTuple):
    """The inputs of an action that fits."""

    table: object
    metadata: object
    sequences: object = None
    encoder: object = None
    distance_matrix: object = None
    groups: object = None
    covariates: object = None


class ReadyFit(NamedTuple):
    """Everything that fitting starts from, in the order of `q2_aam.training.fit.fit`."""

    network: object
    studies: object
    labels: object
    config: object
    accelerator: object


def fit_model(action: str, inputs: FitInputs, settings: dict):
    """Fit a model on every labeled sample of a table.

    Returns
    -------
    model : AAMModelDirectoryFormat
    training_log : AAMTrainingLogDirectoryFormat
    """
    from ..training.fit import fit
    from ..training.logger import TrainingLogger

    logger = TrainingLogger(action, settings["epochs"])
    ready = prepare_fit(logger, inputs, settings)
    fitted = fit(*ready, logger)
    log = logger.log_fit(ready.network, ready.studies.studies[0].sample_ids, fitted)
    return store_run(ready.network, log, fitted.shown, logger.info)


def prepare_fit(logger, inputs: FitInputs, settings: dict, validated: bool = True) -> ReadyFit:
    """Check and read everything, and build the network to start from.

    Parameters
    ----------
    logger : TrainingLogger
    inputs : FitInputs
    settings : dict
        The action's parameters.
    validated : bool
        Whether samples must be held out to validate on, where a head descends.
    """
    from ..training import init
    from ..training.fit import Labels, remember_asvs, with_heads

    refuse_contradictions(settings, inputs)
    frozen = is_frozen(settings, inputs)
    labeled = read_training_samples(
        inputs.table, inputs.metadata, inputs.groups, inputs.covariates,
        settings["covariate_columns"], inputs.distance_matrix, settings["missing_samples"],
    )  # fmt: skip
    logger.log_dropped(labeled.dropped)
    attends = attention_descends(settings, frozen, len(labeled.samples.sample_ids))
    refuse_what_has_no_effect(settings, attends)
    fraction = settings["validation_size"] if attends else 0.0
    if attends:
        samples = len(labeled.samples.sample_ids)
        require_validation(samples, fraction, optional=not validated)
    training, validation = split_training_samples(labeled, fraction, settings["random_seed"])
    config, arrays, studies = read_study(labeled, inputs, settings, logger)
    features = settings["features"]
    refuse_unlearned_clades(features, config, labeled.distances is not None)
    known_by = training[:0] if features == "clades" else training  # samples that give ASVs
    studies, tokens = know_prevalent_asvs(studies, known_by, config.max_sequence_length)
    described = ()
    if labeled.covariates is not None:
        described = describe_covariates(labeled.covariates.iloc[training])
        studies = with_covariates(studies, described, labeled.covariates)
    numeric = isinstance(inputs.metadata, qiime2.NumericMetadataColumn)
    if numeric:
        labeled = without_far_values(labeled, inputs.metadata.name, settings, logger)
    describe = describe_number if numeric else describe_classes
    name = inputs.metadata.name
    target, targets = describe(name, labeled, training, len(tokens), described, settings)
    target = with_heads(target, settings["n_estimators"], len(targets), attends)
    config = dataclasses.replace(config, target=target)
    trained_by, accelerator = start_fitting_run(logger, settings, frozen)
    tell_settings(logger, settings, described, numeric)
    seed, device = settings["random_seed"], accelerator.device
    if arrays is None:
        network = init.new_network(config, studies, seed, device)
    else:
        network = init.continued_network(config, arrays, seed, device)
    remember_asvs(network, tokens)
    labels = Labels(targets, labeled.group_numbers(), training, validation)
    return ReadyFit(network, studies, labels, trained_by, accelerator)


# what is read


def read_study(labeled: TrainingSamples, inputs: FitInputs, settings: dict, logger):
    """Choose the architecture, and read the labeled samples as the model reads them.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray, or None
        The encoder's weights.
    studies : Studies
    """
    known = merge_sequences(inputs.sequences)
    dna = sequences_of(labeled.samples.feature_ids, known)
    config, arrays = choose_model(inputs.encoder, settings, max(map(len, dna)), logger)
    studies = build_studies(
        [labeled.samples],
        known,
        config.max_sequence_length,
        config.max_asvs,
        [labeled.distances],
    )
    logger.log_asvs(studies)
    return config, arrays, studies


def with_covariates(studies, covariates, columns):
    """Add covariates to the samples of the only study."""
    encoded = encode_covariates(covariates, columns)
    study = dataclasses.replace(studies.studies[0], covariates=encoded)
    return dataclasses.replace(studies, studies=(study,))


# what is predicted


def without_far_values(labeled: TrainingSamples, name: str, settings: dict, logger):
    """Say which values lie far from the others, and keep robust losses from following them."""
    values = labeled.values
    refuse_negative_logarithms(values, settings["target_scaling"], name)
    learned, far, warning = clip_far_values(
        values, settings["target_scaling"], settings["target_loss"], name
    )
    if far:
        warn(warning)
        logger.log_count(f"samples with a '{name}' far from all others", len(far), far)
    return dataclasses.replace(labeled, values=learned)


def describe_number(
    name: str, labeled: TrainingSamples, training, vocabulary_size: int, covariates, settings: dict
):
    """Describe a numeric metadata column as a target; return it with every sample's number."""
    scaling = settings["target_scaling"]
    values = labeled.values.to_numpy()
    require_variation(values[training], name, "training samples")
    target = describe_target(
        name,
        values[training],
        scaling,
        vocabulary_size,
        covariates,
        features=settings["features"],
        bounded=settings["bound_predictions"],
        loss=settings["target_loss"],
        quantile_range=settings["quantile_range"],
    )
    scaled = to_scaled(target, values)
    refuse_far_values(labeled.values, scaled, name)
    return target, scaled


def describe_classes(
    name: str, labeled: TrainingSamples, training, vocabulary_size: int, covariates, settings: dict
):
    """Describe a categorical metadata column as a target; return it with every sample's class."""
    classes, targets = np.unique(labeled.values.to_numpy(dtype=str), return_inverse=True)
    counts = np.bincount(targets[training], minlength=len(classes))
    require_every_class(classes, counts, name)
    target = ClassificationTarget(
        name,
        vocabulary_size,
        covariates,
        features=settings["features"],
        classes=tuple(classes.tolist()),
        counts=tuple(counts.tolist()),
    )
    return target, targets


def require_every_class(classes: np.ndarray, counts: np.ndarray, name: str) -> None:
    """Refuse a split in which a class has no training sample."""
    lost = classes[counts == 0]
    if len(lost):
        raise AAMError(
            f"'{name}' has {counted(len(lost), 'class', 'classes')} without a training sample, as "
            f"all samples are of groups that validate: {examples(lost)}.\nChoose other 'groups', "
            "join classes with others, or blank their cells to leave these samples out."
        )


# what is told


def start_fitting_run(logger, settings: dict, frozen: bool):
    """Choose training parameters and hardware (see `start_run`)."""
    training = training_settings(settings) | {"target_weight": settings["target_weight"]}
    training["freeze_encoder"] = frozen
    if "class_weights" in settings:
        training["class_weights"] = settings["class_weights"]
    machine = (settings["device"], settings["precision"], settings["threads"])
    return start_run(logger, training, FITTING_DEFAULT, machine)


def tell_settings(logger, settings: dict, covariates: tuple, numeric: bool) -> None:
    """Record the settings of what is read and predicted."""
    names = ["missing_samples", "features", "n_estimators", "attention_head"]
    names += ["covariate_columns"] if covariates else []
    names += OF_NUMBERS if numeric else []
    for name in names:
        chosen_by = "default" if settings[name] == FITTING_DEFAULT[name] else "user"
        logger.log_param(name, settings[name], chosen_by)
