"""fit-regressor: learn to predict a number of each sample."""

import dataclasses

import biom
import numpy as np
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import (
    group_labels,
    numeric_labels,
    require_enough,
    require_variation,
    with_distances,
)
from ..data.distances import parse_distances
from ..data.sequences import sequences_of
from ..data.splits import hold_out
from ..data.study import build_studies
from ..data.table import SampleTable, read_table
from ..errors import AAMError
from ..parameters import FITTING_DEFAULT as DEFAULT
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .named_sequences import merge_sequences
from .training_run import require_validation, start_run, store_run


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
    batch_size: int = DEFAULT["batch_size"],
    learning_rate: float = DEFAULT["learning_rate"],
    dropout: float = DEFAULT["dropout"],
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
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a regressor on every labelled sample of a table."""
    from ..training import fitting, start
    from ..training.journal import Journal

    if freeze_encoder and encoder is None:
        raise AAMError("'freeze_encoder' needs an 'encoder': there is nothing learned to keep.")
    journal = Journal("fit-regressor", epochs)
    labelled = read_labelled(table, metadata, groups, missing_samples, journal)
    samples, distances = read_distances(labelled, distance_matrix, missing_samples, journal)
    values = labelled.values[list(samples.sample_ids)].to_numpy()
    require_validation(len(values), validation_size)
    known = merge_sequences(sequences)
    longest = max(len(dna) for dna in sequences_of(samples.feature_ids, known))
    architecture = {
        "hidden_size": hidden_size,
        "heads": heads,
        "asv_layers": asv_layers,
        "sample_layers": sample_layers,
        "nucleotides_per_token": nucleotides_per_token,
        "branches": branches,
        "max_asvs": max_asvs,
        "max_sequence_length": max_sequence_length,
        "distance_form": distance_form,
        "rarefaction_depth": rarefaction_depth,
    }
    config, arrays = choose_model(encoder, architecture, longest, journal)
    studies = build_studies(
        [samples], known, config.max_sequence_length, config.max_asvs, [distances]
    )
    journal.read(studies)
    split = split_positions(samples, validation_size, random_seed, labelled.groups)
    require_variation(values[split[0]], metadata.name, "training samples")
    target = fitting.scale_target(metadata.name, values[split[0]], target_scaling)
    config = dataclasses.replace(config, target=target)
    training = {
        "epochs": epochs,
        "patience": patience,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "dropout": dropout,
        "validation_size": validation_size,
        "freeze_encoder": freeze_encoder,
        "random_seed": random_seed,
    }
    settings, accelerator = start_run(journal, training, DEFAULT, (device, precision, threads))
    journal.chose(
        "target_scaling", target_scaling,
        "default" if target_scaling == DEFAULT["target_scaling"] else "user",
    )  # fmt: skip
    if arrays is None:
        network = start.new_network(config, studies, random_seed, accelerator.device)
    else:
        network = start.continued_network(config, arrays, random_seed, accelerator.device)
    progress, reason = fitting.fit(network, studies, values, split, settings, accelerator, journal)
    return store_run(network, journal.log(network, progress, reason))


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Samples that have a value of the target and, if groups are given, a group."""

    samples: SampleTable
    values: pd.Series
    groups: dict[str, str] | None


def read_labelled(table, metadata, groups, missing_samples: str, journal) -> Labelled:
    """Keep the samples of a table that can be learned from, and say why the others cannot."""
    samples = read_table(table)
    labels = numeric_labels(samples, metadata.to_series(), missing_samples)
    journal.dropped(labels.dropped)
    if groups is None:
        return Labelled(samples.select(labels.values.index), labels.values, None)
    grouped = group_labels(samples.select(labels.values.index), groups.to_series(), missing_samples)
    journal.dropped(grouped.dropped)
    journal.found(f"groups in '{groups.name}'", grouped.values.nunique())
    require_enough(len(grouped.values), f"learning '{metadata.name}'")
    kept = samples.select(grouped.values.index)
    return Labelled(kept, labels.values, grouped.values.to_dict())


def read_distances(labelled: Labelled, matrix, missing_samples: str, journal):
    """Find the labelled samples' distances, if a matrix is given."""
    if matrix is None:
        return labelled.samples, None
    with (matrix.path / "distance-matrix.tsv").open(encoding="utf-8-sig") as lines:
        ids, values = parse_distances(lines)
    name = "the distance matrix"
    samples, distances, missing = with_distances(
        labelled.samples, ids, values, name, missing_samples
    )
    journal.dropped({f"not in {name}": missing} if missing else {})
    require_enough(len(samples.sample_ids), "fitting")
    return samples, distances


def split_positions(
    samples: SampleTable, share: float, seed: int, groups: dict[str, str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training and of the validation samples."""
    position = {name: index for index, name in enumerate(samples.sample_ids)}
    parts = hold_out(samples.sample_ids, share, seed, groups)
    training, validation = (
        np.array([position[name] for name in part], dtype=np.int64) for part in parts
    )
    return training, validation
