"""Usage examples; shown in --help and run as tests."""

from .evaluation import evaluate_classification
from .models import (
    evaluate_regression,
    fit_classifier,
    fit_regressor,
    predict_classification,
    predict_distances,
    predict_regression,
    pretrain,
    split_samples,
    summarize_training,
)

__all__ = [
    "evaluate_classification",
    "evaluate_regression",
    "fit_classifier",
    "fit_regressor",
    "predict_classification",
    "predict_distances",
    "predict_regression",
    "pretrain",
    "split_samples",
    "summarize_training",
]
