"""Registration of the pages that one looks at."""

from q2_sample_classifier import (
    ClassifierPredictions,
    Importance,
    Probabilities,
    RegressorPredictions,
)
from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence, Taxonomy
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.sample_data import SampleData
from qiime2.plugin import Categorical, MetadataColumn, Numeric

from .. import examples, types
from ..actions.evaluate_classification import evaluate_classification
from ..actions.evaluate_distances import evaluate_distances
from ..actions.evaluate_regression import evaluate_regression
from ..actions.summarize_training import summarize_training
from ..parameters import help_of, types_of

_LOG = "Of the model that predicted: how many samples it used and dropped."

_FEATURES = {
    "importance": FeatureData[Importance],
    "sequences": FeatureData[Sequence],
    "taxonomy": FeatureData[Taxonomy],
    "table": FeatureTable[Frequency],
}
_FEATURE_HELP = {
    "importance": (
        "Of the features, from feature-importance: the page then shows which ones the predictions "
        "rest on."
    ),
    "sequences": (
        "The DNA of the features of the importance, to be copied from the page. Not needed if "
        "feature ids are DNA."
    ),
    "taxonomy": "Names the features of the importance by their taxa.",
    "table": "The samples that were predicted: adds a heatmap of the features of the importance.",
}


def register(plugin, citations) -> None:
    """Register the visualizers."""
    _register_regression(plugin)
    _register_classification(plugin)
    _register_distances(plugin, citations)
    _register_summarize_training(plugin)


def _register_regression(plugin) -> None:
    plugin.visualizers.register_function(
        function=evaluate_regression,
        inputs={
            "predictions": SampleData[RegressorPredictions],
            "intervals": SampleData[types.PredictionIntervals],
            "baseline_predictions": SampleData[RegressorPredictions],
            "training_log": types.AAMTrainingLog,
            **_FEATURES,
        },
        parameters={
            "truth": MetadataColumn[Numeric],
            "groups": MetadataColumn[Categorical | Numeric],
            "color_by": MetadataColumn[Categorical | Numeric],
        },
        input_descriptions={
            "predictions": "Predictions of samples that the model was not fitted on.",
            "intervals": "Their prediction intervals.",
            "baseline_predictions": (
                "Another model's predictions of the same samples, to compare with."
            ),
            "training_log": _LOG,
            **_FEATURE_HELP,
        },
        parameter_descriptions={
            "truth": "The true values, in the same units.",
            "groups": "Samples that belong together: errors are shown by group.",
            "color_by": (
                "A column that colors the points and is shown when hovering over one, to see "
                "whether errors follow it: a batch, a site, a diet. Samples without a value are "
                "grey."
            ),
        },
        name="See how good predictions of a number are",
        description=(
            "Compare predictions with true values: charts, scores with bootstrap intervals, the "
            "worst predicted samples, a comparison with a baseline, and the features that matter."
        ),
        examples={"evaluate_regression": examples.evaluate_regression},
    )


def _register_classification(plugin) -> None:
    plugin.visualizers.register_function(
        function=evaluate_classification,
        inputs={
            "predictions": SampleData[ClassifierPredictions],
            "probabilities": SampleData[Probabilities],
            "baseline_predictions": SampleData[ClassifierPredictions],
            "baseline_probabilities": SampleData[Probabilities],
            "training_log": types.AAMTrainingLog,
            **_FEATURES,
            # how reads were recognized: columns same, overlapping, alike and embedding_only
            "recognition": SampleData[types.PredictionIntervals],
        },
        parameters={
            "truth": MetadataColumn[Categorical],
            "groups": MetadataColumn[Categorical | Numeric],
        },
        input_descriptions={
            "predictions": (
                "Predicted classes of samples that the model was not fitted on, from any "
                "classifier."
            ),
            "probabilities": (
                "The probabilities that came with them: they add ROC and precision-recall "
                "curves, calibration, and the mistakes that the model was surest of."
            ),
            "baseline_predictions": (
                "Another classifier's predictions of the same samples, to compare with, such as "
                "a random forest's."
            ),
            "baseline_probabilities": "The probabilities that came with the baseline predictions.",
            "training_log": _LOG,
            **_FEATURE_HELP,
            "recognition": (
                "How the reads of the samples were recognized, from the prediction: adds whether "
                "mistakes come from reads that the model does not know."
            ),
        },
        parameter_descriptions={
            "truth": (
                "The true classes. Samples with a blank cell are left out and "
                "counted. A column whose classes are numbers must be marked as categorical in "
                "the metadata file."
            ),
            "groups": (
                "Samples that belong together (subject, site, cage): the intervals of scores are "
                "then drawn by group, and are as wide as they should be."
            ),
        },
        name="See how good predictions of a class are",
        description=(
            "Compare predicted with true classes: confusion matrix, ROC and precision-recall "
            "curves, calibration, and accuracy, balanced accuracy, precision, recall, F1 and AUC "
            "with bootstrap intervals, beside a baseline and the most frequent class; and the "
            "features that matter."
        ),
        examples={"evaluate_classification": examples.evaluate_classification},
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


def _register_distances(plugin, citations) -> None:
    plugin.visualizers.register_function(
        function=evaluate_distances,
        inputs={"predicted": DistanceMatrix, "actual": DistanceMatrix},
        parameters={"color_by": MetadataColumn[Categorical | Numeric], **types_of("random_seed")},
        input_descriptions={
            "predicted": (
                "Distances from predict-distances, of samples that the model was not pretrained on."
            ),
            "actual": (
                "UniFrac computed with a tree. Only samples that both matrices have are compared; "
                "the others are counted."
            ),
        },
        parameter_descriptions={
            "color_by": (
                "A column that colors the samples, to see whether the ordinations tell the same "
                "groups apart. Samples without a value are grey."
            ),
            **help_of("random_seed"),
        },
        name="See how good predicted distances between samples are",
        description=(
            "Compare predicted with actual UniFrac: all pairs of samples, the error by distance, "
            "r, R\u00b2 and mean absolute error with bootstrap intervals, both ordinations side by "
            "side with a Procrustes test, and the samples whose distances are worst."
        ),
        citations=[citations["jackson1995protest"]],
        examples={"evaluate_distances": examples.evaluate_distances},
    )
