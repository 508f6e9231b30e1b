"""pretrain, pretrain-from-phylogeny, load-encoder: what has learned ASVs and their phylogeny."""

import dataclasses

import biom
import numpy as np
import pandas as pd
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat
from q2_types.tree import NewickFormat
from scipy.optimize import linear_sum_assignment

from .. import parameters
from ..config.model import expected_tensors
from ..data.alignment import require_enough, with_distances
from ..data.distances import Distances, read_distances
from ..data.phylogeny import choose_clades, find_tips, read_phylogeny, unweighted_unifrac
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import SampleTable, read_table
from ..data.tokens import tokenize_asvs
from ..errors import AAMError, counted
from ..storage.model import BUNDLED, read_boxed, write_model
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from . import training_run
from .inputs import merge_sequences
from .training_run import with_settings

READS, FEWEST_EPOCHS, MOST_EPOCHS = 1_000_000, 5, 60  # of learning a phylogeny
SMALLEST_CLADE = 2  # tips
HIDDEN_SIZE = 512  # of the branches, where the encoder has no hidden layer
MOST_SAMPLES = 500  # whose UniFrac is compared


def load_encoder(version: str = parameters.DEFAULT["version"]) -> AAMModelDirectoryFormat:
    """Write the bundled encoder as a model; provenance then names its version."""
    del version  # there is one
    print(f"encoder: {BUNDLED}")
    model = AAMModelDirectoryFormat()
    write_model(str(model), *read_boxed())
    return model


@with_settings(parameters.PRETRAINING_SETTINGS, parameters.PRETRAINING_DEFAULT)
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

    new = training_run.is_new(initial_encoder, settings)
    chosen = parameters.OF_NEW_ENCODER if new else parameters.OF_KNOWN_ENCODER
    settings |= {name: value for name, value in chosen.items() if settings[name] is None}
    logger = TrainingLogger("pretrain", settings["epochs"])
    network, *others = prepare_pretraining(
        logger, tables, distance_matrices, sequences, initial_encoder, settings
    )
    progress, shown = train(network, *others, logger)
    return training_run.store_run(network, logger.log(network, progress), shown, logger.info)


def prepare_pretraining(
    logger, tables, distance_matrices, sequences, encoder, settings: dict
) -> tuple:
    """Check and read everything: the network to start from, a task, config and accelerator."""
    from ..training.pretrain import pretraining_task

    samples, distances = read_pairs(tables, distance_matrices, settings["missing_samples"], logger)
    fewest = min(len(table.sample_ids) for table in samples)
    training_run.require_validation(fewest, settings["validation_size"], optional=True)
    known = merge_sequences(sequences)
    longest = max(len(dna) for table in samples for dna in sequences_of(table.feature_ids, known))
    config, arrays = training_run.choose_model(encoder, settings, longest, logger)
    unlearned = settings["unifrac_weight"] == 0 and config.distance_state == "trained"
    if arrays is not None and unlearned:
        config = dataclasses.replace(config, distance_state="stale")
    studies = build_studies(samples, known, config.max_sequence_length, config.max_asvs, distances)
    logger.log_asvs(studies)
    of_start = parameters.OF_NEW_ENCODER if arrays is None else parameters.OF_KNOWN_ENCODER
    network, trained_by, accelerator = training_run.start_network(
        logger, settings, parameters.PRETRAINING_DEFAULT | of_start, config, arrays, studies
    )
    return network, pretraining_task(studies, trained_by), trained_by, accelerator


def read_pairs(tables, matrices, missing_samples: str, logger):
    """Read the tables and, for each, the distances of its samples; refuse pairs that do not fit."""
    if len(tables) != len(matrices):
        raise AAMError(
            f"There are {counted(len(tables), 'table')} but "
            f"{counted(len(matrices), 'distance matrix', 'distance matrices')}. Give one matrix "
            "for each table."
        )
    several = len(tables) > 1
    names = [f"table {place + 1}" for place in range(len(tables))] if several else ["table"]
    read = [read_table(table, f"the {name}") for table, name in zip(tables, names, strict=True)]
    found = [read_distances(one.path / "distance-matrix.tsv") for one in matrices]
    samples, distances = [], []
    for table, name, place in zip(read, names, pair_by_ids(read, found), strict=True):
        matrix = f"the distance matrix{f' of {name}' if several else ''}"
        aligned, of_samples, missing = with_distances(table, *found[place], matrix, missing_samples)
        logger.log_dropped({f"not in {matrix}": missing} if missing else {})
        require_enough(len(aligned.sample_ids), f"pretraining on {name}")
        samples.append(aligned)
        distances.append(of_samples)
    return samples, distances


def pair_by_ids(samples: list[SampleTable], matrices: list) -> list[int]:
    """Find the place of each table's matrix by their sample ids: the order of a list may get lost.

    Where ids leave it open, as in studies that name their samples alike, the order counts.
    """
    known = [set(ids) for ids, _ in matrices]
    shared = np.array(
        [[2.0 * len(ids.intersection(one.sample_ids)) for ids in known] for one in samples]
    )
    np.fill_diagonal(shared, shared.diagonal() + 1e-9)
    return linear_sum_assignment(shared, maximize=True)[1].tolist()


@with_settings(parameters.PHYLOGENY_SETTINGS, parameters.PHYLOGENY_DEFAULT)
def pretrain_from_phylogeny(
    sequences: pd.Series, phylogeny: NewickFormat, table: biom.Table = None,
    initial_encoder: AAMModelDirectoryFormat = None, **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):  # fmt: skip
    """Pretrain an encoder on the clades of a phylogeny."""
    from ..training import phylogeny as teacher
    from ..training.logger import TrainingLogger

    known = merge_sequences(sequences)
    if known is None:
        raise AAMError("There are no sequences: nothing can be learned from.")
    tree = read_phylogeny(phylogeny.path.read_text(encoding="utf-8"))
    tips = find_tips(tree, list(known))
    if settings["epochs"] is None:
        settings["epochs"] = int(np.clip(READS // len(known), FEWEST_EPOCHS, MOST_EPOCHS))
    logger = TrainingLogger("pretrain-from-phylogeny", settings["epochs"])
    network, lesson, trained_by, accelerator = prepare_phylogeny(
        logger, known, tree, tips, table, initial_encoder, settings
    )
    progress, final = teacher.pretrain_from_phylogeny(
        network, lesson, trained_by, accelerator, logger
    )
    return training_run.store_run(network, logger.log(network, progress), final, logger.info)


def prepare_phylogeny(logger, known: dict, tree, tips, table, encoder, settings: dict) -> tuple:
    """Check and read everything: the network to start from, a lesson, config and accelerator."""
    from ..training.init import continued_network
    from ..training.phylogeny import Lesson

    dna, seed = sequences_of(known, known), settings["random_seed"]
    branches = settings.pop("branches")  # may differ from the encoder's
    config, arrays = training_run.choose_model(encoder, settings, max(map(len, dna)), logger)
    asvs, place = tokenize_asvs(dna, config.max_sequence_length)
    _, first = np.unique(place, return_index=True)  # equal reads of several tips are one ASV
    clades = choose_clades(
        tree, tips[first], np.ones(len(first), bool), branches or config.branches, SMALLEST_CLADE
    )
    if not len(clades.nodes):
        raise AAMError(
            f"The phylogeny has no clade that holds {SMALLEST_CLADE} of the "
            f"{counted(len(asvs), 'distinct sequence')}: there is nothing to learn."
        )
    config = dataclasses.replace(
        config, branches=len(clades.nodes), distance_form="branches", asv_tips=True,
        branch_hidden_size=config.branch_hidden_size or HIDDEN_SIZE, rarefaction_depth=None,
    )  # fmt: skip
    inner = counted(len(tree.parent) - len(tips), "inner branch", "inner branches")
    chosen_by = "user" if branches else "automatic"
    logger.log_param("branches", config.branches, chosen_by, f"the longest of {inner}")
    logger.log_count("distinct ASVs", len(asvs))
    if asvs.joined:
        logger.log_count("sequences that equal another one as far as they are read", asvs.joined)
    if asvs.shortened:
        logger.log_count("sequences cut at the length limit", asvs.shortened)
    samples, weights, names = None, None, list(known)
    if table is not None:
        table = read_table(table)
        samples = samples_of(table, known, tree, config, seed, logger)
        weights = weigh(table, dict(zip(names, place, strict=True)), len(asvs))
    defaults = parameters.PHYLOGENY_DEFAULT | {"epochs": settings["epochs"]}
    trained_by, accelerator = training_run.start_run(logger, settings, defaults)
    shapes = expected_tensors(config)
    kept = {
        name: array
        for name, array in (arrays or {}).items()
        if array.shape == shapes.get(name) and not name.startswith("branches.membership")
    }
    network = continued_network(config, kept, seed, accelerator.device)
    names, spread = [names[row] for row in first], arrays is None
    lesson = Lesson(asvs, names, clades, samples, weights, spread)
    return network, lesson, trained_by, accelerator


def samples_of(table: SampleTable, known, tree, config, seed: int, logger):
    """Draw samples and compute their UniFrac, which decides which epoch is kept."""
    if len(table.sample_ids) < 3:
        raise AAMError(
            f"The table has {counted(len(table.sample_ids), 'sample')}: it takes 3 to "
            "compare UniFrac. Leave the table out, or give more samples."
        )
    sequences_of(table.feature_ids, known)  # each of them has a sequence, and so a tip
    ids = np.array(table.sample_ids, dtype=object)
    if len(ids) > MOST_SAMPLES:
        ids = np.random.default_rng(seed).choice(ids, MOST_SAMPLES, replace=False)
    few = table.select(ids)
    matrix = unweighted_unifrac(tree, find_tips(tree, few.feature_ids), few.counts)
    distances = Distances(matrix, np.arange(len(ids)))
    logger.log_count("samples whose UniFrac is compared", len(ids))
    return build_studies([few], known, config.max_sequence_length, config.max_asvs, [distances])


def weigh(table: SampleTable, place: dict[str, int], asvs: int) -> np.ndarray:
    """Let ASVs count by the root of the number of samples that hold them, 1 on average."""
    prevalence = np.zeros(asvs)
    columns = [place[name] for name in table.feature_ids]
    np.add.at(prevalence, columns, np.asarray((table.counts > 0).sum(axis=0)).ravel())
    weights = np.sqrt(1 + prevalence)
    return (weights / weights.mean()).astype(np.float32)
