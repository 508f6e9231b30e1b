"""pretrain-from-phylogeny: learn which clades of a tree lie above a read."""

import dataclasses
from typing import NamedTuple

import biom
import numpy as np
import pandas as pd
from q2_types.tree import NewickFormat

from ..config import expected_tensors
from ..data.distances import Distances
from ..data.phylogeny import choose_clades, find_tips, read_phylogeny, unweighted_unifrac
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import SampleTable, read_table
from ..data.tokens import tokenize_asvs
from ..errors import AAMError, counted
from ..parameters import PHYLOGENY_DEFAULT, PHYLOGENY_SETTINGS
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .chosen_model import choose_model
from .inputs import merge_sequences
from .settings import with_settings
from .training_run import start_run, store_run, training_settings

READS, FEWEST_EPOCHS, MOST_EPOCHS = 1_000_000, 5, 60
SMALLEST_CLADE = 2  # tips
HIDDEN_SIZE = 512  # of the branches, where the encoder has no hidden layer
MOST_SAMPLES = 500  # whose UniFrac is compared


@with_settings(PHYLOGENY_SETTINGS, PHYLOGENY_DEFAULT)
def pretrain_from_phylogeny(
    sequences: pd.Series,
    phylogeny: NewickFormat,
    table: biom.Table = None,
    initial_encoder: AAMModelDirectoryFormat = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Pretrain an encoder on the clades of a phylogeny."""
    from ..training import phylogeny as teacher
    from ..training.logger import TrainingLogger

    known = merge_sequences(sequences)
    if known is None:
        raise AAMError("There are no sequences: nothing can be learned from.")
    tree = read_phylogeny(phylogeny.path.read_text(encoding="utf-8"))
    tips = find_tips(tree, list(known))
    if settings["epochs"] is None:
        reads = np.clip(READS // len(known), FEWEST_EPOCHS, MOST_EPOCHS)
        settings = settings | {"epochs": int(reads)}
    logger = TrainingLogger("pretrain-from-phylogeny", settings["epochs"])
    ready = prepare(logger, known, tree, tips, table, initial_encoder, settings)
    progress, final = teacher.pretrain_from_phylogeny(*ready[:6], logger, *ready[6:])
    log = logger.log(ready.network, progress)
    return store_run(ready.network, log, final, logger.info)


class Ready(NamedTuple):
    """Everything that is learned from, in the order of the training function."""

    network: object
    asvs: object
    names: list
    clades: object
    config: object
    accelerator: object
    samples: object
    weights: object
    spread: bool


def prepare(logger, known: dict, tree, tips, table, encoder, settings: dict) -> Ready:
    """Check and read everything, and build the network to start from."""
    from ..training import init

    dna = sequences_of(known, known)
    branches = settings.pop("branches")
    config, arrays = choose_model(encoder, settings, max(map(len, dna)), logger)
    asvs, place = tokenize_asvs(dna, config.max_sequence_length)
    _, first = np.unique(place, return_index=True)  # equal reads of several tips are one ASV
    names = list(known)
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
    why = (
        f"the longest of {counted(len(tree.parent) - len(tips), 'inner branch', 'inner branches')}"
    )
    logger.log_param("branches", config.branches, "user" if branches else "automatic", why)
    logger.log_count("distinct ASVs", len(asvs))
    if asvs.joined:
        logger.log_count("sequences that equal another one as far as they are read", asvs.joined)
    if asvs.shortened:
        logger.log_count("sequences cut at the length limit", asvs.shortened)
    samples, weights = None, None
    if table is not None:
        read = read_table(table)
        samples = samples_of(read, known, tree, config, settings["random_seed"], logger)
        weights = weigh(read, dict(zip(names, place, strict=True)), len(asvs))
    machine = (settings["device"], settings["precision"], settings["threads"])
    defaults = PHYLOGENY_DEFAULT | {"epochs": settings["epochs"]}
    trained_by, accelerator = start_run(logger, training_settings(settings), defaults, machine)
    shapes = expected_tensors(config)
    kept = {
        name: array
        for name, array in (arrays or {}).items()
        if array.shape == shapes.get(name) and not name.startswith("branches.membership")
    }
    network = init.continued_network(config, kept, settings["random_seed"], accelerator.device)
    first_names = [names[row] for row in first]
    return Ready(
        network, asvs, first_names, clades, trained_by, accelerator, samples, weights,
        arrays is None,
    )  # fmt: skip


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
