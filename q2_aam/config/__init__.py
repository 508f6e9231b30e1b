"""What a model is and how it was trained: frozen settings, strict in JSON both ways."""

# isort: off
from .model import (
    DISTANCE_FORMS, DISTANCE_STATES, FORMAT_VERSION, KNOWN_ASVS, LIMITS, VOCABULARY, ModelConfig,
    dtype_of, expected_tensors, largest_positions, present_tensor_name,
)  # fmt: skip
from .target import (
    CLASSIFICATION, FEATURES, FUSIONS, HEADS, MOST_CLASSES, MOST_COVARIATES, MOST_LEAVES,
    MOST_LEVELS, MOST_RESIDUALS, MOST_TREES, REGRESSION, SCALINGS, TARGET_LOSSES,
    ClassificationTarget, Covariate, RegressionTarget, Target,
)  # fmt: skip
from .training import (
    ATTENTIONS, AUTO, CLASS_WEIGHTS, OPTIMIZERS, SCHEDULES, TrainingConfig, refuse_without_effect,
)  # fmt: skip
