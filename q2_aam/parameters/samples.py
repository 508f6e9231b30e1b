"""Parameters of what is read, held out and predicted."""

from qiime2.plugin import Choices, Float, Int, Range, Str

from .parameter import Parameter, count, share

PRETRAINING_EPOCHS = 40

SAMPLE_PARAMETERS = {
    "folds": Parameter(
        Int % Range(0, 100, inclusive_end=True),
        0,
        "0 holds out one share, of the test size. A number k divides the samples into k parts "
        "and predicts each by a model fitted on the others, so that every sample is predicted "
        "once: better for few samples, and k times as slow. Whole groups stay together.",
    ),
    "pretraining_epochs": count(
        PRETRAINING_EPOCHS,
        "If a distance matrix is given: most passes over the samples in pretraining.",
    ),
    "missing_samples": Parameter(
        Str % Choices("error", "ignore"),
        "error",
        "What to do with samples of the table that the metadata, the covariates or the distance "
        "matrix lacks: 'error' stops and names them, 'ignore' leaves them out and counts them.",
    ),
    "test_size": share(0.2, "Share of the samples to hold out for testing."),
    "min_recognized": share(
        0.2,
        "Smallest share of a sample's reads, on average, that the model must recognize by their "
        "DNA; below it nothing is predicted. Lower it to predict a table that the model hardly "
        "recognizes.",
        1.0,
    ),
    "interval": Parameter(
        Float % Range(0.5, 0.99, inclusive_end=True),
        0.9,
        "Share of samples whose true value the prediction intervals are to hold.",
    ),
}
