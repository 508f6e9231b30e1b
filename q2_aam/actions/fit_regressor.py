"""fit-regressor: learn to predict a number of each sample."""

import dataclasses

import biom
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import (
    require_variation,
)
from ..data.known_asvs import know_prevalent_asvs
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..parameters import ARCHITECTURE, TRAINING
from ..parameters import FITTING_DEFAULT as DEFAULT
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .labelled_samples import read_distances, read_labelled, split_labels
from .named_sequences import merge_sequences
from .training_run import refuse_encoder_losses, require_validation, start_run, store_run


def fit_regressor(
    table: biom.Table,
    metadata: qiime2.NumericMetadataColumn,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    distance_matrix: DistanceMatrixDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    missing_samples: str = DEFAULT["missing_samples"],
    freeze_encoder: bool = DEFAULT["freeze_encoder"],
    target_scaling: str = DEFAULT["target_scaling"],
    validation_size: float = DEFAULT["validation_size"],
    epochs: int = DEFAULT["epochs"],
    patience: int = DEFAULT["patience"],
    settling: float = DEFAULT["settling"],
    batch_size: int | str = DEFAULT["batch_size"],
    gradient_accumulation: int = DEFAULT["gradient_accumulation"],
    learning_rate: float = DEFAULT["learning_rate"],
    optimiser: str = DEFAULT["optimiser"],
    schedule: str = DEFAULT["schedule"],
    warmup: float = DEFAULT["warmup"],
    minimum_rate: float = DEFAULT["minimum_rate"],
    restart_epochs: int = DEFAULT["restart_epochs"],
    restart_multiplier: float = DEFAULT["restart_multiplier"],
    plateau_factor: float = DEFAULT["plateau_factor"],
    plateau_patience: int = DEFAULT["plateau_patience"],
    gradient_clipping: float = DEFAULT["gradient_clipping"],
    weight_decay: float = DEFAULT["weight_decay"],
    dropout: float = DEFAULT["dropout"],
    unifrac_weight: float = DEFAULT["unifrac_weight"],
    nucleotide_weight: float = DEFAULT["nucleotide_weight"],
    abundance_weight: float = DEFAULT["abundance_weight"],
    hidden_size: int = DEFAULT["hidden_size"],
    heads: int = DEFAULT["heads"],
    asv_layers: int = DEFAULT["asv_layers"],
    sample_layers: int = DEFAULT["sample_layers"],
    nucleotides_per_token: int = DEFAULT["nucleotides_per_token"],
    branches: int = DEFAULT["branches"],
    max_asvs: int = DEFAULT["max_asvs"],
    max_sequence_length: int = DEFAULT["max_sequence_length"],
    distance_form: str = DEFAULT["distance_form"],
    rarefaction_depth: int = DEFAULT["rarefaction_depth"],
    random_seed: int = DEFAULT["random_seed"],
    device: str = DEFAULT["device"],
    precision: str = DEFAULT["precision"],
    threads: int = DEFAULT["threads"],
    compile: bool = DEFAULT["compile"],  # noqa: A002
    gradient_checkpointing: bool = DEFAULT["gradient_checkpointing"],
    attention: str = DEFAULT["attention"],
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a regressor on every labelled sample of a table."""
    given = dict(locals())
    from ..training import fitting, start
    from ..training.journal import Journal

    frozen = freeze_encoder and encoder is not None
    if frozen:
        refuse_encoder_losses(distance_matrix, nucleotide_weight)
    journal = Journal("fit-regressor", epochs)
    labelled = read_labelled(table, metadata, groups, missing_samples, journal)
    samples, distances = read_distances(labelled, distance_matrix, missing_samples, journal)
    require_validation(len(samples.sample_ids), validation_size)
    known = merge_sequences(sequences)
    longest = max(len(dna) for dna in sequences_of(samples.feature_ids, known))
    architecture = {name: given[name] for name in ARCHITECTURE}
    config, arrays = choose_model(encoder, architecture, longest, journal)
    studies = build_studies(
        [samples], known, config.max_sequence_length, config.max_asvs, [distances]
    )
    journal.read(studies)
    labels = split_labels(labelled, samples, validation_size, random_seed)
    trained = labels.values[labels.training]
    require_variation(trained, metadata.name, "training samples")
    studies, tokens = know_prevalent_asvs(studies, labels.training, config.max_sequence_length)
    target = fitting.describe_target(metadata.name, trained, target_scaling, len(tokens))
    config = dataclasses.replace(config, target=target)
    training = {name: given[name] for name in TRAINING} | {"freeze_encoder": frozen}
    settings, accelerator = start_run(journal, training, DEFAULT, (device, precision, threads))
    chosen_by = "default" if target_scaling == DEFAULT["target_scaling"] else "user"
    journal.chose("target_scaling", target_scaling, chosen_by)
    if arrays is None:
        network = start.new_network(config, studies, random_seed, accelerator.device)
    else:
        network = start.continued_network(config, arrays, random_seed, accelerator.device)
    fitting.remember_asvs(network, tokens)
    progress, reason = fitting.fit(network, studies, labels, settings, accelerator, journal)
    return store_run(network, journal.log(network, progress, reason))
