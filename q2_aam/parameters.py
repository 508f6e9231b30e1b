"""Every parameter once: type, default and help; actions pick from here."""

from typing import Any, NamedTuple

from qiime2.plugin import Bool, Choices, Float, Int, Range, Str

from .config import (
    ATTENTIONS,
    DISTANCE_FORMS,
    LIMITS,
    OPTIMISERS,
    SCALINGS,
    SCHEDULES,
    ModelConfig,
    TrainingConfig,
)


class Parameter(NamedTuple):
    """The QIIME 2 type of a parameter, its default and its help."""

    type: Any
    default: Any
    help: str


def _architecture(name: str, text: str) -> Parameter:
    low, high = LIMITS[name]
    effective = getattr(ModelConfig(), name)
    text = f"{text} Default: {effective}, or what the given encoder has."
    return Parameter(Int % Range(low, high, inclusive_end=True), None, text)


def _share(default: float, text: str, largest: float = 0.9) -> Parameter:
    return Parameter(Float % Range(0.0, largest, inclusive_end=True), default, text)


def _count(default: int, text: str) -> Parameter:
    return Parameter(Int % Range(1, None), default, text)


def _weight(default: float, text: str) -> Parameter:
    return Parameter(Float % Range(0.0, 100.0, inclusive_end=True), default, text)


_TRAINING = TrainingConfig()

PARAMETERS = {
    # what is used
    "missing_samples": Parameter(
        Str % Choices("error", "ignore"),
        "error",
        "What to do with samples of the table that the metadata or the distance matrix lacks: "
        "'error' stops and names them, 'ignore' leaves them out and counts them.",
    ),
    "validation_size": _share(
        0.1,
        "Share of the samples that do not train the weights: they decide which epoch is kept and "
        "how wide prediction intervals are. Raise it if the validation curve is noisy.",
        0.5,
    ),
    "test_size": _share(0.2, "Share of the samples to hold out for testing."),
    # the model
    "hidden_size": _architecture(
        "hidden_size",
        "Width of the embeddings, a multiple of 'heads'. Wider models learn more from many "
        "samples, and are slower.",
    ),
    "heads": _architecture("heads", "Attention heads; each reads an equal share of the width."),
    "asv_layers": _architecture(
        "asv_layers", "Transformer layers that read the DNA of an ASV. Time grows with them."
    ),
    "sample_layers": _architecture("sample_layers", "Layers that read the ASVs of a sample."),
    "nucleotides_per_token": _architecture(
        "nucleotides_per_token",
        "Consecutive nucleotides that are read as one token. 1 is the finest and the slowest.",
    ),
    "branches": _architecture(
        "branches", "Branches of a phylogeny that are learned from the distances."
    ),
    "max_asvs": _architecture(
        "max_asvs",
        "ASVs that are read of a sample; of richer samples the most abundant ones are kept.",
    ),
    "max_sequence_length": Parameter(
        Int % Range(*LIMITS["max_sequence_length"], inclusive_end=True),
        None,
        "Nucleotides that are read of an ASV; longer ones are cut at their end. Default: the "
        "longest sequence given (at most 512), or what the given encoder has.",
    ),
    "distance_form": Parameter(
        Str % Choices(*DISTANCE_FORMS),
        None,
        "How distances come from embeddings: 'branches' compares which learned branches two "
        "samples hold, as UniFrac does; 'euclidean' compares pooled embeddings. Default: "
        f"'{ModelConfig().distance_form}', or what the given encoder has.",
    ),
    "rarefaction_depth": Parameter(
        Int % Range(1, None),
        None,
        "Depth of the rarefaction that the distance matrices were computed on, if shallower than "
        "the tables given: rare ASVs then count by chance. Default: that of the tables.",
    ),
    # training
    "epochs": _count(
        _TRAINING.epochs,
        "Most passes over the samples. Training stops sooner when it no longer improves.",
    ),
    "patience": _count(
        _TRAINING.patience,
        "Epochs without improvement on the validation samples after which training stops.",
    ),
    "settling": _share(
        _TRAINING.settling,
        "Share of 'epochs' at the start of which no epoch is kept. While the learning rate is "
        "high, an epoch can be best on few validation samples by luck.",
    ),
    "batch_size": _count(
        _TRAINING.batch_size,
        "Samples in a training step. Larger batches need more memory and compare more pairs.",
    ),
    "learning_rate": Parameter(
        Float % Range(1e-6, 1.0, inclusive_end=True),
        _TRAINING.learning_rate,
        "Size of a training step. Lower it if the losses jump, raise it if they hardly fall.",
    ),
    "weight_decay": _weight(
        _TRAINING.weight_decay, "Pull of the weights towards zero. Raise it against memorising."
    ),
    "optimiser": Parameter(
        Str % Choices(*OPTIMISERS),
        _TRAINING.optimiser,
        "How weights follow gradients: 'adamw' suits transformers, 'adam' decays weights less "
        "evenly, 'sgd' needs a learning rate of its own, about 0.1.",
    ),
    "schedule": Parameter(
        Str % Choices(*SCHEDULES),
        _TRAINING.schedule,
        "The course of the learning rate after its warm-up: 'cosine' falls smoothly to the end of "
        "'epochs', 'cosine-restarts' falls and starts again, 'plateau' falls when validation "
        "stops improving, 'one-cycle' rises over a tenth of the run and falls, 'constant' stays.",
    ),
    "warmup": _share(
        _TRAINING.warmup, "Share of the run in which the learning rate rises to its value.", 0.1
    ),
    "minimum_rate": _share(
        _TRAINING.minimum_rate, "Lowest learning rate, as a share of the highest.", 1.0
    ),
    "restart_epochs": _count(
        _TRAINING.restart_epochs, "Epochs to the first restart of 'cosine-restarts'."
    ),
    "restart_multiplier": Parameter(
        Float % Range(1.0, 10.0, inclusive_end=True),
        _TRAINING.restart_multiplier,
        "By how much each period of 'cosine-restarts' is longer than the one before.",
    ),
    "plateau_factor": _share(
        _TRAINING.plateau_factor, "By what 'plateau' multiplies the learning rate.", 1.0
    ),
    "plateau_patience": _count(
        _TRAINING.plateau_patience,
        "Epochs without improvement after which 'plateau' lowers the learning rate.",
    ),
    "gradient_clipping": Parameter(
        Float % Range(1e-6, 1e6, inclusive_end=True),
        _TRAINING.gradient_clipping,
        "Largest norm of a gradient; longer ones are shortened. Lower it if losses jump.",
    ),
    "dropout": _share(
        _TRAINING.dropout,
        "Share of activations that is silenced while training. It can help few samples, and hurts "
        "the learning of distances.",
    ),
    "freeze_encoder": Parameter(
        Bool,
        True,
        "If an encoder is given: keep what it learned of ASVs, and train the rest only. This is "
        "several times faster, mostly as accurate, and keeps its distances valid.",
    ),
    "unifrac_weight": _weight(
        _TRAINING.unifrac_weight, "Weight of the loss on UniFrac, where a matrix is given."
    ),
    "nucleotide_weight": _weight(
        _TRAINING.nucleotide_weight,
        "Weight of the loss on masked nucleotides of ASVs; 0 does without, which is faster.",
    ),
    "abundance_weight": _weight(
        _TRAINING.abundance_weight,
        "Weight of the loss on hidden abundances of a sample; 0 does without, which is faster.",
    ),
    "target_scaling": Parameter(
        Str % Choices(*SCALINGS),
        "min-max",
        "How the target is scaled, from the training samples only: 'min-max' to 0 to 1, 'z-score' "
        "to mean 0 and deviation 1, 'none' not at all. Predictions are in the original units.",
    ),
    "random_seed": Parameter(
        Int % Range(0, None), 0, "Decides everything random; the same seed gives the same result."
    ),
    # the machine
    "compile": Parameter(
        Bool,
        False,
        "Compile the encoder before training: faster on GPUs for long runs, minutes slower to "
        "start. Where it is not supported, training says so and goes on without.",
    ),
    "gradient_checkpointing": Parameter(
        Bool,
        False,
        "Keep less of each transformer layer in memory and compute it again: about a third slower, "
        "with much less memory.",
    ),
    "attention": Parameter(
        Str % Choices(*ATTENTIONS),
        _TRAINING.attention,
        "Kernel of the attention: 'sdpa' lets PyTorch choose; 'flash' and 'mem_efficient' are "
        "preferred where the device has them, 'math' is the plain computation.",
    ),
    "device": Parameter(
        Str % Choices("auto", "cpu", "gpu"),
        "auto",
        "'auto' uses a GPU if there is one, 'cpu' never does, 'gpu' stops if there is none.",
    ),
    "precision": Parameter(
        Str % Choices("auto", "fp32", "bf16", "fp16"),
        "auto",
        "'auto' is 'bf16' on a GPU that has it, else 'fp32'. 'bf16' and 'fp16' are faster on GPUs.",
    ),
    "threads": Parameter(
        Int % Range(0, None),
        0,
        "CPU threads; 0 lets PyTorch choose. Results are equal for an equal number of threads.",
    ),
    # prediction
    "interval": Parameter(
        Float % Range(0.5, 0.99, inclusive_end=True),
        0.9,
        "Share of samples whose true value the prediction intervals are to hold.",
    ),
}

ARCHITECTURE = (
    "hidden_size",
    "heads",
    "asv_layers",
    "sample_layers",
    "nucleotides_per_token",
    "branches",
    "max_asvs",
    "max_sequence_length",
    "distance_form",
    "rarefaction_depth",
)
TRAINING = (
    "epochs",
    "patience",
    "settling",
    "batch_size",
    "learning_rate",
    "optimiser",
    "schedule",
    "warmup",
    "minimum_rate",
    "restart_epochs",
    "restart_multiplier",
    "plateau_factor",
    "plateau_patience",
    "gradient_clipping",
    "weight_decay",
    "dropout",
    "unifrac_weight",
    "nucleotide_weight",
    "abundance_weight",
    "validation_size",
    "random_seed",
    "compile",
    "gradient_checkpointing",
    "attention",
)
MACHINE = ("device", "precision", "threads")

DEFAULT = {name: parameter.default for name, parameter in PARAMETERS.items()}
PRETRAINING_DEFAULT = DEFAULT | {"learning_rate": 3e-3, "epochs": 40}
FITTING_DEFAULT = DEFAULT | {
    "learning_rate": 3e-3,
    "epochs": 30,
    "settling": 0.5,
    "validation_size": 0.2,
}


def types_of(*names: str) -> dict:
    """Return the QIIME 2 types of some parameters, for registration."""
    return {name: PARAMETERS[name].type for name in names}


def help_of(*names: str) -> dict[str, str]:
    """Return the help of some parameters, for registration."""
    return {name: PARAMETERS[name].help for name in names}
