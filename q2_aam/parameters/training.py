"""Parameters of training, in the order in which they are shown."""

from qiime2.plugin import Bool, Choices, Float, Int, Range, Str

from ..config import ATTENTIONS, AUTO, OPTIMISERS, SCHEDULES, TrainingConfig
from .parameter import Parameter, count, share, weight

_TRAINING = TrainingConfig()

TRAINING_PARAMETERS = {
    "epochs": count(
        _TRAINING.epochs,
        "Most passes over the samples. More take longer and can learn more; training stops sooner "
        "when it no longer improves.",
    ),
    "patience": count(
        _TRAINING.patience,
        "Epochs without improvement on the validation samples after which training stops. Raise it "
        "if the curve wavers, lower it to save time.",
    ),
    "settling": share(
        _TRAINING.settling,
        "Share of 'epochs' at the start of which no epoch is kept. While the learning rate is "
        "high, an epoch can be best on few validation samples by luck: raise it for few samples.",
    ),
    "batch_size": Parameter(
        Int % Range(1, None) | Str % Choices(AUTO),
        _TRAINING.batch_size,
        "Samples in a training step. Larger batches need more memory and compare more pairs, but "
        "leave fewer steps. 'auto' aims at ten steps an epoch and halves the batch until it fits "
        "into memory.",
    ),
    "gradient_accumulation": count(
        _TRAINING.gradient_accumulation,
        "Pieces of 'batch_size' samples that make up one training step, all of whose pairs are "
        "compared. Raise it for large steps on little memory: activations are kept for one piece "
        "at a time, and computing the others again makes training about a third slower.",
    ),
    "learning_rate": Parameter(
        Float % Range(1e-6, 1.0, inclusive_end=True),
        _TRAINING.learning_rate,
        "Size of a training step. Lower it if the losses jump, raise it if they hardly fall.",
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
    "warmup": share(
        _TRAINING.warmup,
        "Share of the run in which the learning rate rises to its value. Raise "
        "it if the loss jumps at the start.",
        0.1,
    ),
    "minimum_rate": share(
        _TRAINING.minimum_rate,
        "Lowest learning rate, as a share of the highest. Raise it to go "
        "on learning to the end, lower it to settle.",
        1.0,
    ),
    "restart_epochs": count(
        _TRAINING.restart_epochs,
        "Epochs to the first restart of 'cosine-restarts'. Fewer restart more often.",
    ),
    "restart_multiplier": Parameter(
        Float % Range(1.0, 10.0, inclusive_end=True),
        _TRAINING.restart_multiplier,
        "By how much each period of 'cosine-restarts' is longer than the one before. At 1 all are "
        "alike.",
    ),
    "plateau_factor": share(
        _TRAINING.plateau_factor,
        "By what 'plateau' multiplies the learning rate. Lower values settle sooner.",
        1.0,
    ),
    "plateau_patience": count(
        _TRAINING.plateau_patience,
        "Epochs without improvement after which 'plateau' lowers the learning rate. Raise it if "
        "the curve wavers.",
    ),
    "gradient_clipping": Parameter(
        Float % Range(1e-6, 1e6, inclusive_end=True),
        _TRAINING.gradient_clipping,
        "Largest norm of a gradient; longer ones are shortened. Lower it if losses jump.",
    ),
    "weight_decay": weight(
        _TRAINING.weight_decay, "Pull of the weights towards zero. Raise it against memorising."
    ),
    "dropout": share(
        _TRAINING.dropout,
        "Share of activations that is silenced while training. It can help few samples, and hurts "
        "the learning of distances.",
    ),
    "unifrac_weight": weight(
        _TRAINING.unifrac_weight,
        "Weight of the loss on UniFrac, where a matrix is given. Raise "
        "it for better distances; 0 does without.",
    ),
    "nucleotide_weight": weight(
        _TRAINING.nucleotide_weight,
        "Weight of the loss on masked nucleotides of ASVs; 0 does without, which is faster.",
    ),
    "abundance_weight": weight(
        _TRAINING.abundance_weight,
        "Weight of the loss on hidden abundances of a sample; 0 does without, which is faster.",
    ),
    "validation_size": share(
        0.1,
        "Share of the samples that do not train the weights: they decide which epoch is kept and "
        "how wide prediction intervals are. Raise it if the validation curve is noisy.",
        0.5,
    ),
    "random_seed": Parameter(
        Int % Range(0, None), 0, "Decides everything random; the same seed gives the same result."
    ),
    "workers": Parameter(
        Int % Range(0, 64, inclusive_end=True),
        _TRAINING.workers,
        "Threads that prepare batches while the model computes; 0 prepares each batch when it is "
        "needed. Raise it if a GPU waits for data. Results are the same.",
    ),
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
}
