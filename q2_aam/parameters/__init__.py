"""Every parameter once: type, default and help; actions pick from here."""

from .architecture import ARCHITECTURE_PARAMETERS
from .explanation import EXPLANATION_PARAMETERS
from .learning_rate import LEARNING_RATE_PARAMETERS
from .machine import MACHINE_PARAMETERS
from .parameter import Parameter
from .samples import PRETRAINING_EPOCHS, SAMPLE_PARAMETERS
from .target import CLASSIFICATION_PARAMETERS, FITTING_PARAMETERS, REGRESSION_PARAMETERS
from .training import TRAINING_PARAMETERS

PARAMETERS: dict[str, Parameter] = {
    **SAMPLE_PARAMETERS,
    **FITTING_PARAMETERS,
    **REGRESSION_PARAMETERS,
    **CLASSIFICATION_PARAMETERS,
    **LEARNING_RATE_PARAMETERS,
    **TRAINING_PARAMETERS,
    **ARCHITECTURE_PARAMETERS,
    **MACHINE_PARAMETERS,
    **EXPLANATION_PARAMETERS,
}

# in the order in which an action shows them
ARCHITECTURE = tuple(ARCHITECTURE_PARAMETERS)
TRAINING = tuple(TRAINING_PARAMETERS)
MACHINE = tuple(MACHINE_PARAMETERS)
_FITTING = ("missing_samples", *FITTING_PARAMETERS)
COMPARISON = ("folds", "test_size", "pretraining_epochs", "samples_per_feature")
PRETRAINING_SETTINGS = ("missing_samples", *TRAINING, *ARCHITECTURE, *MACHINE)
REGRESSION_SETTINGS = (*_FITTING, *REGRESSION_PARAMETERS, *TRAINING, *ARCHITECTURE, *MACHINE)
CLASSIFICATION_SETTINGS = (
    *_FITTING, *CLASSIFICATION_PARAMETERS, *TRAINING, *ARCHITECTURE, *MACHINE,
)  # fmt: skip
LEARNING_RATE_SETTINGS = (
    "missing_samples", "freeze_encoder", *LEARNING_RATE_PARAMETERS, "batch_size", "optimiser",
    "gradient_clipping", "weight_decay", "dropout", "unifrac_weight", "nucleotide_weight",
    "abundance_weight", "random_seed", *ARCHITECTURE, *MACHINE,
)  # fmt: skip

DEFAULT = {name: parameter.default for name, parameter in PARAMETERS.items()}
PRETRAINING_DEFAULT = DEFAULT | {"learning_rate": 3e-3, "epochs": PRETRAINING_EPOCHS}
FITTING_DEFAULT = DEFAULT | {
    "learning_rate": 3e-3,
    "epochs": 30,
    "validation_size": 0.2,
}


def types_of(*names: str) -> dict:
    """Return the QIIME 2 types of some parameters, for registration."""
    return {name: PARAMETERS[name].type for name in names}


def help_of(*names: str) -> dict[str, str]:
    """Return the help of some parameters, for registration."""
    return {name: PARAMETERS[name].help for name in names}
