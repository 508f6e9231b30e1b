"""fit-classifier: learn to predict a class of each sample."""

from collections.abc import Callable

import biom
import numpy as np
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..config import ClassificationTarget
from ..errors import AAMError, counted, examples
from ..parameters import CLASSIFICATION_SETTINGS, FITTING_DEFAULT
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .fitting_run import fit_model
from .settings import with_settings


@with_settings(CLASSIFICATION_SETTINGS, FITTING_DEFAULT)
def fit_classifier(
    table: biom.Table,
    metadata: qiime2.CategoricalMetadataColumn,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    distance_matrix: DistanceMatrixDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    covariates: qiime2.Metadata = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a classifier on every labelled sample of a table."""
    return fit_model(
        "fit-classifier",
        class_describer(metadata.name, settings),
        (),
        settings,
        table=table,
        metadata=metadata,
        sequences=sequences,
        encoder=encoder,
        distance_matrix=distance_matrix,
        groups=groups,
        covariates=covariates,
    )


def class_describer(name: str, settings: dict) -> Callable:
    """Return what describes a categorical metadata column as a target (see `fit_model`)."""

    def describe(labelled, split, known_asvs, described):
        classes, targets = np.unique(labelled.values.to_numpy(dtype=str), return_inverse=True)
        counts = np.bincount(targets[split.training], minlength=len(classes))
        require_every_class(classes, counts, name)
        target = ClassificationTarget(
            name,
            known_asvs,
            described,
            covariate_fusion=settings["covariate_fusion"],
            classes=tuple(classes.tolist()),
            counts=tuple(counts.tolist()),
        )
        return target, targets

    return describe


def require_every_class(classes: np.ndarray, counts: np.ndarray, name: str) -> None:
    """Refuse a split in which a class has no training sample."""
    lost = classes[counts == 0]
    if len(lost):
        raise AAMError(
            f"'{name}' has {counted(len(lost), 'class', 'classes')} without a training sample, as "
            f"all samples are of groups that validate: {examples(lost)}.\nChoose other 'groups', "
            "join classes with others, or blank their cells to leave these samples out."
        )
