"""Registration of what holds samples out and fits models."""

from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from qiime2.plugin import Categorical, Metadata, MetadataColumn, Numeric

from .. import examples, types
from ..actions.fit import fit_classifier, fit_regressor
from ..actions.split_samples import split_samples
from ..parameters import CLASSIFICATION_SETTINGS, REGRESSION_SETTINGS, help_of, types_of
from .words import COVARIATES, ENCODER, GROUPS, SEQUENCES, TABLE, TRAINING_LOG

_DISTANCES = (
    "Unweighted UniFrac between the samples. If given, the model keeps learning it beside "
    "the target, and can predict distances afterwards: the encoder is then trained by epochs, "
    "with an attention head. With an encoder, this needs 'freeze_encoder' off."
)


def register(plugin, citations) -> None:
    """Register the actions."""
    _register_split_samples(plugin)
    _register_fit_regressor(plugin, citations)
    _register_fit_classifier(plugin)


def _register_split_samples(plugin) -> None:
    plugin.methods.register_function(
        function=split_samples,
        inputs={"table": FeatureTable[Frequency]},
        parameters={
            "metadata": MetadataColumn[Categorical | Numeric],
            "groups": MetadataColumn[Categorical | Numeric],
            **types_of("test_size", "missing_samples", "random_seed"),
        },
        outputs=[
            ("training_table", FeatureTable[Frequency]),
            ("test_table", FeatureTable[Frequency]),
        ],
        input_descriptions={"table": TABLE},
        parameter_descriptions={
            "metadata": "The column to be predicted; samples without a value are left out.",
            "groups": GROUPS,
            **help_of("test_size", "missing_samples", "random_seed"),
        },
        output_descriptions={
            "training_table": "Samples to fit a model on.",
            "test_table": "Samples to judge it by; never show them to a fit.",
        },
        name="Hold out samples for testing, whole groups at a time",
        description=(
            "Divide the samples that have a value into a training and a test table. If the column "
            "is categorical, the share is held out of each class, as nearly as groups allow; a "
            "class that is in one group only stays in the training table."
        ),
        examples={"split_samples": examples.split_samples},
    )


def _register_fit_regressor(plugin, citations) -> None:
    plugin.methods.register_function(
        function=fit_regressor,
        inputs={
            "table": FeatureTable[Frequency],
            "sequences": FeatureData[Sequence],
            "encoder": types.AAMEncoder,
            "distance_matrix": DistanceMatrix,
        },
        parameters={
            "metadata": MetadataColumn[Numeric],
            "groups": MetadataColumn[Categorical | Numeric],
            "covariates": Metadata,
            **types_of(*REGRESSION_SETTINGS),
        },
        outputs=[("regressor", types.AAMRegressor), ("training_log", types.AAMTrainingLog)],
        input_descriptions={
            "table": f"{TABLE} Hold out test samples before, with split-samples.",
            "sequences": SEQUENCES,
            "encoder": ENCODER,
            "distance_matrix": _DISTANCES,
        },
        parameter_descriptions={
            "metadata": "The numeric column to predict. Samples with a blank cell are left out.",
            "groups": GROUPS,
            "covariates": COVARIATES,
            **help_of(*REGRESSION_SETTINGS),
        },
        output_descriptions={
            "regressor": "The fitted model.",
            "training_log": TRAINING_LOG,
        },
        name="Fit a model that predicts a number of each sample",
        description=(
            "Fit ridge regression and a forest on every labelled sample of the table, on what a "
            "frozen encoder reads of it, in closed form. Predictions of samples (whole groups, if "
            "groups are given) by heads that did not learn from them decide how much each head "
            "counts and how wide prediction intervals are."
        ),
        citations=[citations["lei2018distribution"]],
        examples={"fit_regressor": examples.fit_regressor},
    )


def _register_fit_classifier(plugin) -> None:
    plugin.methods.register_function(
        function=fit_classifier,
        inputs={
            "table": FeatureTable[Frequency],
            "sequences": FeatureData[Sequence],
            "encoder": types.AAMEncoder,
            "distance_matrix": DistanceMatrix,
        },
        parameters={
            "metadata": MetadataColumn[Categorical],
            "groups": MetadataColumn[Categorical | Numeric],
            "covariates": Metadata,
            **types_of(*CLASSIFICATION_SETTINGS),
        },
        outputs=[("classifier", types.AAMClassifier), ("training_log", types.AAMTrainingLog)],
        input_descriptions={
            "table": f"{TABLE} Hold out test samples before, with split-samples.",
            "sequences": SEQUENCES,
            "encoder": ENCODER,
            "distance_matrix": _DISTANCES,
        },
        parameter_descriptions={
            "metadata": (
                "The categorical column to predict. Samples with a blank cell are left out."
            ),
            "groups": GROUPS,
            "covariates": COVARIATES,
            **help_of(*CLASSIFICATION_SETTINGS),
        },
        output_descriptions={
            "classifier": "The fitted model.",
            "training_log": TRAINING_LOG,
        },
        name="Fit a model that predicts a class of each sample",
        description=(
            "Fit ridge regression, logistic regression and a forest on every labelled sample of "
            "the table, on what a frozen encoder reads of it, in closed form. Predictions of "
            "samples (whole groups, if groups are given) by heads that did not learn from them "
            "decide how much each head counts. The most probable class is predicted, with the "
            "probabilities of all."
        ),
        examples={"fit_classifier": examples.fit_classifier},
    )
