"""fit-regressor: learn to predict a number of each sample."""

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
    loss, quantile_range = settings["target_loss"], settings["quantile_range"]
    if loss != "quantile" and quantile_range != FITTING_DEFAULT["quantile_range"]:
        raise AAMError(
            f"'quantile_range' belongs to the loss 'quantile', but 'target_loss' is '{loss}'. Set "
            "'target_loss' to 'quantile', or leave 'quantile_range' out."
        )
    scaling = settings["target_scaling"]

    def describe(labelled, split, known_asvs, described):
        refuse_negative_logarithms(labelled.values, scaling, metadata.name)
        values = labelled.values.to_numpy()
        trained = values[split.training]
        require_variation(trained, metadata.name, "training samples")
        target = describe_target(
            metadata.name,
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
        refuse_far_values(labelled.values, scaled, metadata.name)
        return target, scaled

    of_target = {name: settings[name] for name in REGRESSION_PARAMETERS}
    return fit_model(
        "fit-regressor",
        describe,
        of_target,
        settings,
        table=table,
        metadata=metadata,
        sequences=sequences,
        encoder=encoder,
        distance_matrix=distance_matrix,
        groups=groups,
        covariates=covariates,
    )
