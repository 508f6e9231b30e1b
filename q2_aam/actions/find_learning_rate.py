"""find-learning-rate: what the loss does while the learning rate rises, before any training."""

import biom
import pandas as pd
import qiime2
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from .. import parameters
from ..errors import AAMError
from ..parameters import FITTING_DEFAULT
from ..types import AAMModelDirectoryFormat
from .fit import FitInputs, prepare_fit
from .pretrain import prepare_pretraining
from .training_run import log_settings, with_settings

# nothing is kept, so that nothing need be validated, and only what learns by steps is built
_ALL_SAMPLES = {"validation_size": 0.0, "n_estimators": 0}


@with_settings(parameters.LEARNING_RATE_SETTINGS, FITTING_DEFAULT)
def find_learning_rate(
    output_dir: str, table: biom.Table, sequences: pd.Series = None,
    encoder: AAMModelDirectoryFormat = None, distance_matrix: DistanceMatrixDirectoryFormat = None,
    metadata: qiime2.MetadataColumn = None, **settings,
) -> None:  # fmt: skip
    """Run a learning-rate range test and write its page."""
    from ..report.learning_rate import write_learning_rate_page
    from ..training import lr_finder
    from ..training.fit import start_fit
    from ..training.logger import TrainingLogger

    rates = lr_finder.rising_rates(
        settings["lowest_rate"], settings["highest_rate"], settings["steps"]
    )
    if metadata is None and distance_matrix is None:
        raise AAMError(
            "There is nothing to learn: give 'metadata' to learn as fit-regressor and "
            "fit-classifier do, or 'distance_matrix' to learn as pretrain does."
        )
    logger = TrainingLogger("find-learning-rate", 1)
    if metadata is None:
        action, given = "pretrain", parameters.PRETRAINING_DEFAULT | parameters.OF_NEW_ENCODER
        given |= settings | _ALL_SAMPLES | {"freeze_encoder": False}
        network, task, config, accelerator = prepare_pretraining(
            logger, [table], [distance_matrix], sequences, encoder, given
        )
    else:
        numeric = isinstance(metadata, qiime2.NumericMetadataColumn)
        action = "fit-regressor" if numeric else "fit-classifier"
        inputs = FitInputs(table, metadata, sequences, encoder, distance_matrix)
        given = FITTING_DEFAULT | settings | _ALL_SAMPLES | {"attention_head": "on"}
        network, task, config, accelerator = prepare_fit(logger, inputs, given, validated=False)
        task, _ = start_fit(network, task, config)
    logger.log_count("samples used", sum(len(part) for part in task.training))
    logger.speak()
    found = lr_finder.find_rate(network, task, config, accelerator, logger, rates)
    curve = pd.DataFrame(
        {"learning_rate": found.rates, "loss": found.losses, "smoothed_loss": found.smoothed},
        index=pd.Index([f"step {step + 1}" for step in range(len(found.rates))], name="id"),
    )
    told = ("lowest_rate", "highest_rate", "steps", "missing_samples")
    log_settings(logger, settings, FITTING_DEFAULT, told)
    write_learning_rate_page(
        output_dir, curve, found.suggestion, found.diverged, action=action,
        target=None if metadata is None else metadata.name,
        settings=[one for one in logger.settings if one.name in settings], data=logger.data,
    )  # fmt: skip
