"""fit-regressor: learn to predict a number of each sample."""

from collections.abc import Callable

import biom
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import require_variation
from ..data.target_scaling import (
    describe_target,
    refuse_far_values,
    refuse_negative_logarithms,
    to_scaled,
)
from ..errors import AAMError
from ..parameters import FITTING_DEFAULT, REGRESSION_PARAMETERS, REGRESSION_SETTINGS
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat
from .fitting_run import fit_model
from .settings import with_settings


@with_settings(REGRESSION_SETTINGS, FITTING_DEFAULT)
def fit_regressor(
    table: biom.Table,
    metadata: qiime2.NumericMetadataColumn,
    sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None,
    distance_matrix: DistanceMatrixDirectoryFormat = None,
    groups: qiime2.MetadataColumn = None,
    covariates: qiime2.Metadata = None,
    **settings,
) -> (AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat):
    """Fit a regressor on every labelled sample of a table."""
    return fit_model(
        "fit-regressor",
        number_describer(metadata.name, settings),
        tuple(REGRESSION_PARAMETERS),
        settings,
        table=table,
        metadata=metadata,
        sequences=sequences,
        encoder=encoder,
        distance_matrix=distance_matrix,
        groups=groups,
        covariates=covariates,
    )


def number_describer(name: str, settings: dict) -> Callable:
    """Return what describes a numeric metadata column as a target (see `fit_model`).

    Raises
    ------
    AAMError
        If settings contradict each other.
    """
    loss, quantile_range = settings["target_loss"], settings["quantile_range"]
    if loss != "quantile" and quantile_range != FITTING_DEFAULT["quantile_range"]:
        raise AAMError(
            f"'quantile_range' belongs to the loss 'quantile', but 'target_loss' is '{loss}'. Set "
            "'target_loss' to 'quantile', or leave 'quantile_range' out."
        )
    scaling = settings["target_scaling"]

    def describe(labelled, split, known_asvs, described):
        refuse_negative_logarithms(labelled.values, scaling, name)
        values = labelled.values.to_numpy()
        trained = values[split.training]
        require_variation(trained, name, "training samples")
        target = describe_target(
            name,
            trained,
            scaling,
            known_asvs,
            described,
            covariate_fusion=settings["covariate_fusion"],
            bounded=settings["bound_predictions"],
            loss=loss,
            quantile_range=quantile_range,
        )
        scaled = to_scaled(target, values)
        refuse_far_values(labelled.values, scaled, name)
        return target, scaled

    return describe
