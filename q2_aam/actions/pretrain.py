"""pretrain: learn ASVs and their phylogeny without labels."""

import dataclasses
from typing import NamedTuple

import biom
import pandas as pd
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import require_enough, with_distances
from ..data.distances import parse_distances
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import read_table
from ..errors import AAMError, counted
from ..parameters import PRETRAINING_DEFAULT, PRETRAINING_SETTINGS
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .inputs import merge_sequences
from .settings import with_settings
from .training_run import require_validation, start_run, store_run, training_settings


@with_settings(PRETRAINING_SETTINGS, PRETRAINING_DEFAULT)
def pretrain(
    tables: biom.Table,
    distance_matrices: DistanceMatrixDirectoryFormat,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Pretrain an encoder on one or several studies."""
    from ..training import pretraining
    from ..training.journal import Journal

    journal = Journal("pretrain", settings["epochs"])
    ready = prepare_pretraining(journal, tables, distance_matrices, sequences, encoder, settings)
    progress, reason, shown = pretraining.pretrain(*ready, journal)
    log = journal.log(ready.network, progress, reason)
    return store_run(ready.network, log, shown, journal.say)


class ReadyPretraining(NamedTuple):
    """Everything that pretraining starts from, in the order of its training function."""

    network: object
    studies: object
    config: object
    accelerator: object


def prepare_pretraining(
    journal, tables, distance_matrices, sequences, encoder, settings: dict
) -> ReadyPretraining:
    """Check and read everything, and build the network to start from."""
    from ..training import start

    seed = settings["random_seed"]
    samples, distances = read_pairs(tables, distance_matrices, settings["missing_samples"], journal)
    fewest = min(len(table.sample_ids) for table in samples)
    require_validation(fewest, settings["validation_size"], optional=True)
    known = merge_sequences(sequences)
    longest = max(len(dna) for table in samples for dna in sequences_of(table.feature_ids, known))
    config, arrays = choose_model(encoder, settings, longest, journal)
    unlearned = settings["unifrac_weight"] == 0 and config.distance_state == "trained"
    if arrays is not None and unlearned:
        config = dataclasses.replace(config, distance_state="stale")
    studies = build_studies(samples, known, config.max_sequence_length, config.max_asvs, distances)
    journal.read(studies)
    training = training_settings(settings)
    machine = (settings["device"], settings["precision"], settings["threads"])
    trained_by, accelerator = start_run(journal, training, PRETRAINING_DEFAULT, machine)
    if arrays is None:
        network = start.new_network(config, studies, seed, accelerator.device)
    else:
        network = start.continued_network(config, arrays, seed, accelerator.device)
    return ReadyPretraining(network, studies, trained_by, accelerator)


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
