"""fit-regressor, fit-classifier: learn a number or a class of each sample."""

import dataclasses
from collections import namedtuple

import biom
import numpy as np
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from .. import parameters
from ..config.target import ClassificationTarget
from ..data import target_scaling
from ..data.alignment import require_variation
from ..data.covariates import describe_covariates, encode_covariates
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.vocabulary import know_prevalent_asvs
from ..errors import AAMError, counted, examples, warn
from ..parameters import FITTING_DEFAULT
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from . import training_run
from .inputs import TrainingSamples, merge_sequences, read_training_samples, refuse_other_genes
from .training_run import with_settings

FitInputs = namedtuple(  # of an action that fits
    "FitInputs", "table metadata sequences encoder distance_matrix groups covariates",
    defaults=[None] * 5,
)  # fmt: skip

_ALWAYS = ("device", "precision", "threads", "random_seed")
OF_DESCENT = (*(name for name in parameters.FITTING if name not in _ALWAYS), "target_weight")
# From so many samples on 'auto' trains the attention head beside a frozen encoder: it lowers the
# error of nearly all simulated targets there, and takes 20 times as long or more on a CPU
# (`benchmarks/attention.py`). Of real studies, 87 to 2,030 samples, it was dropped each time.
ATTENTION_FROM = 4000


def _fit_action(kind: str, column: type, names: tuple[str, ...]):
    """Make the action that fits a model of a kind to a column of metadata, with these settings."""

    def fit(
        table: biom.Table, metadata: column, sequences: pd.Series = None,
        encoder: AAMModelDirectoryFormat = None,
        distance_matrix: DistanceMatrixDirectoryFormat = None, groups: qiime2.MetadataColumn = None,
        covariates: qiime2.Metadata = None, **settings,
    ) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):  # fmt: skip
        from ..training.fit import fit as train
        from ..training.logger import TrainingLogger

        inputs = FitInputs(table, metadata, sequences, encoder, distance_matrix, groups, covariates)
        logger = TrainingLogger(f"fit-{kind}", settings["epochs"])
        network, task, *others = prepare_fit(logger, inputs, settings)
        fitted = train(network, task, *others, logger)
        log = logger.log_fit(network, task.studies.studies[0].sample_ids, fitted)
        return training_run.store_run(network, log, fitted.shown, logger.info)

    fit.__name__ = f"fit_{kind}"
    fit.__doc__ = f"Fit a {kind} on every labeled sample of a table."
    return with_settings(names, FITTING_DEFAULT)(fit)


fit_regressor = _fit_action(
    "regressor", qiime2.NumericMetadataColumn, parameters.REGRESSION_SETTINGS
)
fit_classifier = _fit_action(
    "classifier", qiime2.CategoricalMetadataColumn, parameters.CLASSIFICATION_SETTINGS
)


def prepare_fit(logger, inputs: FitInputs, settings: dict, validated: bool = True) -> tuple:
    """Check and read everything, and build the network to start from.

    `validated` says whether samples must be held out to validate on, where a head descends.
    Returns what `q2_aam.training.fit.fit` takes: network, task, config and accelerator.
    """
    from ..training.fit import class_balance, remember_asvs, with_heads
    from ..training.losses import Task, weights_of

    frozen = settings["freeze_encoder"] and not training_run.is_new(inputs.encoder, settings)
    refuse_contradictions(settings, frozen, inputs.distance_matrix)
    labeled = read_training_samples(
        inputs.table, inputs.metadata, inputs.groups, inputs.covariates,
        settings["covariate_columns"], inputs.distance_matrix, settings["missing_samples"],
    )  # fmt: skip
    logger.log_dropped(labeled.dropped)
    attends = attention_pays(len(labeled.values), frozen, settings["attention_head"], logger)
    fraction = settings["validation_size"] if attends else 0.0
    if attends:
        training_run.require_validation(len(labeled.values), fraction, optional=not validated)
    else:
        refuse_what_has_no_effect(settings)
    training, validation = labeled.split(fraction, settings["random_seed"])
    config, arrays, studies = read_study(labeled, inputs, settings, logger)
    of_clades = settings["features"] == "clades"
    if of_clades:
        refuse_unlearned_clades(config, inputs.distance_matrix is not None)
    known_by = training[:0] if of_clades else training  # samples that give the vocabulary
    studies, tokens = know_prevalent_asvs(studies, known_by, config.max_sequence_length)
    covariates = ()
    if labeled.covariates is not None:
        covariates = describe_covariates(labeled.covariates.iloc[training])
        encoded = encode_covariates(covariates, labeled.covariates)
        study = dataclasses.replace(studies.studies[0], covariates=encoded)
        studies = dataclasses.replace(studies, studies=(study,))
    numeric = isinstance(inputs.metadata, qiime2.NumericMetadataColumn)
    if numeric:
        labeled = without_far_values(labeled, settings, logger)
    describe = describe_number if numeric else describe_classes
    target, targets = describe(labeled, training, len(tokens), covariates, settings)
    target = with_heads(target, settings["n_estimators"], len(targets), attends)
    config = dataclasses.replace(config, target=target)
    network, trained_by, accelerator = training_run.start_network(
        logger, settings, FITTING_DEFAULT, config, arrays, studies, freeze_encoder=frozen,
        unused=() if attends else OF_DESCENT,
    )  # fmt: skip
    told = ["missing_samples", "features", "n_estimators", "attention_head"]
    told += ["covariate_columns"] if covariates else []
    told += parameters.OF_NUMBERS if numeric else ()
    training_run.log_settings(logger, settings, FITTING_DEFAULT, told)
    remember_asvs(network, tokens)
    weights = weights_of(trained_by, labeled.distances is not None, target=True)
    balance = class_balance(targets, training, trained_by.class_weights)
    groups = labeled.group_numbers()
    task = Task(studies, [training], [validation], targets, weights, "target_loss", groups, balance)
    return network, task, trained_by, accelerator


def attention_pays(samples: int, frozen: bool, choice: str, logger) -> bool:
    """Choose whether the attention head is trained; tell why, if nobody else chose."""
    attends = not frozen or choice == "on" or (choice == "auto" and samples >= ATTENTION_FROM)
    if frozen and choice == "auto":
        rule = f"'auto': on from {ATTENTION_FROM:,} samples, and there are {samples:,}"
        logger.info(f"attention head: {'on' if attends else 'off'} ({rule})")
    return attends


# --- settings that contradict each other, or have no effect ---------------------------------------


def refuse_contradictions(settings: dict, frozen: bool, distance_matrix) -> None:
    """Refuse settings that contradict each other or the inputs."""
    if frozen and distance_matrix is not None:
        raise AAMError(
            "'distance_matrix' would train the encoder, but 'freeze_encoder' keeps it as it is. "
            "Turn 'freeze_encoder' off (on the command line: --p-no-freeze-encoder), or leave the "
            "matrix out."
        )
    if not frozen and settings["attention_head"] == "off":
        raise AAMError(
            "'attention_head' is 'off', but the encoder is to be trained, and learns a target "
            "through it alone. Leave 'attention_head' out, or keep the encoder frozen: "
            "'freeze_encoder' on, and no 'distance_matrix'."
        )
    changed = {name for name, value in settings.items() if value != FITTING_DEFAULT[name]}
    if distance_matrix is None and "unifrac_weight" in changed:
        raise AAMError(
            "'unifrac_weight' was given without 'distance_matrix': there is no UniFrac to learn. "
            "Give the matrix, or leave 'unifrac_weight' out."
        )
    if distance_matrix is None and "target_weight" in changed:
        raise AAMError(
            "'target_weight' was given, but nothing else is learned beside the target. Give "
            "'distance_matrix', or leave it out."
        )
    loss = settings.get("target_loss", "quantile")
    if loss != "quantile" and "quantile_range" in changed:
        raise AAMError(
            f"'quantile_range' belongs to the loss 'quantile', but 'target_loss' is '{loss}'. Set "
            "'target_loss' to 'quantile', or leave 'quantile_range' out."
        )


def refuse_unlearned_clades(config, with_matrix: bool) -> None:
    """Refuse to read clades alone of an encoder that has learned none."""
    learns = with_matrix or config.distance_state != "untrained"
    if not learns or config.distance_form != "branches":
        raise AAMError(
            "'features' is 'clades', but the encoder has learned no clades. Take the bundled "
            "encoder, or one from 'pretrain' with the distance form 'branches', or leave "
            "'features' out."
        )


def refuse_what_has_no_effect(settings: dict) -> None:
    """Refuse settings of what descends, where nothing does."""
    given = [name for name in OF_DESCENT if settings[name] != FITTING_DEFAULT[name]]
    if given:
        raise AAMError(
            f"{counted(len(given), 'setting')} would have no effect: {examples(given)}.\nHeads are "
            "fitted in closed form, and nothing is trained by epochs. Leave them out, set "
            "'attention_head' to 'on', or turn 'freeze_encoder' off to train the encoder too."
        )
    if settings.get("target_loss") == "quantile" and not settings["n_estimators"]:
        raise AAMError(
            "'n_estimators' is 0, but the loss 'quantile' takes its range from trees or from the "
            "attention head. Leave 'n_estimators' out, or set 'attention_head' to 'on'."
        )


# --- what is read and predicted -------------------------------------------------------------------


def read_study(labeled: TrainingSamples, inputs: FitInputs, settings: dict, logger):
    """Choose the model to start from, and read the labeled samples as it reads them."""
    known = merge_sequences(inputs.sequences)
    dna = sequences_of(labeled.samples.feature_ids, known)
    config, arrays = training_run.choose_model(inputs.encoder, settings, max(map(len, dna)), logger)
    studies = build_studies(
        [labeled.samples], known, config.max_sequence_length, config.max_asvs, [labeled.distances]
    )
    logger.log_asvs(studies)
    if inputs.encoder is None and arrays is not None:
        refuse_other_genes(labeled.samples, studies.far, only_warn=True)
    return config, arrays, studies


def without_far_values(labeled: TrainingSamples, settings: dict, logger) -> TrainingSamples:
    """Say which values lie far from the others, and keep robust losses from following them."""
    values, name, scaling = labeled.values, labeled.values.name, settings["target_scaling"]
    target_scaling.refuse_negative_logarithms(values, scaling, name)
    learned, far, warning = target_scaling.clip_far_values(
        values, scaling, settings["target_loss"], name
    )
    if far:
        warn(warning)
        logger.log_count(f"samples with a '{name}' far from all others", len(far), far)
    return dataclasses.replace(labeled, values=learned)


def describe_number(labeled: TrainingSamples, training, vocabulary_size, covariates, settings):
    """Describe a numeric metadata column as a target; return it with every sample's number."""
    name, values = labeled.values.name, labeled.values.to_numpy()
    require_variation(values[training], name, "training samples")
    target = target_scaling.describe_target(
        name, values[training], settings["target_scaling"], vocabulary_size, covariates,
        features=settings["features"], bounded=settings["bound_predictions"],
        loss=settings["target_loss"], quantile_range=settings["quantile_range"],
    )  # fmt: skip
    scaled = target_scaling.to_scaled(target, values)
    target_scaling.refuse_far_values(labeled.values, scaled, name)
    return target, scaled.astype(np.float32)


def describe_classes(labeled: TrainingSamples, training, vocabulary_size, covariates, settings):
    """Describe a categorical metadata column as a target; return it with every sample's class."""
    name = labeled.values.name
    classes, targets = np.unique(labeled.values.to_numpy(dtype=str), return_inverse=True)
    counts = np.bincount(targets[training], minlength=len(classes))
    lost = classes[counts == 0]
    if len(lost):
        raise AAMError(
            f"'{name}' has {counted(len(lost), 'class', 'classes')} without a training sample, as "
            f"all samples are of groups that validate: {examples(lost)}.\nChoose other 'groups', "
            "join classes with others, or blank their cells to leave these samples out."
        )
    target = ClassificationTarget(
        name, vocabulary_size, covariates, features=settings["features"],
        classes=tuple(classes.tolist()), counts=tuple(counts.tolist()),
    )  # fmt: skip
    return target, targets
