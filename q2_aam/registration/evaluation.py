"""Registration of the pages that one looks at."""

from q2_sample_classifier import RegressorPredictions
from q2_types.sample_data import SampleData
from qiime2.plugin import Categorical, MetadataColumn, Numeric

from .. import examples, types
from ..actions.evaluate_regression import evaluate_regression
from ..actions.summarize_training import summarize_training


def register(plugin, citations) -> None:
    """Register the visualizers."""
    del citations
    _register_evaluate_regression(plugin)
    _register_summarize_training(plugin)


def _register_evaluate_regression(plugin) -> None:
    plugin.visualizers.register_function(
        function=evaluate_regression,
        inputs={
            "predictions": SampleData[RegressorPredictions],
            "intervals": SampleData[types.PredictionIntervals],
            "baseline_predictions": SampleData[RegressorPredictions],
            "training_log": types.AAMTrainingLog,
        },
        parameters={
            "truth": MetadataColumn[Numeric],
            "groups": MetadataColumn[Categorical | Numeric],
        },
        input_descriptions={
            "predictions": "Predictions of samples that the model was not fitted on.",
            "intervals": "Their prediction intervals.",
            "baseline_predictions": (
                "Another model's predictions of the same samples, to compare with."
            ),
            "training_log": "Of the model that predicted: how many samples it used and dropped.",
        },
        parameter_descriptions={
            "truth": "The true values, in the same units.",
            "groups": "Samples that belong together: errors are shown by group.",
        },
        name="See how good predictions of a number are",
        description=(
            "Compare predictions with true values: charts, scores with bootstrap intervals, the "
            "worst "
            "predicted samples, and a comparison with a baseline."
        ),
        examples={"evaluate_regression": examples.evaluate_regression},
    )


def _register_summarize_training(plugin) -> None:
    plugin.visualizers.register_function(
        function=summarize_training,
        inputs={"training_log": types.AAMTrainingLog},
        parameters={},
        input_descriptions={"training_log": "From pretrain, fit-regressor or fit-classifier."},
        parameter_descriptions={},
        name="See how a model was trained",
        description=(
            "Losses by epoch, the epoch kept, every setting, and the samples used and dropped."
        ),
        examples={"summarize_training": examples.summarize_training},
    )
