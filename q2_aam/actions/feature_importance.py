"""feature-importance: what each feature does to a model's predictions."""

import biom
import numpy as np
import pandas as pd
import qiime2
import scipy.sparse

from ..config import CLASSIFICATION, Target
from ..data.table import SampleTable, read_table
from ..data.target_scaling import middle, to_units
from ..errors import AAMError
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
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
    shares = shares_of_features(samples, studies.assignment)
    raises, lowers = (shares @ part for part in effects)
    return importance_table(samples.feature_ids, raises, lowers, config.target)


def explained(target: Target, answers: np.ndarray) -> np.ndarray:
    """Return what is explained of answers (R, O): predictions in units, or probabilities."""
    if target.kind == CLASSIFICATION:
        return answers
    return to_units(target, middle(answers))[:, None]


def shares_of_features(samples: SampleTable, assignment: scipy.sparse.csr_matrix):
    """Find which share of the reads of each ASV is of each feature.

    Parameters
    ----------
    samples : SampleTable
    assignment : csr_matrix, (features, asvs)
        Shares of the reads of each feature that each ASV gets.

    Returns
    -------
    csr_matrix of float64, (features, asvs)
        Columns sum to 1.
    """
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    shares = scipy.sparse.diags(reads) @ assignment
    total = np.asarray(shares.sum(axis=0)).ravel()
    return (shares @ scipy.sparse.diags(1 / np.maximum(total, 1e-300))).tocsr()


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
