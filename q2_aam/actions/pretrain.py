"""pretrain: learn ASVs and their phylogeny without labels."""

import dataclasses

import biom
import pandas as pd
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import require_enough, with_distances
from ..data.distances import parse_distances
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import read_table
from ..errors import AAMError, counted
from ..parameters import ARCHITECTURE, TRAINING
from ..parameters import PRETRAINING_DEFAULT as DEFAULT
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .named_sequences import merge_sequences
from .training_run import require_validation, start_run, store_run


def pretrain(
    tables: biom.Table,
    distance_matrices: DistanceMatrixDirectoryFormat,
    sequences: pd.Series = None,
    initial_encoder: AAMModelDirectoryFormat = None,
    missing_samples: str = DEFAULT["missing_samples"],
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
    """Pretrain an encoder on one or several studies."""
    given = dict(locals())
    from ..training import pretraining, start
    from ..training.journal import Journal

    journal = Journal("pretrain", epochs)
    samples, distances = read_pairs(tables, distance_matrices, missing_samples, journal)
    require_validation(min(len(table.sample_ids) for table in samples), validation_size)
    known = merge_sequences(sequences)
    longest = max(len(dna) for table in samples for dna in sequences_of(table.feature_ids, known))
    architecture = {name: given[name] for name in ARCHITECTURE}
    config, arrays = choose_model(initial_encoder, architecture, longest, journal)
    if arrays is not None and unifrac_weight == 0 and config.distance_state == "trained":
        config = dataclasses.replace(config, distance_state="stale")
    studies = build_studies(samples, known, config.max_sequence_length, config.max_asvs, distances)
    journal.read(studies)
    training = {name: given[name] for name in TRAINING}
    settings, accelerator = start_run(journal, training, DEFAULT, (device, precision, threads))
    if arrays is None:
        network = start.new_network(config, studies, random_seed, accelerator.device)
    else:
        network = start.continued_network(config, arrays, random_seed, accelerator.device)
    progress, reason = pretraining.pretrain(network, studies, settings, accelerator, journal)
    return store_run(network, journal.log(network, progress, reason))


def read_pairs(tables, matrices, missing_samples: str, journal):
    """Read the tables and, for each, the distances of its samples.

    Returns
    -------
    samples : list of SampleTable
    distances : list of Distances

    Raises
    ------
    AAMError
        If there are not as many matrices as tables, or a pair does not fit.
    """
    if len(tables) != len(matrices):
        raise AAMError(
            f"There are {counted(len(tables), 'table')} but "
            f"{counted(len(matrices), 'distance matrix', 'distance matrices')}. Give one matrix "
            "for each table, in the same order."
        )
    samples, distances = [], []
    for number, (table, matrix) in enumerate(zip(tables, matrices, strict=True), start=1):
        study = f" {number}" if len(tables) > 1 else ""
        with (matrix.path / "distance-matrix.tsv").open(encoding="utf-8-sig") as lines:
            ids, values = parse_distances(lines)
        name = f"the distance matrix{study}"
        aligned, of_table, missing = with_distances(
            read_table(table, f"the table{study}"), ids, values, name, missing_samples
        )
        journal.dropped({f"not in {name}": missing} if missing else {})
        require_enough(len(aligned.sample_ids), f"pretraining on table{study}")
        samples.append(aligned)
        distances.append(of_table)
    return samples, distances
