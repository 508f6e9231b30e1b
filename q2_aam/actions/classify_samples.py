"""classify-samples: fit, predict what was held out, compare with a forest, and report."""

from ..parameters import CLASSIFICATION_SETTINGS, COMPARISON, FITTING_DEFAULT
from .held_out_comparison import CLASSIFICATION, compare
from .settings import with_settings


@with_settings((*COMPARISON, *CLASSIFICATION_SETTINGS), FITTING_DEFAULT)
def classify_samples(
    ctx,
    table,
    metadata,
    sequences=None,
    encoder=None,
    distance_matrix=None,
    taxonomy=None,
    groups=None,
    covariates=None,
    **settings,
):
    """Predict held-out samples by a model and by a random forest, and fit a model on them all."""
    inputs = {
        "table": table,
        "metadata": metadata,
        "sequences": sequences,
        "encoder": encoder,
        "distance_matrix": distance_matrix,
        "groups": groups,
        "covariates": covariates,
    }
    found = compare(ctx, CLASSIFICATION, inputs, settings)
    (evaluation,) = ctx.get_action("aam", "evaluate_classification")(
        predictions=found.predictions,
        probabilities=found.details,
        baseline_predictions=found.baseline[0],
        baseline_probabilities=found.baseline[1],
        truth=metadata,
        groups=groups,
        training_log=found.evaluated_log,
        importance=found.importance,
        sequences=sequences,
        taxonomy=taxonomy,
    )
    return (
        found.model,
        found.training_log,
        found.predictions,
        found.details,
        *found.baseline,
        found.importance,
        evaluation,
    )
