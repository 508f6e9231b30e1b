"""pretrain: learn ASVs and their phylogeny without labels."""

import dataclasses
from typing import NamedTuple

import biom
import numpy as np
import pandas as pd
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat
from scipy.optimize import linear_sum_assignment

from ..data.alignment import require_enough, with_distances
from ..data.distances import read_distances
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import read_table
from ..errors import AAMError, counted
from ..parameters import (
    OF_KNOWN_ENCODER,
    OF_NEW_ENCODER,
    PRETRAINING_DEFAULT,
    PRETRAINING_SETTINGS,
)
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
    initial_encoder: AAMModelDirectoryFormat = None,  # q2cli has one name for inputs and outputs
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Pretrain an encoder on one or several studies."""
    from ..training.logger import TrainingLogger
    from ..training.pretrain import pretrain as train

    settings = complete_settings(settings, initial_encoder)
    logger = TrainingLogger("pretrain", settings["epochs"])
    ready = prepare_pretraining(
        logger, tables, distance_matrices, sequences, initial_encoder, settings
    )
    progress, shown = train(*ready, logger)
    log = logger.log(ready.network, progress)
    return store_run(ready.network, log, shown, logger.info)


def complete_settings(settings: dict, encoder) -> dict:
    """Choose epochs and learning rate, where the user has not, by what training starts from."""
    new = encoder is None and settings["pretrained"] == "none"
    chosen = OF_NEW_ENCODER if new else OF_KNOWN_ENCODER
    return settings | {name: x for name, x in chosen.items() if settings.get(name) is None}


class ReadyPretraining(NamedTuple):
    """Everything that pretraining starts from, in the order of its training function."""

    network: object
    studies: object
    config: object
    accelerator: object


def prepare_pretraining(
    logger, tables, distance_matrices, sequences, encoder, settings: dict
) -> ReadyPretraining:
    """Check and read everything, and build the network to start from."""
    from ..training import init

    seed = settings["random_seed"]
    samples, distances = read_pairs(tables, distance_matrices, settings["missing_samples"], logger)
    fewest = min(len(table.sample_ids) for table in samples)
    require_validation(fewest, settings["validation_size"], optional=True)
    known = merge_sequences(sequences)
    longest = max(len(dna) for table in samples for dna in sequences_of(table.feature_ids, known))
    config, arrays = choose_model(encoder, settings, longest, logger)
    unlearned = settings["unifrac_weight"] == 0 and config.distance_state == "trained"
    if arrays is not None and unlearned:
        config = dataclasses.replace(config, distance_state="stale")
    studies = build_studies(samples, known, config.max_sequence_length, config.max_asvs, distances)
    logger.log_asvs(studies)
    training = training_settings(settings)
    machine = (settings["device"], settings["precision"], settings["threads"])
    of_start = OF_NEW_ENCODER if arrays is None else OF_KNOWN_ENCODER
    trained_by, accelerator = start_run(logger, training, PRETRAINING_DEFAULT | of_start, machine)
    if arrays is None:
        network = init.new_network(config, studies, seed, accelerator.device)
    else:
        network = init.continued_network(config, arrays, seed, accelerator.device)
    return ReadyPretraining(network, studies, trained_by, accelerator)


def read_pairs(tables, matrices, missing_samples: str, logger):
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
            "for each table."
        )
    several = len(tables) > 1
    read = [
        read_table(table, f"the table{f' {number}' if several else ''}")
        for number, table in enumerate(tables, start=1)
    ]
    found = [read_distances(one.path / "distance-matrix.tsv") for one in matrices]
    samples, distances = [], []
    for number, place in enumerate(pair_by_ids(read, [ids for ids, _ in found])):
        of_table = f" of table {number + 1}" if several else ""
        name = f"the distance matrix{of_table}"
        aligned, of_samples, missing = with_distances(
            read[number], *found[place], name, missing_samples
        )
        logger.log_dropped({f"not in {name}": missing} if missing else {})
        require_enough(
            len(aligned.sample_ids), f"pretraining on table{f' {number + 1}' if several else ''}"
        )
        samples.append(aligned)
        distances.append(of_samples)
    return samples, distances


def pair_by_ids(samples: list, ids_of_matrices: list[list[str]]) -> list[int]:
    """Find the matrix of each table by their sample ids: the order of a list may get lost.

    Where ids leave it open, as in studies that name their samples alike, the order counts.

    Returns
    -------
    list of int
        For each table, the position of its matrix.
    """
    known = [set(ids) for ids in ids_of_matrices]
    shared = np.array(
        [[2.0 * len(ids.intersection(one.sample_ids)) for ids in known] for one in samples]
    )
    np.fill_diagonal(shared, shared.diagonal() + 1e-9)
    return linear_sum_assignment(shared, maximize=True)[1].tolist()
