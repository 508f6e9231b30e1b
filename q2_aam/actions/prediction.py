"""What every predicting action does first: read the model, and the table as the model reads it."""

import dataclasses
import warnings

import numpy as np

from ..config import KNOWN_ASVS
from ..data.known_asvs import match_asvs
from ..data.study import build_studies
from ..data.table import read_table
from ..errors import counted
from .named_sequences import merge_sequences


def embed_table(table, sequences, config, arrays):
    """Embed every sample of a table.

    Returns
    -------
    network : Network
    sample_ids : tuple of str
    state : SampleState
        Of all samples, in the order of `sample_ids`.
    """
    from ..inference import all_states, load_network

    samples = read_table(table)
    studies = build_studies(
        [samples], merge_sequences(sequences), config.max_sequence_length, config.max_asvs
    )
    if studies.asvs.shortened:
        warnings.warn(
            f"{counted(studies.asvs.shortened, 'sequence')} of {len(samples.feature_ids):,} are "
            f"longer than the {config.max_sequence_length} nucleotides that the model reads; their "
            "ends were not read.",
            stacklevel=2,
        )
    if config.target is not None:
        known = match_asvs(studies.asvs, arrays[KNOWN_ASVS])
        studies = dataclasses.replace(studies, known=known)
    network = load_network(config, arrays)
    number = len(samples.sample_ids)
    return network, samples.sample_ids, all_states(network, studies, 0, np.arange(number))
