"""What fit-regressor and fit-classifier share: from labelled samples to a fitted model."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

from ..data.covariates import describe_covariates, encode_covariates
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.vocabulary import know_prevalent_asvs
from ..errors import AAMError
from ..parameters import ARCHITECTURE, FITTING_DEFAULT, TRAINING
from .chosen_model import choose_model
from .inputs import TrainingSamples, merge_sequences, read_training_samples, split_training_samples
from .training_run import refuse_encoder_losses, require_validation, start_run, store_run


def fit_model(
    action: str,
    describe: Callable[..., tuple],
    of_target: tuple[str, ...],
    settings: dict,
    *,
    table,
    metadata,
    sequences,
    encoder,
    distance_matrix,
    groups,
    covariates,
):
    """Fit a model on every labelled sample of a table.

    Parameters
    ----------
    action : str
        Such as ``fit-regressor``.
    describe : callable
        From the labelled samples, their split, the number of ASVs known by identity and the
        covariates to the target's config and every sample's target.
    of_target : tuple of str
        Names of the settings of this kind of target, for the training log.
    settings : dict
        The action's parameters.
    table, metadata, sequences, encoder, distance_matrix, groups, covariates
        The action's inputs.

    Returns
    -------
    model : AAMModelDirectoryFormat
    training_log : AAMTrainingLogDirectoryFormat
    """
    from ..training import fitting
    from ..training.journal import Journal

    journal = Journal(action, settings["epochs"])
    ready = prepare_fit(
        journal, describe, of_target, settings,
        table=table, metadata=metadata, sequences=sequences, encoder=encoder,
        distance_matrix=distance_matrix, groups=groups, covariates=covariates,
    )  # fmt: skip
    progress, reason, shown = fitting.fit(*ready, journal)
    log = journal.log(ready.network, progress, reason)
    return store_run(ready.network, log, shown, journal.say)


class ReadyFit(NamedTuple):
    """Everything that fitting starts from, in the order of `q2_aam.training.fitting.fit`."""

    network: object
    studies: object
    labels: object
    config: object
    accelerator: object


def prepare_fit(
    journal,
    describe: Callable[..., tuple],
    of_target: tuple[str, ...],
    settings: dict,
    *,
    table,
    metadata,
    sequences,
    encoder,
    distance_matrix,
    groups=None,
    covariates=None,
    validated: bool = True,
) -> ReadyFit:
    """Check and read everything, and build the network to start from.

    Parameters
    ----------
    journal : Journal
    describe, of_target, settings
        See `fit_model`.
    table, metadata, sequences, encoder, distance_matrix, groups, covariates
        The action's inputs.
    validated : bool
        Whether some samples must be held out to validate on.
    """
    from ..training import fitting, start
    from ..training.clades import with_clades
    from ..training.trees import with_trees

    seed, share = settings["random_seed"], settings["validation_size"]
    frozen = settings["freeze_encoder"] and encoder is not None
    refuse_what_has_no_effect(settings, frozen, distance_matrix)
    labelled = read_training_samples(
        table, metadata, groups, covariates, settings["covariate_columns"], distance_matrix,
        settings["missing_samples"],
    )  # fmt: skip
    journal.dropped(labelled.dropped)
    require_validation(len(labelled.samples.sample_ids), share, optional=not validated)
    training, validation = split_training_samples(labelled, share, seed)
    split = SimpleNamespace(
        training=training, validation=validation, groups=labelled.group_numbers()
    )
    config, arrays, studies = read_study(labelled, sequences, encoder, settings, journal)
    studies, tokens = know_prevalent_asvs(studies, split.training, config.max_sequence_length)
    described = ()
    if labelled.covariates is not None:
        described = describe_covariates(labelled.covariates.iloc[split.training])
        studies = with_covariates(studies, described, labelled.covariates)
    target, targets = describe(labelled, split, len(tokens), described)
    refuse_trees_of_medians(target, settings["trees"])
    target = with_trees(with_clades(target), settings["trees"], len(targets))
    config = dataclasses.replace(config, target=target)
    training = {name: settings[name] for name in (*TRAINING, "target_weight")}
    if encoder is not None:
        training["freeze_encoder"] = frozen
    if "class_weights" in settings:
        training["class_weights"] = settings["class_weights"]
    machine = (settings["device"], settings["precision"], settings["threads"])
    trained_by, accelerator = start_run(journal, training, FITTING_DEFAULT, machine)
    for name in (*of_samples(described), *of_trees(target), *of_target):
        chosen_by = "default" if settings[name] == FITTING_DEFAULT[name] else "user"
        journal.chose(name, settings[name], chosen_by)
    if arrays is None:
        network = start.new_network(config, studies, seed, accelerator.device)
    else:
        network = start.continued_network(config, arrays, seed, accelerator.device)
    fitting.remember_asvs(network, tokens)
    labels = fitting.Labels(targets, split.groups, split.training, split.validation)
    return ReadyFit(network, studies, labels, trained_by, accelerator)


def read_study(labelled: TrainingSamples, sequences, encoder, settings: dict, journal):
    """Choose the architecture, and read the labelled samples as the model reads them.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray, or None
        The encoder's weights.
    studies : Studies
    """
    known = merge_sequences(sequences)
    dna = sequences_of(labelled.samples.feature_ids, known)
    architecture = {name: settings[name] for name in ARCHITECTURE}
    config, arrays = choose_model(encoder, architecture, max(map(len, dna)), journal)
    studies = build_studies(
        [labelled.samples],
        known,
        config.max_sequence_length,
        config.max_asvs,
        [labelled.distances],
    )
    journal.read(studies)
    return config, arrays, studies


def of_samples(covariates: tuple) -> tuple[str, ...]:
    """Name the settings in force of what is read of samples, for the training log."""
    return ("missing_samples", *(("covariate_columns", "covariate_fusion") if covariates else ()))


def of_trees(target) -> tuple[str, ...]:
    """Name the setting of the trees, for the training log, where there may be any."""
    return ("trees",) if target.outputs == target.ridge_outputs else ()


def refuse_trees_of_medians(target, trees: int) -> None:
    """Refuse trees where a range is learned."""
    if not of_trees(target) and trees not in (0, FITTING_DEFAULT["trees"]):
        raise AAMError(
            "'trees' was given with the loss 'quantile': trees give one number, not a range. "
            "Leave 'trees' out, or choose another 'target_loss'."
        )


def with_covariates(studies, covariates, columns):
    """Add covariates to the samples of the only study."""
    encoded = encode_covariates(covariates, columns)
    study = dataclasses.replace(studies.studies[0], covariates=encoded)
    return dataclasses.replace(studies, studies=(study,))


def refuse_what_has_no_effect(settings: dict, frozen: bool, distance_matrix) -> None:
    """Refuse settings that contradict each other."""
    if frozen:
        refuse_encoder_losses(distance_matrix, settings["nucleotide_weight"])
    if distance_matrix is None and settings["unifrac_weight"] != FITTING_DEFAULT["unifrac_weight"]:
        raise AAMError(
            "'unifrac_weight' was given without 'distance_matrix': there is no UniFrac to learn. "
            "Give the matrix, or leave 'unifrac_weight' out."
        )
    alone = distance_matrix is None and not (
        settings["nucleotide_weight"] or settings["abundance_weight"]
    )
    if alone and settings["target_weight"] != FITTING_DEFAULT["target_weight"]:
        raise AAMError(
            "'target_weight' was given, but nothing else is learned beside the target. Give "
            "'distance_matrix', 'nucleotide_weight' or 'abundance_weight', or leave it out."
        )
    fusion = settings["covariate_fusion"]
    if not settings["covariate_columns"] and fusion != FITTING_DEFAULT["covariate_fusion"]:
        raise AAMError(
            "'covariate_fusion' was given without 'covariates': there is nothing to join. Give "
            "'covariates' and 'covariate_columns', or leave 'covariate_fusion' out."
        )
