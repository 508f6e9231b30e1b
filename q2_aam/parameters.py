"""Every parameter once: type, default and one help sentence; actions pick from here by name."""

from typing import Any, NamedTuple

from qiime2.plugin import Bool, Choices, Float, Int, List, Range, Str

from .config import model, target, training

try:  # the framework's own type of threads, where it has one
    from qiime2.plugin import Threads
except ImportError:
    Threads = Int % Range(0, None)

_MODEL, _TARGET = model.ModelConfig(), target.RegressionTarget("", 1)
_TRAINING = training.TrainingConfig()


class Parameter(NamedTuple):
    """The QIIME 2 type of a parameter, its default and its help."""

    type: Any
    default: Any
    help: str


def _int(low: int, high: int | None):
    return Int % Range(low, high, inclusive_end=high is not None)


def _float(low: float, high: float):
    return Float % Range(low, high, inclusive_end=True)


def _one_of(*choices: str):
    return Str % Choices(*choices)


# Of each parameter: its type, default and help. Sizes of the model are None for "as the encoder".
_SAMPLES = {
    "folds": (_int(0, 100), 0,
        "Parts of a cross-validation: each is predicted by a model fitted on the others, so that "
        "every sample is predicted once. 5 suits small studies; 0 holds out one share instead."),
    "test_size": (_float(0.0, 0.9), 0.2, "Share of the samples that is held out and predicted."),
    "missing_samples": (_one_of("error", "ignore"), "error",
        "What to do with samples of the table that another input lacks: 'error' stops and names "
        "them, 'ignore' leaves them out and counts them."),
    "confidence_level": (_float(0.5, 0.99), 0.9,
        "Share of samples whose true value the prediction intervals are to hold."),
    "min_recognized": (_float(0.0, 1.0), 0.3,
        "Smallest share of a sample's reads, on average, that the model must recognize by their "
        "DNA; below it nothing is predicted. Below 0.3, errors in tests came near to those of a "
        "constant guess."),
}  # fmt: skip
_FITTING = {
    "covariate_columns": (List[Str], None,
        "Columns of 'covariates' that are read beside the microbes, such as sex or sequencing "
        "run. Blank cells count as missing. Default: none."),
    "pretrained": (_one_of("bundled", "none"), "bundled",
        "Where the encoder comes from if none is given: 'bundled' is the one that ships with "
        "q2-aam and knows the bacterial tree, 'none' starts a new one, which needs far more "
        "samples."),
    "features": (_one_of(*target.FEATURES), target.FEATURES[0],
        "What is read of a sample: 'auto' is its ASVs and the clades of the encoder, best within "
        "one study; 'asvs' only its ASVs; 'clades' only the clades, for a model that travels to "
        "other studies and holds no DNA of this one."),
    "attention_head": (_one_of("auto", "on", "off"), "auto",
        "Whether a transformer over the ASVs of a sample is trained, too, which takes minutes. It "
        "finds what ASVs and clades do together, if there are many samples, and is dropped where "
        "it does not help. 'on' trains it, 'off' does not, 'auto' does from 4,000 samples on, "
        "and where the encoder is trained, too."),
    "freeze_encoder": (Bool, True,
        "Keep what the encoder has learned of ASVs. Turning this off trains it further, which "
        "is slow."),
    "n_estimators": (_int(0, target.MOST_TREES), 150,
        "Trees of the forest head. More hardly predict better; 0 leaves the forest out."),
    "target_weight": (_float(0.001, 100.0), 1.0,
        "Weight of the loss on the target beside the other losses. Lower it to let the "
        "distances count more."),
}  # fmt: skip
_REGRESSION = {
    "target_scaling": (_one_of(*target.SCALINGS), _TARGET.scaling,
        "How the target is scaled while it is learned: 'min-max' to 0 to 1, 'z-score' to mean 0 "
        "and deviation 1; 'log-min-max' and 'log-z-score' do so with log(1 + value), for values "
        "of 0 or more that span powers of ten; 'none' does not scale. Predictions are in the "
        "original units."),
    "target_loss": (_one_of(*target.TARGET_LOSSES), _TARGET.loss,
        "What is made small: 'huber' and 'mae' are robust to outliers, 'mse' fits the mean, "
        "'quantile' fits a range too, which is wider for samples that are harder to predict."),
    "quantile_range": (_float(0.1, 0.99), _TARGET.quantile_range,
        "Share of true values that the range of the loss 'quantile' is to hold."),
    "bound_predictions": (Bool, _TARGET.bounded,
        "Keep predictions and intervals within the range of the training samples. Turn it on "
        "for values that have bounds, such as an age, which is never below 0, or a share."),
}  # fmt: skip
_CLASSIFICATION = {
    "class_weights": (_one_of(*training.CLASS_WEIGHTS), training.CLASS_WEIGHTS[0],
        "'balanced' lets every class count alike: rare classes are found more often, common "
        "ones missed more often. 'none' lets every sample count alike."),
}  # fmt: skip
_LEARNING_RATE = {
    "lowest_rate": (_float(1e-6, 1.0), 1e-5, "Learning rate of the first step."),
    "highest_rate": (_float(1e-6, 1.0), 1.0,
        "Learning rate of the last step; the test stops by itself where the loss explodes."),
    "steps": (_int(20, 10000), 100,
        "Training steps between both rates. Raise it if the curve is noisy."),
}  # fmt: skip
_OPTIMIZATION = {
    "epochs": (_int(1, None), _TRAINING.epochs,
        "Largest number of passes over the samples; training stops sooner when it stalls."),
    "patience": (_int(1, None), _TRAINING.patience,
        "Epochs without improvement on the validation samples after which training stops."),
    "min_epochs": (_int(0, None), None,
        "Number of first epochs that are never kept: on few validation samples an early one looks "
        "best by luck. Default: half of 'epochs'."),
    "validation_size": (_float(0.0, 0.5), 0.1,
        "Share of the samples that do not train the weights, and decide which epoch is kept."),
    "batch_size": (Int % Range(1, None) | Str % Choices(training.AUTO), _TRAINING.batch_size,
        "Samples in a training step. 'auto' halves it until it fits into memory."),
    "gradient_accumulation": (_int(1, None), _TRAINING.gradient_accumulation,
        "Batches that make up one step, all of whose pairs are compared. Raise it for large "
        "steps on little memory."),
    "learning_rate": (_float(1e-6, 1.0), _TRAINING.learning_rate,
        "Size of a training step. Lower it if the losses jump."),
    "optimizer": (_one_of(*training.OPTIMIZERS), _TRAINING.optimizer,
        "How weights follow gradients: 'adamw' suits transformers, 'adam' decays weights less "
        "evenly, 'sgd' needs a learning rate of about 0.1."),
    "schedule": (_one_of(*training.SCHEDULES), _TRAINING.schedule,
        "The course of the learning rate: 'cosine' falls smoothly, 'cosine-restarts' falls and "
        "starts again, 'plateau' falls when validation stalls, 'one-cycle' rises and falls, "
        "'constant' stays."),
    "warmup": (_float(0.0, 0.1), _TRAINING.warmup,
        "Share of the run in which the learning rate rises to its value."),
    "min_lr": (_float(0.0, 1.0), _TRAINING.min_lr,
        "Lowest learning rate, as a share of the highest one."),
    "gradient_clipping": (_float(1e-6, 1e6), _TRAINING.gradient_clipping,
        "Largest norm of a gradient; longer ones are shortened."),
    "weight_decay": (_float(0.0, 100.0), _TRAINING.weight_decay,
        "Pull of the weights towards zero; at least 1 for the attention head's perceptron, by "
        "'adamw'."),
    "dropout": (_float(0.0, 0.9), _TRAINING.dropout,
        "Share of activations that is silenced while training. It hurts the learning of "
        "distances."),
    "unifrac_weight": (_float(0.0, 100.0), _TRAINING.unifrac_weight,
        "Weight of the loss on UniFrac; 0 does without."),
}  # fmt: skip
_SCHEDULING = {
    "restart_epochs": (_int(1, None), _TRAINING.restart_epochs,
        "Epochs to the first restart of 'cosine-restarts'."),
    "restart_multiplier": (_float(1.0, 10.0), _TRAINING.restart_multiplier,
        "By how much each period of 'cosine-restarts' is longer than the one before."),
    "plateau_factor": (_float(0.0, 1.0), _TRAINING.plateau_factor,
        "By what 'plateau' multiplies the learning rate."),
    "plateau_patience": (_int(1, None), _TRAINING.plateau_patience,
        "Epochs without improvement after which 'plateau' lowers the learning rate."),
}  # fmt: skip
_MASKED = {
    "nucleotide_weight": (_float(0.0, 100.0), _TRAINING.nucleotide_weight,
        "Weight of the loss on masked nucleotides; 0 does without."),
    "abundance_weight": (_float(0.0, 100.0), _TRAINING.abundance_weight,
        "Weight of the loss on hidden abundances; 0 does without."),
}  # fmt: skip
_MACHINE = {
    "device": (_one_of("auto", "cpu", "gpu"), "auto",
        "'auto' uses a GPU if there is one, 'cpu' never does, 'gpu' stops if there is none."),
    "precision": (_one_of("auto", "fp32", "bf16", "fp16"), "auto",
        "Numbers of the network: 'auto' is 'bf16' on a GPU that has it, else 'fp32'; 'fp16' "
        "suits older GPUs."),
    "threads": (Threads, 0,
        "CPU threads; 0 lets PyTorch choose. Results are equal for an equal number of threads."),
    "workers": (_int(0, 64), _TRAINING.workers,
        "Threads that prepare batches while the model computes. Results are the same."),
    "compile": (Bool, False,
        "Compile the encoder first: faster on GPUs for long runs, slower to start."),
    "gradient_checkpointing": (Bool, False,
        "Keep less in memory and compute it again: about a third slower."),
    "attention": (_one_of(*training.ATTENTIONS), _TRAINING.attention,
        "Kernel of the attention: 'sdpa' lets PyTorch choose; 'flash', 'mem_efficient' and "
        "'math' name one."),
    "random_seed": (_int(0, None), 0,
        "Decides everything random; the same seed gives the same result."),
}  # fmt: skip
_SIZES = {
    "hidden_size": "Width of the embeddings, a multiple of 'heads'.",
    "heads": "Attention heads.",
    "asv_layers": "Transformer layers that read the DNA of an ASV.",
    "sample_layers": "Transformer layers that read the ASVs of a sample.",
    "nucleotides_per_token": "Consecutive nucleotides that are read as one token.",
    "branches": "Branches of a phylogeny that are learned.",
    "max_asvs": "ASVs that are read of a sample: the most abundant ones.",
}
_ARCHITECTURE = {
    name: (_int(*model.LIMITS[name]), None,
        f"{text} Default: {getattr(_MODEL, name):,}, or that of the encoder.")
    for name, text in _SIZES.items()
} | {
    "max_sequence_length": (_int(*model.LIMITS["max_sequence_length"]), None,
        "Nucleotides that are read of an ASV; longer ones are cut at their end. Default: the "
        "longest sequence given, at most 512, or that of the encoder."),
    "distance_form": (_one_of(*model.DISTANCE_FORMS), None,
        "How distances come from embeddings: 'branches' compares which branches two samples hold, "
        "as UniFrac does; 'euclidean' compares pooled embeddings. Default: "
        f"'{_MODEL.distance_form}', or that of the encoder."),
    "rarefaction_depth": (_int(1, None), None,
        "Depth that the distance matrices were rarefied to, if the tables given are deeper: "
        "rare ASVs then count by chance. Default: that of the tables."),
}  # fmt: skip
_EXPLANATION = {
    "content": (_one_of("branches", "presence", "pooled"), "branches",
        "What the numbers of a sample are: 'branches' is the log abundance of each branch of "
        "the phylogeny, 'presence' the probability that the sample holds it, 'pooled' what the "
        "sample transformer reads."),
    "dimensions": (_int(0, None), 0,
        "Principal components to give; 0 gives every number, so that tables embedded apart can "
        "be compared."),
    "samples_per_feature": (_int(1, None), 30,
        "Samples that each feature is taken out of, spread over its abundances. Time grows with "
        "it."),
}  # fmt: skip
_BUNDLED = {
    "version": (_one_of("1"), "1", "Version of the bundled encoder: '1' knows Greengenes 13_8."),
}  # fmt: skip

_TABLES = (
    _SAMPLES, _FITTING, _REGRESSION, _CLASSIFICATION, _LEARNING_RATE, _OPTIMIZATION, _SCHEDULING,
    _MASKED, _MACHINE, _ARCHITECTURE, _EXPLANATION, _BUNDLED,
)  # fmt: skip
PARAMETERS = {name: Parameter(*entry) for table in _TABLES for name, entry in table.items()}

# In the order in which an action shows them.
ARCHITECTURE = tuple(_ARCHITECTURE)
FITTING = (*_OPTIMIZATION, *_MACHINE)  # what a fit takes of training
PRETRAINING_SETTINGS = (
    "missing_samples", "pretrained", *_OPTIMIZATION, *_SCHEDULING, *_MASKED, *_MACHINE,
    *_ARCHITECTURE,
)  # fmt: skip
PHYLOGENY_SETTINGS = (
    "pretrained", *(name for name in _OPTIMIZATION if name != "unifrac_weight"), *_SCHEDULING,
    *_MACHINE,
    *(name for name in _ARCHITECTURE if name not in ("distance_form", "rarefaction_depth")),
)  # fmt: skip
OF_NUMBERS = tuple(_REGRESSION)
LEARNING_RATE_SETTINGS = (
    "missing_samples", "pretrained", "freeze_encoder", *_LEARNING_RATE, "batch_size", "optimizer",
    "gradient_clipping", "weight_decay", "dropout", "unifrac_weight", *_MACHINE, "max_asvs",
)  # fmt: skip
REGRESSION_SETTINGS = ("missing_samples", *_FITTING, *_REGRESSION, *FITTING, "max_asvs")
CLASSIFICATION_SETTINGS = ("missing_samples", *_FITTING, *_CLASSIFICATION, *FITTING, "max_asvs")
_PIPELINE = ("folds", "test_size", "covariate_columns", "missing_samples")
_LATER = ("pretrained", "features", "attention_head", "device", "random_seed")
REGRESSION_PIPELINE = (*_PIPELINE, "bound_predictions", "confidence_level", *_LATER)
CLASSIFICATION_PIPELINE = (*_PIPELINE, "class_weights", *_LATER)

DEFAULT = {name: parameter.default for name, parameter in PARAMETERS.items()}
PRETRAINING_DEFAULT = DEFAULT | {"learning_rate": None, "epochs": None}
# What stands for None. Three epochs at 3e-4 were best on unseen children; on soils one at 1e-3
# lost much (benchmarks/boxed_encoder.py --pretrain).
OF_NEW_ENCODER = {"learning_rate": 3e-3, "epochs": 40}
OF_KNOWN_ENCODER = {"learning_rate": 3e-4, "epochs": 3}
PHYLOGENY_DEFAULT = DEFAULT | {
    "learning_rate": 3e-3, "epochs": None, "validation_size": 0.0, "batch_size": 64,
}  # fmt: skip
FITTING_DEFAULT = DEFAULT | {"learning_rate": 3e-3, "epochs": 30, "validation_size": 0.2}


def described(*names: str) -> dict[str, tuple[Any, str]]:
    """Return the QIIME 2 types of some parameters and their help, for registration."""
    return {name: (PARAMETERS[name].type, PARAMETERS[name].help) for name in names}
