"""What a model is and how it was trained: frozen settings, strict in JSON both ways."""

from .model import (
    DISTANCE_FORMS,
    DISTANCE_STATES,
    LIMITS,
    ModelConfig,
)
from .target import (
    CLASSIFICATION,
    FUSIONS,
    MOST_CLASSES,
    MOST_COVARIATES,
    MOST_LEVELS,
    MOST_RESIDUALS,
    REGRESSION,
    SCALINGS,
    TARGET_LOSSES,
    ClassificationTarget,
    Covariate,
    RegressionTarget,
    Target,
)
from .tensors import KNOWN_ASVS, RANDOM_FEATURES, VOCABULARY, dtype_of, expected_tensors
from .training import ATTENTIONS, AUTO, CLASS_WEIGHTS, OPTIMISERS, SCHEDULES, TrainingConfig
from .versions import FORMAT_VERSION

__all__ = [
    "ATTENTIONS",
    "AUTO",
    "CLASSIFICATION",
    "CLASS_WEIGHTS",
    "DISTANCE_FORMS",
    "DISTANCE_STATES",
    "FORMAT_VERSION",
    "FUSIONS",
    "KNOWN_ASVS",
    "LIMITS",
    "MOST_CLASSES",
    "MOST_COVARIATES",
    "MOST_LEVELS",
    "MOST_RESIDUALS",
    "OPTIMISERS",
    "RANDOM_FEATURES",
    "REGRESSION",
    "SCALINGS",
    "SCHEDULES",
    "TARGET_LOSSES",
    "VOCABULARY",
    "ClassificationTarget",
    "Covariate",
    "ModelConfig",
    "RegressionTarget",
    "Target",
    "TrainingConfig",
    "dtype_of",
    "expected_tensors",
]
