"""Usage examples; shown in --help and run as tests."""

from .evaluation import evaluate_classification, evaluate_distances
from .models import (
    check_table,
    embed_samples,
    evaluate_regression,
    feature_importance,
    find_learning_rate,
    fit_classifier,
    fit_regressor,
    load_encoder,
    predict_classification,
    predict_distances,
    predict_regression,
    pretrain,
    pretrain_from_phylogeny,
    split_samples,
    summarize_training,
)
from .pipelines import classify_samples, regress_samples

__all__ = [
    "check_table",
    "classify_samples",
    "embed_samples",
    "evaluate_classification",
    "evaluate_distances",
    "evaluate_regression",
    "feature_importance",
    "find_learning_rate",
    "fit_classifier",
    "fit_regressor",
    "load_encoder",
    "predict_classification",
    "predict_distances",
    "predict_regression",
    "pretrain",
    "pretrain_from_phylogeny",
    "regress_samples",
    "split_samples",
    "summarize_training",
]
