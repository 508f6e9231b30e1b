"""feature-importance: what each feature does to a model's predictions."""

import biom
import numpy as np
import pandas as pd
import qiime2

from ..config import CLASSIFICATION, Target
from ..data.sequences import sequences_of
from ..data.table import SampleTable, read_table
from ..data.target_scaling import middle, to_units
from ..data.tokens import distinct_asvs
from ..errors import AAMError
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .named_sequences import merge_sequences
from .prediction import read_studies


def feature_importance(
    table: biom.Table,
    model: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    covariates: qiime2.Metadata = None,
    samples_per_feature: int = DEFAULT["samples_per_feature"],
) -> pd.DataFrame:
    """Take each feature out of samples that hold it, and see how predictions change."""
    from ..inference import load_network
    from ..occlusion import effects_of_asvs

    config, arrays = read_model(str(model))
    if config.target is None:
        raise AAMError(
            "The model has no target: it is an encoder, whose features are important for nothing "
            "yet. Give a model from fit-regressor or fit-classifier."
        )
    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, covariates)
    effects = effects_of_asvs(
        load_network(config, arrays),
        studies,
        lambda answers: explained(config.target, answers),
        samples_per_feature,
    )
    asvs, shares = shares_of_features(samples, sequences, config.max_sequence_length)
    raises, lowers = (part[asvs] * shares[:, None] for part in effects)
    return importance_table(samples.feature_ids, raises, lowers, config.target)


def explained(target: Target, answers: np.ndarray) -> np.ndarray:
    """Return what is explained of answers (R, O): predictions in units, or probabilities."""
    if target.kind == CLASSIFICATION:
        return answers
    return to_units(target, middle(answers))[:, None]


def shares_of_features(
    samples: SampleTable, sequences, max_sequence_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ASV of each feature, and the share of the ASV's reads that the feature holds.

    Returns
    -------
    asvs : ndarray of int64, (features,)
    shares : ndarray of float64, (features,)
        1, unless several features have the same DNA.
    """
    dna = sequences_of(samples.feature_ids, merge_sequences(sequences))
    _, asvs = distinct_asvs(dna, max_sequence_length)
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    return asvs, reads / np.bincount(asvs, reads)[asvs]


def importance_table(
    feature_ids: tuple[str, ...], raises: np.ndarray, lowers: np.ndarray, target: Target
) -> pd.DataFrame:
    """Put effects (features, outputs) into columns, the most important feature first.

    No column is below 0, as q2-sample-classifier's heatmap ranks features by the sum of a row.
    """
    moved = (raises + lowers).sum(axis=1)
    if target.kind == CLASSIFICATION:
        columns = {"importance": moved / 2}  # what one class gains the others lose
        for place, name in enumerate(target.classes):
            columns[f"raises {name}"] = raises[:, place]
            columns[f"lowers {name}"] = lowers[:, place]
    else:
        columns = {"importance": moved, "raises": raises[:, 0], "lowers": lowers[:, 0]}
    index = pd.Index(feature_ids, name="id")
    table = pd.DataFrame(columns, index).sort_index()
    return table.sort_values("importance", ascending=False, kind="stable")
