"""Registration of the plugin; no logic, and nothing here imports torch."""

from q2_sample_classifier import RegressorPredictions
from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.sample_data import SampleData
from qiime2.plugin import Categorical, Citations, List, MetadataColumn, Numeric, Plugin

from . import __version__, examples, types
from .actions.fit_regressor import fit_regressor
from .actions.predict_distances import predict_distances
from .actions.predict_regression import predict_regression
from .actions.pretrain import pretrain
from .actions.split_samples import split_samples
from .actions.summarize_training import summarize_training
from .evaluations import register_evaluations
from .parameters import ARCHITECTURE, MACHINE, TRAINING, help_of, types_of
from .types._transformers import TRANSFORMERS

citations = Citations.load("citations.bib", package="q2_aam")

plugin = Plugin(
    name="aam",
    version=__version__,
    website="https://qiime2.org",
    package="q2_aam",
    short_description="Attention All Microbes: transformers for microbiome samples.",
    description=(
        "Attention All Microbes reads the DNA of every ASV with a transformer, learns phylogeny "
        "from a precomputed UniFrac matrix without labels, and predicts sample metadata."
    ),
    citations=[citations["lozupone2005unifrac"], citations["vaswani2017attention"]],
)

plugin.register_semantic_types(types.AAMEncoder, types.AAMRegressor, types.AAMTrainingLog)
plugin.register_semantic_types(types.PredictionIntervals)
plugin.register_artifact_class(
    types.AAMEncoder,
    types.AAMModelDirectoryFormat,
    description="A pretrained model: it embeds samples and predicts UniFrac.",
)
plugin.register_artifact_class(
    types.AAMRegressor,
    types.AAMModelDirectoryFormat,
    description="A model that predicts a number of each sample.",
)
plugin.register_artifact_class(
    types.AAMTrainingLog,
    types.AAMTrainingLogDirectoryFormat,
    description="History and settings of a training run.",
)
plugin.register_artifact_class(
    SampleData[types.PredictionIntervals],
    types.PredictionIntervalsDirectoryFormat,
    description="A lower and an upper bound for the predicted value of each sample.",
)
plugin.register_views(
    types.AAMModelDirectoryFormat,
    types.AAMTrainingLogDirectoryFormat,
    types.PredictionIntervalsFormat,
    types.PredictionIntervalsDirectoryFormat,
)
for transformer in TRANSFORMERS:
    plugin.register_transformer(transformer)

_SEQUENCES = (
    "DNA of the features. Needed unless the feature ids of the table are the sequences themselves."
)
_TABLE = "Counts of ASVs in samples."
_ENCODER = (
    "A pretrained encoder to start from. The architecture is then its own, and parameters that "
    "contradict it are refused."
)
_GROUPS = (
    "Samples of one group (subject, site, cage) stay together, so that repeated measures of one "
    "subject are never on both sides of a split."
)
_TRAINING_LOG = "Losses by epoch, all settings, and which samples were used and dropped."

plugin.methods.register_function(
    function=pretrain,
    inputs={
        "tables": List[FeatureTable[Frequency]],
        "distance_matrices": List[DistanceMatrix],
        "sequences": List[FeatureData[Sequence]],
        "initial_encoder": types.AAMEncoder,
    },
    parameters=types_of("missing_samples", *TRAINING, *ARCHITECTURE, *MACHINE),
    outputs=[("encoder", types.AAMEncoder), ("training_log", types.AAMTrainingLog)],
    input_descriptions={
        "tables": f"{_TABLE} One table for each study.",
        "distance_matrices": (
            "Unweighted UniFrac between the samples of each table, in the order of the tables. "
            "Distances are compared within a study only. Compute it on the table given here: "
            "rarefy first, then use the rarefied table for both."
        ),
        "sequences": _SEQUENCES,
        "initial_encoder": _ENCODER,
    },
    parameter_descriptions=help_of("missing_samples", *TRAINING, *ARCHITECTURE, *MACHINE),
    output_descriptions={
        "encoder": "The pretrained encoder.",
        "training_log": _TRAINING_LOG,
    },
    name="Pretrain an encoder on samples without labels",
    description=(
        "Learn to read ASVs and their phylogeny from their DNA and a UniFrac matrix. No metadata "
        "is needed: use all the samples there are. The encoder then helps to fit regressors with "
        "fewer labels, and predicts UniFrac between new samples without a tree."
    ),
    examples={"pretrain": examples.pretrain},
)

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
    input_descriptions={"table": _TABLE},
    parameter_descriptions={
        "metadata": "The column to be predicted; samples without a value are left out.",
        "groups": _GROUPS,
        **help_of("test_size", "missing_samples", "random_seed"),
    },
    output_descriptions={
        "training_table": "Samples to fit a model on.",
        "test_table": "Samples to judge it by; never show them to a fit.",
    },
    name="Hold out samples for testing, whole groups at a time",
    description="Divide the samples that have a value into a training and a test table.",
    examples={"split_samples": examples.split_samples},
)

_FIT_PARAMETERS = (
    "missing_samples", "freeze_encoder", "target_scaling", *TRAINING, *ARCHITECTURE, *MACHINE,
)  # fmt: skip
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
        **types_of(*_FIT_PARAMETERS),
    },
    outputs=[("regressor", types.AAMRegressor), ("training_log", types.AAMTrainingLog)],
    input_descriptions={
        "table": f"{_TABLE} Hold out test samples before, with split-samples.",
        "sequences": _SEQUENCES,
        "encoder": _ENCODER,
        "distance_matrix": (
            "Unweighted UniFrac between the samples. If given, the model keeps learning it beside "
            "the target, and can predict distances afterwards. With an encoder, this needs "
            "'freeze_encoder' off."
        ),
    },
    parameter_descriptions={
        "metadata": "The numeric column to predict. Samples with a blank cell are left out.",
        "groups": _GROUPS,
        **help_of(*_FIT_PARAMETERS),
    },
    output_descriptions={
        "regressor": "The fitted model, from the epoch that was best on the validation samples.",
        "training_log": _TRAINING_LOG,
    },
    name="Fit a model that predicts a number of each sample",
    description=(
        "Fit on every labelled sample of the table. A share of the samples (whole groups, if "
        "groups are given) does not train the weights: it decides when to stop and how wide "
        "prediction intervals are."
    ),
    citations=[citations["lei2018distribution"]],
    examples={"fit_regressor": examples.fit_regressor},
)

plugin.methods.register_function(
    function=predict_regression,
    inputs={
        "table": FeatureTable[Frequency],
        "regressor": types.AAMRegressor,
        "sequences": FeatureData[Sequence],
    },
    parameters=types_of("interval"),
    outputs=[
        ("predictions", SampleData[RegressorPredictions]),
        ("intervals", SampleData[types.PredictionIntervals]),
    ],
    input_descriptions={
        "table": _TABLE,
        "regressor": "A model from fit-regressor.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions=help_of("interval"),
    output_descriptions={
        "predictions": "The predicted value of each sample, in the original units.",
        "intervals": "Bounds between which the true value is expected.",
    },
    name="Predict a number of each sample",
    description=(
        "Predict samples that the model has never seen. Every ASV is read from its DNA, so that "
        "ASVs that the model has never seen count too."
    ),
    citations=[citations["lei2018distribution"]],
    examples={"predict_regression": examples.predict_regression},
)

plugin.methods.register_function(
    function=predict_distances,
    inputs={
        "table": FeatureTable[Frequency],
        "model": types.AAMEncoder | types.AAMRegressor,
        "sequences": FeatureData[Sequence],
    },
    parameters={},
    outputs=[("distance_matrix", DistanceMatrix)],
    input_descriptions={
        "table": f"{_TABLE} Rarefy it to the depth of the table that the model was pretrained on.",
        "model": "A model that learned distances.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions={},
    output_descriptions={"distance_matrix": "Predicted unweighted UniFrac, ready for PCoA."},
    name="Predict UniFrac between samples, without a tree",
    description="Predict the distances between all samples of a table from the DNA of its ASVs.",
    examples={"predict_distances": examples.predict_distances},
)

register_evaluations(plugin, citations)

plugin.visualizers.register_function(
    function=summarize_training,
    inputs={"training_log": types.AAMTrainingLog},
    parameters={},
    input_descriptions={"training_log": "From pretrain or fit-regressor."},
    parameter_descriptions={},
    name="See how a model was trained",
    description="Losses by epoch, the epoch kept, every setting, and the samples used and dropped.",
    examples={"summarize_training": examples.summarize_training},
)
