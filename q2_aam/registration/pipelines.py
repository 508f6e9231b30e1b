"""Registration of the common case in one command, and of what it is made of."""

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
from qiime2.plugin import (
    Categorical,
    List,
    Metadata,
    MetadataColumn,
    Numeric,
    TypeMatch,
    Visualization,
)

from .. import examples, types
from ..actions.cross_validate import classify_samples, regress_samples
from ..actions.merge_predictions import merge_prediction_tables, merge_predictions
from ..parameters import (
    CLASSIFICATION_SETTINGS,
    COMPARISON,
    REGRESSION_SETTINGS,
    help_of,
    types_of,
)
from .words import COVARIATES, ENCODER, GROUPS, SEQUENCES, TABLE, TRAINING_LOG

_DISTANCES = (
    "Unweighted UniFrac between the samples of the table. If given, an encoder is first pretrained "
    "on all samples of the table, without looking at any label."
)
_DESCRIPTION = (
    "The whole analysis in one command: hold samples out (one share, or every sample in turn with "
    "'folds'), fit a model on the others, predict what was held out, do the same with "
    "q2-sample-classifier's random forest on the same samples, fit a model on everything "
    "for later use, find the features that it rests on, and report it all. The values of held-out "
    "samples are never seen by the models that predict them; their DNA is, if a distance matrix is "
    "given."
)
_INPUTS = {
    "table": FeatureTable[Frequency],
    "sequences": FeatureData[Sequence],
    "encoder": types.AAMEncoder,
    "distance_matrix": DistanceMatrix,
    "taxonomy": FeatureData[Taxonomy],
}
_INPUT_HELP = {
    "table": TABLE,
    "sequences": SEQUENCES,
    "encoder": ENCODER,
    "distance_matrix": _DISTANCES,
    "taxonomy": "Names the features that matter in the report. Nothing is learned from it.",
}
_REGRESSION_SETTINGS = (*COMPARISON, "interval", *REGRESSION_SETTINGS)
_CLASSIFICATION_SETTINGS = (*COMPARISON, *CLASSIFICATION_SETTINGS)
_IMPORTANCE = (
    "How far each feature moves the predictions of the model fitted on all samples, the most "
    "important first."
)
_HELD_OUT = "of the samples held out"


def register(plugin, citations) -> None:
    """Register the actions."""
    _register_merging(plugin)
    _register_regress_samples(plugin, citations)
    _register_classify_samples(plugin)


def _register_merging(plugin) -> None:
    kind = TypeMatch([RegressorPredictions, ClassifierPredictions])
    plugin.methods.register_function(
        function=merge_predictions,
        inputs={"predictions": List[SampleData[kind]]},
        parameters={},
        outputs=[("merged_predictions", SampleData[kind])],
        input_descriptions={"predictions": "Predictions of different samples."},
        parameter_descriptions={},
        output_descriptions={"merged_predictions": "The predictions of all samples."},
        name="Join predictions of different samples",
        description="Join the predictions of the parts of a cross-validation.",
        examples={"merge_predictions": examples.merge_predictions},
    )
    kind = TypeMatch([types.PredictionIntervals, Probabilities])
    plugin.methods.register_function(
        function=merge_prediction_tables,
        inputs={"tables": List[SampleData[kind]]},
        parameters={},
        outputs=[("merged_table", SampleData[kind])],
        input_descriptions={"tables": "Intervals, or probabilities, of different samples."},
        parameter_descriptions={},
        output_descriptions={"merged_table": "The intervals or probabilities of all samples."},
        name="Join prediction intervals or class probabilities of different samples",
        description=(
            "Join what belongs to the predictions of the parts of a cross-validation. A class that "
            "one of the models did not know has the probability 0 there."
        ),
        examples={"merge_prediction_tables": examples.merge_prediction_tables},
    )


def _register_regress_samples(plugin, citations) -> None:
    plugin.pipelines.register_function(
        function=regress_samples,
        inputs=_INPUTS,
        parameters={
            "metadata": MetadataColumn[Numeric],
            "groups": MetadataColumn[Categorical | Numeric],
            "covariates": Metadata,
            **types_of(*_REGRESSION_SETTINGS),
        },
        outputs=[
            ("regressor", types.AAMRegressor),
            ("training_log", types.AAMTrainingLog),
            ("predictions", SampleData[RegressorPredictions]),
            ("intervals", SampleData[types.PredictionIntervals]),
            ("baseline_predictions", SampleData[RegressorPredictions]),
            ("importance", FeatureData[Importance]),
            ("evaluation", Visualization),
        ],
        input_descriptions=_INPUT_HELP,
        parameter_descriptions={
            "metadata": "The numeric column to predict. Samples with a blank cell are left out.",
            "groups": GROUPS,
            "covariates": COVARIATES,
            **help_of(*_REGRESSION_SETTINGS),
        },
        output_descriptions={
            "regressor": "The model fitted on all labelled samples.",
            "training_log": TRAINING_LOG,
            "predictions": f"Predictions {_HELD_OUT}, in the original units.",
            "intervals": f"Prediction intervals {_HELD_OUT}.",
            "baseline_predictions": f"The random forest's predictions {_HELD_OUT}.",
            "importance": _IMPORTANCE,
            "evaluation": "How good both are, and which features the predictions rest on.",
        },
        name="Fit, compare with a random forest, and report: a number of each sample",
        description=_DESCRIPTION,
        citations=[citations["lei2018distribution"]],
        examples={"regress_samples": examples.regress_samples},
    )


def _register_classify_samples(plugin) -> None:
    plugin.pipelines.register_function(
        function=classify_samples,
        inputs=_INPUTS,
        parameters={
            "metadata": MetadataColumn[Categorical],
            "groups": MetadataColumn[Categorical | Numeric],
            "covariates": Metadata,
            **types_of(*_CLASSIFICATION_SETTINGS),
        },
        outputs=[
            ("classifier", types.AAMClassifier),
            ("training_log", types.AAMTrainingLog),
            ("predictions", SampleData[ClassifierPredictions]),
            ("probabilities", SampleData[Probabilities]),
            ("baseline_predictions", SampleData[ClassifierPredictions]),
            ("baseline_probabilities", SampleData[Probabilities]),
            ("importance", FeatureData[Importance]),
            ("evaluation", Visualization),
        ],
        input_descriptions=_INPUT_HELP,
        parameter_descriptions={
            "metadata": (
                "The categorical column to predict. Samples with a blank cell are left out."
            ),
            "groups": GROUPS,
            "covariates": COVARIATES,
            **help_of(*_CLASSIFICATION_SETTINGS),
        },
        output_descriptions={
            "classifier": "The model fitted on all labelled samples.",
            "training_log": TRAINING_LOG,
            "predictions": f"The most probable classes {_HELD_OUT}.",
            "probabilities": f"The probabilities of every class {_HELD_OUT}.",
            "baseline_predictions": f"The random forest's classes {_HELD_OUT}.",
            "baseline_probabilities": f"The random forest's probabilities {_HELD_OUT}.",
            "importance": _IMPORTANCE,
            "evaluation": "How good both are, and which features the predictions rest on.",
        },
        name="Fit, compare with a random forest, and report: a class of each sample",
        description=_DESCRIPTION,
        examples={"classify_samples": examples.classify_samples},
    )
