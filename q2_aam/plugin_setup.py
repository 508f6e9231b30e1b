"""Every registration, top to bottom: types, then actions; no logic, and nothing imports torch."""

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
from q2_types.tree import Phylogeny, Rooted
from qiime2.plugin import (
    Categorical,
    Citations,
    List,
    Metadata,
    MetadataColumn,
    Numeric,
    Plugin,
    Str,
    TypeMatch,
    Visualization,
)

from . import __version__, examples, types
from .actions.check import check_table
from .actions.cross_validate import (
    _merge_predictions,
    _merge_tables,
    classify_samples,
    regress_samples,
)
from .actions.evaluate import (
    evaluate_classification,
    evaluate_distances,
    evaluate_regression,
    summarize_training,
)
from .actions.explain import embed_samples, feature_importance
from .actions.find_learning_rate import find_learning_rate
from .actions.fit import fit_classifier, fit_regressor
from .actions.load_encoder import load_encoder
from .actions.predict import predict_classification, predict_distances, predict_regression
from .actions.pretrain import pretrain
from .actions.pretrain_from_phylogeny import pretrain_from_phylogeny
from .actions.split import split_samples
from .parameters import (
    CLASSIFICATION_SETTINGS,
    LEARNING_RATE_SETTINGS,
    PHYLOGENY_SETTINGS,
    PRETRAINING_SETTINGS,
    REGRESSION_SETTINGS,
    help_of,
    types_of,
)
from .types._transformers import TRANSFORMERS

citations = Citations.load("citations.bib", package="q2_aam")

plugin = Plugin(
    name="aam",
    version=__version__,
    website="https://library.qiime2.org",
    package="q2_aam",
    short_description="Attention All Microbes: transformers for microbiome samples.",
    description=(
        "Attention All Microbes reads the DNA of every ASV with a transformer that knows the "
        "bacterial tree, and predicts sample metadata: a number or a class of each sample. Tables "
        "of another read length are the same tables to it. It also predicts UniFrac without a tree."
    ),
    citations=[citations["lozupone2005unifrac"], citations["vaswani2017attention"]],
)

# --- types of artifacts ---------------------------------------------------------------------------

_MODELS = {
    types.AAMEncoder: "A pretrained model: it embeds samples and predicts UniFrac.",
    types.AAMRegressor: "A model that predicts a number of each sample.",
    types.AAMClassifier: "A model that predicts a class of each sample.",
}
plugin.register_semantic_types(
    *_MODELS, types.AAMTrainingLog, types.PredictionIntervals, types.AAMEmbeddings,
    types.AAMRecognition,
)  # fmt: skip
for kind, described in _MODELS.items():
    plugin.register_artifact_class(kind, types.AAMModelDirectoryFormat, description=described)
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
plugin.register_artifact_class(
    SampleData[types.AAMEmbeddings],
    types.AAMEmbeddingsDirectoryFormat,
    description="What a model has learned of each sample, as numbers.",
)
plugin.register_artifact_class(
    SampleData[types.AAMRecognition],
    types.AAMEmbeddingsDirectoryFormat,
    description="Shares of each sample's reads by how a model recognized them.",
)
plugin.register_views(
    types.AAMModelDirectoryFormat,
    types.AAMTrainingLogDirectoryFormat,
    types.PredictionIntervalsFormat,
    types.PredictionIntervalsDirectoryFormat,
    types.AAMEmbeddingsFormat,
    types.AAMEmbeddingsDirectoryFormat,
)
for transformer in TRANSFORMERS:
    plugin.register_transformer(transformer)

# --- what actions share ---------------------------------------------------------------------------

_ANY_MODEL = types.AAMEncoder | types.AAMRegressor | types.AAMClassifier
_COLUMN = MetadataColumn[Categorical | Numeric]
_TABLE = "Counts of ASVs in samples."
_SEQUENCES = "DNA of the features. Not needed if the feature ids of the table are the DNA."
_ENCODER = "An encoder from pretrain or pretrain-from-phylogeny, to use instead of the bundled one."
_GROUPS = (
    "Samples of one group (subject, site, cage) stay together, so that repeated measures of one "
    "subject are never on both sides of a split."
)
_COVARIATES = "Metadata with the columns that 'covariate_columns' names."
_COVARIATES_OF_MODEL = (
    "If the model was fitted with covariates: metadata with the same columns, and a row for each "
    "sample."
)
_NUMBER = "The numeric column to predict. Samples with a blank cell are left out."
_CLASS = "The categorical column to predict. Samples with a blank cell are left out."
_LOG = "What the model consists of, all settings, and which samples were used and dropped."
_FEATURES = {
    "importance": FeatureData[Importance],
    "sequences": FeatureData[Sequence],
    "taxonomy": FeatureData[Taxonomy],
}
_FEATURES_HELP = {
    "importance": "From feature-importance: the page shows what the predictions rest on.",
    "sequences": "DNA of these features, to be copied from the page.",
    "taxonomy": "Names these features by their taxa.",
}
_DESIGN_HELP = "How the samples were held out, in a sentence to show on the page."
_FIT_INPUTS = {
    "table": FeatureTable[Frequency],
    "sequences": FeatureData[Sequence],
    "encoder": types.AAMEncoder,
    "distance_matrix": DistanceMatrix,
}
_FIT_INPUTS_HELP = {
    "table": f"{_TABLE} Hold out test samples before, with split-samples.",
    "sequences": _SEQUENCES,
    "encoder": _ENCODER,
    "distance_matrix": (
        "Unweighted UniFrac between the samples. If given, the model learns it beside the target, "
        "which takes minutes. This needs 'freeze_encoder' off."
    ),
}
_FIT_PARAMETERS = {"groups": _COLUMN, "covariates": Metadata}
_FIT_HELP = {"groups": _GROUPS, "covariates": _COVARIATES}
_FIT_DESCRIPTION = (
    "Fit on every labeled sample of the table. The heads (ridge or logistic regression, and a "
    "forest) are fitted in closed form on what the encoder reads, and blended by what they predict "
    "of groups left out. This takes seconds."
)
_PREDICT_DESCRIPTION = (
    "Predict samples that the model has never seen. ASVs are recognized by their DNA: reads of "
    "another length, start or orientation are the same ASVs, and new ASVs are read by their "
    "relatives."
)

# --- learning -------------------------------------------------------------------------------------

plugin.methods.register_function(
    function=pretrain,
    name="Pretrain an encoder on samples without labels",
    description=(
        "Learn to read ASVs and their phylogeny from their DNA and a UniFrac matrix. No metadata "
        "is needed: use all the samples there are."
    ),
    inputs={
        "tables": List[FeatureTable[Frequency]],
        "distance_matrices": List[DistanceMatrix],
        "sequences": List[FeatureData[Sequence]],
        "initial_encoder": types.AAMEncoder,
    },
    parameters=types_of(*PRETRAINING_SETTINGS),
    outputs=[("encoder", types.AAMEncoder), ("training_log", types.AAMTrainingLog)],
    input_descriptions={
        "tables": f"{_TABLE} One table for each study.",
        "distance_matrices": (
            "Unweighted UniFrac between the samples of each table, matched by their sample ids. "
            "Compute it on the table given here: rarefy first, then use the rarefied table for "
            "both."
        ),
        "sequences": _SEQUENCES,
        "initial_encoder": "An encoder to start from; the architecture is then its own.",
    },
    parameter_descriptions=help_of(*PRETRAINING_SETTINGS)
    | {
        "epochs": (
            "Most passes over the samples; training stops sooner when it stalls. Default: 3, as an "
            "encoder that knows a tree needs few; 40 for a new one."
        ),
        "learning_rate": (
            "Size of a training step. Lower it if the losses jump. Default: 0.0003, so that what "
            "an encoder knows is kept; 0.003 for a new one."
        ),
    },
    output_descriptions={"encoder": "The pretrained encoder.", "training_log": _LOG},
    examples={"pretrain": examples.pretrain},
)

plugin.methods.register_function(
    function=pretrain_from_phylogeny,
    name="Pretrain an encoder on a phylogeny of its ASVs",
    description=(
        "Learn which clades of a phylogeny lie above a read. No distances are needed, and no "
        "samples: time grows with the number of ASVs."
    ),
    inputs={
        "sequences": FeatureData[Sequence],
        "phylogeny": Phylogeny[Rooted],
        "table": FeatureTable[Frequency],
        "initial_encoder": types.AAMEncoder,
    },
    parameters=types_of(*PHYLOGENY_SETTINGS),
    outputs=[("encoder", types.AAMEncoder), ("training_log", types.AAMTrainingLog)],
    input_descriptions={
        "sequences": "DNA of the tips that are learned.",
        "phylogeny": (
            "A rooted tree with branch lengths, whose tips are the ids of the sequences. Tips "
            "without a sequence are not learned."
        ),
        "table": (
            "Samples that hold these ASVs. ASVs of many samples then count more, and UniFrac of up "
            "to 500 samples decides which epoch is kept."
        ),
        "initial_encoder": (
            "An encoder to start from; the number of its branches may change. Default: the bundled "
            "one."
        ),
    },
    parameter_descriptions=help_of(*PHYLOGENY_SETTINGS)
    | {
        "epochs": (
            "Passes over the ASVs. Default: as many as read a million ASVs, at least 5 and at most "
            "60."
        ),
        "validation_size": "Share of the ASVs that are not learned but scored after each epoch.",
        "batch_size": "ASVs in a training step. 'auto' halves it until it fits into memory.",
    },
    output_descriptions={"encoder": "The pretrained encoder.", "training_log": _LOG},
    examples={"pretrain_from_phylogeny": examples.pretrain_from_phylogeny},
)

plugin.methods.register_function(
    function=load_encoder,
    name="Load the encoder that ships with q2-aam",
    description=(
        "Write the bundled encoder as an artifact, to start from it or to share it. Actions use it "
        "anyway where no encoder is given."
    ),
    inputs={},
    parameters=types_of("version"),
    outputs=[("encoder", types.AAMEncoder)],
    input_descriptions={},
    parameter_descriptions=help_of("version"),
    output_descriptions={"encoder": "An encoder that knows the clades of Greengenes 13_8."},
    citations=[citations["mcdonald2012improved"]],
    examples={"load_encoder": examples.load_encoder},
)

plugin.methods.register_function(
    function=split_samples,
    name="Hold out samples for testing, whole groups at a time",
    description=(
        "Divide the samples that have a value into a training and a test table. If the column is "
        "categorical, the share is held out of each class, as nearly as groups allow."
    ),
    inputs={"table": FeatureTable[Frequency]},
    parameters={
        "metadata": _COLUMN,
        "groups": _COLUMN,
        **types_of("test_size", "missing_samples", "random_seed"),
    },
    outputs=[("training_table", FeatureTable[Frequency]), ("test_table", FeatureTable[Frequency])],
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
    examples={"split_samples": examples.split_samples},
)

plugin.methods.register_function(
    function=fit_regressor,
    name="Fit a model that predicts a number of each sample",
    description=_FIT_DESCRIPTION,
    inputs=_FIT_INPUTS,
    parameters={
        "metadata": MetadataColumn[Numeric], **_FIT_PARAMETERS, **types_of(*REGRESSION_SETTINGS),
    },
    outputs=[("regressor", types.AAMRegressor), ("training_log", types.AAMTrainingLog)],
    input_descriptions=_FIT_INPUTS_HELP,
    parameter_descriptions={"metadata": _NUMBER, **_FIT_HELP, **help_of(*REGRESSION_SETTINGS)},
    output_descriptions={"regressor": "The fitted model.", "training_log": _LOG},
    citations=[citations["vovk2015cross"], citations["pedregosa2011scikit"]],
    examples={"fit_regressor": examples.fit_regressor},
)  # fmt: skip

plugin.methods.register_function(
    function=fit_classifier,
    name="Fit a model that predicts a class of each sample",
    description=_FIT_DESCRIPTION,
    inputs=_FIT_INPUTS,
    parameters={
        "metadata": MetadataColumn[Categorical],
        **_FIT_PARAMETERS,
        **types_of(*CLASSIFICATION_SETTINGS),
    },
    outputs=[("classifier", types.AAMClassifier), ("training_log", types.AAMTrainingLog)],
    input_descriptions=_FIT_INPUTS_HELP,
    parameter_descriptions={"metadata": _CLASS, **_FIT_HELP, **help_of(*CLASSIFICATION_SETTINGS)},
    output_descriptions={"classifier": "The fitted model.", "training_log": _LOG},
    citations=[citations["pedregosa2011scikit"]],
    examples={"fit_classifier": examples.fit_classifier},
)

plugin.visualizers.register_function(
    function=find_learning_rate,
    name="Find a learning rate before training",
    description=(
        "Train a copy of the model for a few steps while the learning rate rises, and show what "
        "the loss does. The rate at which it falls most steeply is suggested. Nothing that was "
        "learned is kept."
    ),
    inputs=_FIT_INPUTS,
    parameters={"metadata": _COLUMN, **types_of(*LEARNING_RATE_SETTINGS)},
    input_descriptions=_FIT_INPUTS_HELP
    | {
        "table": _TABLE,
        "distance_matrix": "Unweighted UniFrac between the samples. Needed without 'metadata'.",
    },
    parameter_descriptions={
        "metadata": (
            "The column to predict: the learning rate is then for fit-regressor (a numeric column) "
            "or fit-classifier (a categorical one). Without it, it is for pretrain."
        ),
        **help_of(*LEARNING_RATE_SETTINGS),
    },
    citations=[citations["smith2017cyclical"]],
    examples={"find_learning_rate": examples.find_learning_rate},
)

# --- predicting -----------------------------------------------------------------------------------

plugin.methods.register_function(
    function=predict_regression,
    name="Predict a number of each sample",
    description=_PREDICT_DESCRIPTION,
    inputs={
        "table": FeatureTable[Frequency],
        "regressor": types.AAMRegressor,
        "sequences": FeatureData[Sequence],
    },
    parameters={"covariates": Metadata, **types_of("confidence_level", "min_recognized")},
    outputs=[
        ("predictions", SampleData[RegressorPredictions]),
        ("intervals", SampleData[types.PredictionIntervals]),
    ],
    input_descriptions={
        "table": _TABLE, "regressor": "A model from fit-regressor.", "sequences": _SEQUENCES,
    },
    parameter_descriptions={
        "covariates": _COVARIATES_OF_MODEL, **help_of("confidence_level", "min_recognized"),
    },
    output_descriptions={
        "predictions": "The predicted value of each sample, in the original units.",
        "intervals": (
            "Bounds between which the true value is expected, and the shares of each sample's "
            "reads by how the model recognized them."
        ),
    },
    citations=[citations["vovk2015cross"]],
    examples={"predict_regression": examples.predict_regression},
)  # fmt: skip

plugin.methods.register_function(
    function=predict_classification,
    name="Predict a class of each sample",
    description=_PREDICT_DESCRIPTION,
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
        "table": _TABLE, "classifier": "A model from fit-classifier.", "sequences": _SEQUENCES,
    },
    parameter_descriptions={"covariates": _COVARIATES_OF_MODEL, **help_of("min_recognized")},
    output_descriptions={
        "predictions": "The most probable class of each sample.",
        "probabilities": "The probability of every class for each sample.",
        "recognition": "Shares of each sample's reads by how the model recognized them.",
    },
    examples={"predict_classification": examples.predict_classification},
)  # fmt: skip

plugin.visualizers.register_function(
    function=check_table,
    name="See whether a model can read a table",
    description=(
        "Look up the sequences of a table in a model before predicting: how much of each sample "
        "is recognized and how, read lengths, orientation, and the most abundant sequences that "
        "the model does not know."
    ),
    inputs={
        "table": FeatureTable[Frequency],
        "model": types.AAMRegressor | types.AAMClassifier,
        "sequences": FeatureData[Sequence],
    },
    parameters={},
    input_descriptions={
        "table": _TABLE,
        "model": "A model from fit-regressor or fit-classifier.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions={},
    examples={"check_table": examples.check_table},
)

plugin.methods.register_function(
    function=predict_distances,
    name="Predict UniFrac between samples, without a tree",
    description="Predict the distances between all samples of a table from the DNA of its ASVs.",
    inputs={
        "table": FeatureTable[Frequency], "model": _ANY_MODEL, "sequences": FeatureData[Sequence],
    },
    parameters={},
    outputs=[("distance_matrix", DistanceMatrix)],
    input_descriptions={
        "table": f"{_TABLE} Rarefy it first: UniFrac depends on the depth.",
        "model": "A model that learned distances. Default: the bundled encoder.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions={},
    output_descriptions={"distance_matrix": "Predicted unweighted UniFrac, ready for PCoA."},
    examples={"predict_distances": examples.predict_distances},
)  # fmt: skip

# --- explaining -----------------------------------------------------------------------------------

plugin.methods.register_function(
    function=embed_samples,
    name="Describe samples by what a model has learned",
    description=(
        "Turn each sample into numbers that other methods can use: to plot, to cluster, or to "
        "predict from. A model that was fitted to a target has seen the labels of its own samples: "
        "judge methods that use its numbers on other samples."
    ),
    inputs={
        "table": FeatureTable[Frequency], "model": _ANY_MODEL, "sequences": FeatureData[Sequence],
    },
    parameters=types_of("content", "dimensions"),
    outputs=[("embeddings", SampleData[types.AAMEmbeddings])],
    input_descriptions={
        "table": _TABLE,
        "model": "Any model of q2-aam. Default: the bundled encoder.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions=help_of("content", "dimensions"),
    output_descriptions={
        "embeddings": "A row of numbers for each sample; it can be used as metadata."
    },
    examples={"embed_samples": examples.embed_samples},
)  # fmt: skip

plugin.methods.register_function(
    function=feature_importance,
    name="See which features a model's predictions rest on",
    description=(
        "Take each feature out of samples that hold it, as if it had never been in the table, and "
        "average by how much the prediction changes. What a model rests on need not be a cause: of "
        "features that always occur together, either may carry the effect."
    ),
    inputs={
        "table": FeatureTable[Frequency],
        "model": types.AAMRegressor | types.AAMClassifier,
        "sequences": FeatureData[Sequence],
    },
    parameters={"covariates": Metadata, **types_of("samples_per_feature")},
    outputs=[("importance", FeatureData[Importance])],
    input_descriptions={
        "table": f"{_TABLE} The samples that the model was fitted on, or new ones.",
        "model": "A model from fit-regressor or fit-classifier.",
        "sequences": _SEQUENCES,
    },
    parameter_descriptions={
        "covariates": _COVARIATES_OF_MODEL,
        **help_of("samples_per_feature"),
    },
    output_descriptions={
        "importance": (
            "The most important feature first. 'importance' is how far a feature moves the "
            "prediction of a sample, on average over all samples: in the target's units, or as the "
            "probability that it moves between classes. 'raises' and 'lowers' say in which "
            "direction; for a classifier, for each class."
        )
    },
    citations=[citations["zeiler2014visualizing"], citations["covert2021explaining"]],
    examples={"feature_importance": examples.feature_importance},
)

# --- looking --------------------------------------------------------------------------------------

plugin.visualizers.register_function(
    function=evaluate_regression,
    name="See how good predictions of a number are",
    description=(
        "Compare predictions with true values: charts, scores with bootstrap intervals, the worst "
        "predicted samples, a comparison with a baseline, and the features that matter."
    ),
    inputs={
        "predictions": SampleData[RegressorPredictions],
        "intervals": SampleData[types.PredictionIntervals],
        "baseline_predictions": SampleData[RegressorPredictions],
        "training_log": types.AAMTrainingLog,
        "table": FeatureTable[Frequency],
        **_FEATURES,
    },
    parameters={
        "truth": MetadataColumn[Numeric], "groups": _COLUMN, "color_by": _COLUMN, "design": Str,
    },
    input_descriptions={
        "predictions": "Predictions of samples that the model was not fitted on.",
        "intervals": "Their prediction intervals.",
        "baseline_predictions": "Another model's predictions of the same samples.",
        "training_log": "Of the model that predicted.",
        "table": "Counts of the important features, to show them beside the target.",
        **_FEATURES_HELP,
    },
    parameter_descriptions={
        "truth": "The true values, in the same units.",
        "groups": "Samples that belong together: intervals of scores are drawn by group.",
        "color_by": "A column that colors the points, to see whether errors follow it.",
        "design": _DESIGN_HELP,
    },
    examples={"evaluate_regression": examples.evaluate_regression},
)  # fmt: skip

plugin.visualizers.register_function(
    function=evaluate_classification,
    name="See how good predictions of a class are",
    description=(
        "Compare predicted with true classes: confusion matrix, ROC and precision-recall curves, "
        "calibration, scores with bootstrap intervals beside a baseline and the most frequent "
        "class, and the features that matter."
    ),
    inputs={
        "predictions": SampleData[ClassifierPredictions],
        "probabilities": SampleData[Probabilities],
        "recognition": SampleData[types.AAMRecognition],
        "baseline_predictions": SampleData[ClassifierPredictions],
        "baseline_probabilities": SampleData[Probabilities],
        "training_log": types.AAMTrainingLog,
        "table": FeatureTable[Frequency],
        **_FEATURES,
    },
    parameters={"truth": MetadataColumn[Categorical], "groups": _COLUMN, "design": Str},
    input_descriptions={
        "predictions": "Predicted classes of samples that the model was not fitted on.",
        "probabilities": "The probabilities that came with them.",
        "recognition": "How their reads were recognized, from predict-classification.",
        "baseline_predictions": "Another classifier's predictions of the same samples.",
        "baseline_probabilities": "The probabilities that came with the baseline predictions.",
        "training_log": "Of the model that predicted.",
        "table": "Counts of the important features, to show them by class.",
        **_FEATURES_HELP,
    },
    parameter_descriptions={
        "truth": (
            "The true classes. A column whose classes are numbers must be marked as categorical in "
            "the metadata file."
        ),
        "groups": "Samples that belong together: intervals of scores are drawn by group.",
        "design": _DESIGN_HELP,
    },
    examples={"evaluate_classification": examples.evaluate_classification},
)

plugin.visualizers.register_function(
    function=evaluate_distances,
    name="See how good predicted distances between samples are",
    description=(
        "Compare predicted with actual UniFrac: all pairs of samples, the error by distance, r, "
        "R\u00b2 and mean absolute error with bootstrap intervals, both ordinations side by side "
        "with a Procrustes test, and the samples whose distances are worst."
    ),
    inputs={"predicted": DistanceMatrix, "actual": DistanceMatrix},
    parameters={"color_by": _COLUMN, **types_of("random_seed")},
    input_descriptions={
        "predicted": "Distances from predict-distances.",
        "actual": "UniFrac computed with a tree. Samples that both matrices have are compared.",
    },
    parameter_descriptions={
        "color_by": "A column that colors the samples in the ordinations.",
        **help_of("random_seed"),
    },
    citations=[citations["jackson1995protest"]],
    examples={"evaluate_distances": examples.evaluate_distances},
)

plugin.visualizers.register_function(
    function=summarize_training,
    name="See how a model was trained",
    description=(
        "What the predictions come from, losses by epoch where there are any, every setting, and "
        "the samples used and dropped."
    ),
    inputs={"training_log": types.AAMTrainingLog},
    parameters={},
    input_descriptions={"training_log": "From pretrain, fit-regressor or fit-classifier."},
    parameter_descriptions={},
    examples={"summarize_training": examples.summarize_training},
)

# --- the common case in one command ---------------------------------------------------------------

_PIPELINE_DESCRIPTION = (
    "The whole analysis in one command: hold samples out (one share, or every sample in turn with "
    "'folds'), fit a model on the others, predict what was held out, do the same with "
    "q2-sample-classifier's random forest, fit a model on everything for later use, find the "
    "features that it rests on, and report it all."
)
_PIPELINE_INPUTS = _FIT_INPUTS | {"taxonomy": FeatureData[Taxonomy]}
_PIPELINE_INPUTS_HELP = _FIT_INPUTS_HELP | {
    "table": _TABLE,
    "distance_matrix": (
        "Unweighted UniFrac between the samples of the table. If given, the encoder is first "
        "trained on it, on all samples and without looking at any label."
    ),
    "taxonomy": "Names the features that matter in the report. Nothing is learned from it.",
}
_HELD_OUT = "of the samples held out"
_PIPELINE_SETTINGS = ("pretrained", "features", "attention_head", "device", "random_seed")
_IMPORTANCE = "How far each feature moves the predictions of the model fitted on all samples."
_EVALUATION = "How good both are, and which features the predictions rest on."


def _of_pipeline(*settings: str) -> tuple[dict, dict]:
    """Return types and help of a pipeline's parameters, but for the target, in order of use."""
    given = types_of("folds", "test_size"), help_of("folds", "test_size")
    columns = ("covariate_columns", "missing_samples", *settings, *_PIPELINE_SETTINGS)
    kinds = {"groups": _COLUMN, **given[0], "covariates": Metadata, **types_of(*columns)}
    texts = {"groups": _GROUPS, **given[1], "covariates": _COVARIATES, **help_of(*columns)}
    return kinds, texts


# Names that begin with _ are hidden from users; pipelines call these, so that provenance is whole.
_predicted = TypeMatch([RegressorPredictions, ClassifierPredictions])
plugin.methods.register_function(
    function=_merge_predictions,
    name="Join predictions of different samples",
    description="Join the predictions of the parts of a cross-validation.",
    inputs={"predictions": List[SampleData[_predicted]]},
    parameters={},
    outputs=[("merged_predictions", SampleData[_predicted])],
    input_descriptions={"predictions": "Predictions of different samples."},
    output_descriptions={"merged_predictions": "The predictions of all samples."},
)
_numbers = TypeMatch([types.PredictionIntervals, types.AAMRecognition, Probabilities])
plugin.methods.register_function(
    function=_merge_tables,
    name="Join intervals or probabilities of different samples",
    description="Join what belongs to the predictions of the parts of a cross-validation.",
    inputs={"tables": List[SampleData[_numbers]]},
    parameters={},
    outputs=[("merged_table", SampleData[_numbers])],
    input_descriptions={"tables": "Intervals, probabilities or shares, of different samples."},
    output_descriptions={"merged_table": "Those of all samples."},
)

_kinds, _texts = _of_pipeline("bound_predictions", "confidence_level")
plugin.pipelines.register_function(
    function=regress_samples,
    name="Predict a numeric column and evaluate it",
    description=_PIPELINE_DESCRIPTION,
    inputs=_PIPELINE_INPUTS,
    parameters={"metadata": MetadataColumn[Numeric], **_kinds},
    outputs=[
        ("regressor", types.AAMRegressor),
        ("training_log", types.AAMTrainingLog),
        ("predictions", SampleData[RegressorPredictions]),
        ("intervals", SampleData[types.PredictionIntervals]),
        ("baseline_predictions", SampleData[RegressorPredictions]),
        ("importance", FeatureData[Importance]),
        ("evaluation", Visualization),
    ],
    input_descriptions=_PIPELINE_INPUTS_HELP,
    parameter_descriptions={"metadata": _NUMBER, **_texts},
    output_descriptions={
        "regressor": "The model fitted on all labeled samples.",
        "training_log": _LOG,
        "predictions": f"Predictions {_HELD_OUT}, in the original units.",
        "intervals": f"Prediction intervals {_HELD_OUT}.",
        "baseline_predictions": f"The random forest's predictions {_HELD_OUT}.",
        "importance": _IMPORTANCE,
        "evaluation": _EVALUATION,
    },
    citations=[citations["bokulich2018sample"], citations["pedregosa2011scikit"]],
    examples={"regress_samples": examples.regress_samples},
)

_kinds, _texts = _of_pipeline("class_weights")
plugin.pipelines.register_function(
    function=classify_samples,
    name="Predict a categorical column and evaluate it",
    description=_PIPELINE_DESCRIPTION,
    inputs=_PIPELINE_INPUTS,
    parameters={"metadata": MetadataColumn[Categorical], **_kinds},
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
    input_descriptions=_PIPELINE_INPUTS_HELP,
    parameter_descriptions={"metadata": _CLASS, **_texts},
    output_descriptions={
        "classifier": "The model fitted on all labeled samples.",
        "training_log": _LOG,
        "predictions": f"The most probable classes {_HELD_OUT}.",
        "probabilities": f"The probabilities of every class {_HELD_OUT}.",
        "baseline_predictions": f"The random forest's classes {_HELD_OUT}.",
        "baseline_probabilities": f"The random forest's probabilities {_HELD_OUT}.",
        "importance": _IMPORTANCE,
        "evaluation": _EVALUATION,
    },
    citations=[citations["bokulich2018sample"], citations["pedregosa2011scikit"]],
    examples={"classify_samples": examples.classify_samples},
)
