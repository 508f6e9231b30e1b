"""Parameters of the learning-rate range test."""

from qiime2.plugin import Float, Int, Range

from .parameter import Parameter

_RATE = Float % Range(1e-6, 1.0, inclusive_end=True)

LEARNING_RATE_PARAMETERS = {
    "lowest_rate": Parameter(
        _RATE,
        1e-5,
        "Learning rate of the first step. Lower it if the loss falls from the start of the curve.",
    ),
    "highest_rate": Parameter(
        _RATE,
        1.0,
        "Learning rate of the last step. Raise it if the loss still falls at the end of the curve; "
        "the test stops by itself where the loss explodes.",
    ),
    "steps": Parameter(
        Int % Range(20, 10000, inclusive_end=True),
        100,
        "Training steps between both rates. Raise it if the curve is noisy; time grows with it.",
    ),
}
