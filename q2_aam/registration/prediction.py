"""Registration of what predicts."""

from q2_sample_classifier import ClassifierPredictions, Probabilities, RegressorPredictions
from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.sample_data import SampleData
from qiime2.plugin import Metadata

from .. import examples, types
from ..actions.predict import predict_classification, predict_distances, predict_regression
from ..parameters import help_of, types_of
from .words import COVARIATES_OF_MODEL, SEQUENCES, TABLE


def register(plugin, citations) -> None:
    """Register the actions."""
    _register_predict_regression(plugin, citations)
    _register_predict_classification(plugin)
    _register_predict_distances(plugin)


def _register_predict_regression(plugin, citations) -> None:
    plugin.methods.register_function(
        function=predict_regression,
        inputs={
            "table": FeatureTable[Frequency],
            "regressor": types.AAMRegressor,
            "sequences": FeatureData[Sequence],
        },
        parameters={"covariates": Metadata, **types_of("interval", "min_recognized")},
        outputs=[
            ("predictions", SampleData[RegressorPredictions]),
            ("intervals", SampleData[types.PredictionIntervals]),
        ],
        input_descriptions={
            "table": TABLE,
            "regressor": "A model from fit-regressor.",
            "sequences": SEQUENCES,
        },
        parameter_descriptions={
            "covariates": COVARIATES_OF_MODEL,
            **help_of("interval", "min_recognized"),
        },
        output_descriptions={
            "predictions": "The predicted value of each sample, in the original units.",
            "intervals": (
                "Bounds between which the true value is expected, and the shares of each sample's "
                "reads by how the model recognized them."
            ),
        },
        name="Predict a number of each sample",
        description=(
            "Predict samples that the model has never seen. ASVs are recognized by their DNA: "
            "reads "
            "of another length, start or orientation are the same ASVs, and new ASVs are read by "
            "their relatives."
        ),
        citations=[citations["lei2018distribution"]],
        examples={"predict_regression": examples.predict_regression},
    )


def _register_predict_classification(plugin) -> None:
    plugin.methods.register_function(
        function=predict_classification,
        inputs={
            "table": FeatureTable[Frequency],
            "classifier": types.AAMClassifier,
            "sequences": FeatureData[Sequence],
        },
        parameters={"covariates": Metadata, **types_of("min_recognized")},
        outputs=[
            ("predictions", SampleData[ClassifierPredictions]),
            ("probabilities", SampleData[Probabilities]),
            ("recognition", SampleData[types.AAMRecognition]),
        ],
        input_descriptions={
            "table": TABLE,
            "classifier": "A model from fit-classifier.",
            "sequences": SEQUENCES,
        },
        parameter_descriptions={
            "covariates": COVARIATES_OF_MODEL,
            **help_of("min_recognized"),
        },
        output_descriptions={
            "predictions": "The most probable class of each sample.",
            "probabilities": "The probability of every class for each sample.",
            "recognition": (
                "Shares of each sample's reads by how the model recognized them: same, "
                "overlapping, alike, or by embedding only."
            ),
        },
        name="Predict a class of each sample",
        description=(
            "Predict samples that the model has never seen. ASVs are recognized by their DNA: "
            "reads "
            "of another length, start or orientation are the same ASVs, and new ASVs are read by "
            "their relatives."
        ),
        examples={"predict_classification": examples.predict_classification},
    )


def _register_predict_distances(plugin) -> None:
    plugin.methods.register_function(
        function=predict_distances,
        inputs={
            "table": FeatureTable[Frequency],
            "model": types.AAMEncoder | types.AAMRegressor | types.AAMClassifier,
            "sequences": FeatureData[Sequence],
        },
        parameters={},
        outputs=[("distance_matrix", DistanceMatrix)],
        input_descriptions={
            "table": (
                f"{TABLE} Rarefy it to the depth of the table that the model was pretrained on."
            ),
            "model": "A model that learned distances.",
            "sequences": SEQUENCES,
        },
        parameter_descriptions={},
        output_descriptions={"distance_matrix": "Predicted unweighted UniFrac, ready for PCoA."},
        name="Predict UniFrac between samples, without a tree",
        description=(
            "Predict the distances between all samples of a table from the DNA of its ASVs."
        ),
        examples={"predict_distances": examples.predict_distances},
    )
