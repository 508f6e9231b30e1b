"""Parameters of what is read, held out and predicted."""

from qiime2.plugin import Choices, Float, Range, Str

from .parameter import Parameter, share

SAMPLE_PARAMETERS = {
    "missing_samples": Parameter(
        Str % Choices("error", "ignore"),
        "error",
        "What to do with samples of the table that the metadata, the covariates or the distance "
        "matrix lacks: 'error' stops and names them, 'ignore' leaves them out and counts them.",
    ),
    "test_size": share(0.2, "Share of the samples to hold out for testing."),
    "interval": Parameter(
        Float % Range(0.5, 0.99, inclusive_end=True),
        0.9,
        "Share of samples whose true value the prediction intervals are to hold.",
    ),
}
