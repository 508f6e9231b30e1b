"""Every registration, top to bottom: types, then actions; no logic, and nothing imports torch."""

import q2_sample_classifier as classifier
from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence, Taxonomy
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.ordination import PCoAResults
from q2_types.sample_data import SampleData
from q2_types.tree import Phylogeny, Rooted
from qiime2 import plugin as q2

from . import __version__, parameters, types
from .actions import (
    cross_validate,
    evaluate,
    explain,
    find_learning_rate,
    fit,
    predict,
    pretrain,
    split,
)
from .examples import examples_of
from .parameters import described

citations = q2.Citations.load("citations.bib", package="q2_aam")
_CITED = ("q2aam", "cantrell_aam", "lozupone2005unifrac", "vaswani2017attention")

plugin = q2.Plugin(
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
    citations=[citations[name] for name in _CITED],
)

# --- types of artifacts ---------------------------------------------------------------------------

_MODELS, _LOGS = types.AAMModelDirectoryFormat, types.AAMTrainingLogDirectoryFormat
_BOUNDS, _EMBEDDINGS = types.PredictionIntervalsDirectoryFormat, types.AAMEmbeddingsDirectoryFormat
plugin.register_semantic_types(
    types.AAMEncoder, types.AAMRegressor, types.AAMClassifier, types.AAMTrainingLog,
    types.PredictionIntervals, types.AAMEmbeddings, types.AAMRecognition,
)  # fmt: skip
for kind, directory, text in (
    (types.AAMEncoder, _MODELS, "A pretrained model: it embeds samples and predicts UniFrac."),
    (types.AAMRegressor, _MODELS, "A model that predicts a number of each sample."),
    (types.AAMClassifier, _MODELS, "A model that predicts a class of each sample."),
    (types.AAMTrainingLog, _LOGS, "History and settings of a training run."),
    (SampleData[types.PredictionIntervals], _BOUNDS,
     "A lower and an upper bound for the predicted value of each sample."),
    (SampleData[types.AAMEmbeddings], _EMBEDDINGS,
     "What a model has learned of each sample, as numbers."),
    (SampleData[types.AAMRecognition], _EMBEDDINGS,
     "Shares of each sample's reads by how a model recognized them."),
):  # fmt: skip
    plugin.register_artifact_class(kind, directory, description=text)
plugin.register_views(
    _MODELS, _LOGS, types.PredictionIntervalsFormat, _BOUNDS, types.AAMEmbeddingsFormat, _EMBEDDINGS
)
for transformer in types.TRANSFORMERS:
    plugin.register_transformer(transformer)

# --- what actions share ---------------------------------------------------------------------------


def _register(
    group, function, name, description, inputs=None, parameters=None, outputs=None, cited=()
):
    """Register an action; of each input, parameter and output: its type and its help."""

    def take(place: int, part: dict | None) -> dict:
        return {name: pair[place] for name, pair in (part or {}).items()}

    given = {}
    if outputs is not None:  # a visualizer has its page alone
        given = {"outputs": [*take(0, outputs).items()], "output_descriptions": take(1, outputs)}
    if not function.__name__.startswith("_"):  # hidden from users
        given["examples"] = examples_of(function.__name__)
    group.register_function(
        function=function, name=name, description=description,
        inputs=take(0, inputs), input_descriptions=take(1, inputs),
        parameters=take(0, parameters), parameter_descriptions=take(1, parameters),
        citations=[citations[one] for one in cited], **given,
    )  # fmt: skip


def _with(parameters: dict, **texts: str) -> dict:
    """Give parameters another help in one action."""
    return parameters | {name: (parameters[name][0], text) for name, text in texts.items()}


def _counts(text: str) -> tuple:
    """Describe a table of counts by more than what it always is."""
    return (FeatureTable[Frequency], f"Counts of ASVs in samples. {text}".strip())


_TABLE = _counts("")
_SEQUENCES = (FeatureData[Sequence],
    "DNA of the features. Not needed if the feature ids of the table are the DNA.")  # fmt: skip
_COLUMN = q2.MetadataColumn[q2.Categorical | q2.Numeric]
_NUMBER, _CLASS = (
    (q2.MetadataColumn[kind],
     f"The {what} column to predict. Samples with a blank cell are left out.")
    for kind, what in ((q2.Numeric, "numeric"), (q2.Categorical, "categorical"))
)  # fmt: skip
_GROUPS = (_COLUMN,
    "Samples of one group (subject, site, cage) stay together, so that repeated measures of one "
    "subject are never on both sides of a split.")  # fmt: skip
_COVARIATES = (q2.Metadata, "Metadata with the columns that 'covariate_columns' names.")
_COVARIATES_OF_MODEL = (q2.Metadata,
    "If the model was fitted with covariates: metadata with the same columns, and a row for each "
    "sample.")  # fmt: skip
_MODEL = types.AAMRegressor | types.AAMClassifier
_FITTED = (_MODEL, "A model from fit-regressor or fit-classifier.")
_ANY_MODEL = types.AAMEncoder | _MODEL
_LOG = (types.AAMTrainingLog,
    "What the model consists of, all settings, and which samples were used and dropped.",
)  # fmt: skip
_PRETRAINED = {"encoder": (types.AAMEncoder, "The pretrained encoder."), "training_log": _LOG}
_NUMBERS = SampleData[classifier.RegressorPredictions]
_CLASSES = SampleData[classifier.ClassifierPredictions]
_SHARES = SampleData[classifier.Probabilities]
_INTERVALS, _TARGETS = SampleData[types.PredictionIntervals], SampleData[classifier.TrueTargets]
_IMPORTANCE = FeatureData[classifier.Importance]

# --- learning -------------------------------------------------------------------------------------

_register(
    plugin.methods, pretrain.pretrain, "Pretrain an encoder on samples without labels",
    "Learn to read ASVs and their phylogeny from their DNA and a UniFrac matrix. No metadata is "
    "needed: use all the samples there are.",
    inputs={
        "tables": (q2.List[_TABLE[0]], f"{_TABLE[1]} One table for each study."),
        "distance_matrices": (q2.List[DistanceMatrix],
            "Unweighted UniFrac between the samples of each table, matched by their sample ids. "
            "Compute it on the table given here: rarefy first, then use the rarefied table for "
            "both."),
        "sequences": (q2.List[_SEQUENCES[0]], _SEQUENCES[1]),
        "initial_encoder": (types.AAMEncoder,
            "An encoder to start from; the architecture is then its own."),
    },
    parameters=_with(
        described(*parameters.PRETRAINING_SETTINGS),
        epochs="Largest number of passes over the samples; training stops sooner when it stalls. "
        "Default: 3, as an encoder that knows a tree needs few; 40 for a new one.",
        learning_rate="Size of a training step. Lower it if the losses jump. Default: 0.0003, so "
        "that what an encoder knows is kept; 0.003 for a new one.",
    ),
    outputs=_PRETRAINED,
)  # fmt: skip

_register(
    plugin.methods, pretrain.pretrain_from_phylogeny,
    "Pretrain an encoder on a phylogeny of its ASVs",
    "Learn which clades of a phylogeny lie above a read. No distances are needed, and no samples: "
    "time grows with the number of ASVs.",
    inputs={
        "sequences": (FeatureData[Sequence], "DNA of the tips that are learned."),
        "phylogeny": (Phylogeny[Rooted],
            "A rooted tree with branch lengths, whose tips are the ids of the sequences. Tips "
            "without a sequence are not learned."),
        "table": (FeatureTable[Frequency],
            "Samples that hold these ASVs. ASVs of many samples then count more, and UniFrac of up "
            "to 500 samples decides which epoch is kept."),
        "initial_encoder": (types.AAMEncoder,
            "An encoder to start from; the number of its branches may change. Default: the bundled "
            "one."),
    },
    parameters=_with(
        described(*parameters.PHYLOGENY_SETTINGS),
        epochs="Passes over the ASVs. Default: as many as read a million ASVs, at least 5 and at "
        "most 60.",
        validation_size="Share of the ASVs that are not learned but scored after each epoch.",
        batch_size="ASVs in a training step. 'auto' halves it until it fits into memory.",
    ),
    outputs=_PRETRAINED,
)  # fmt: skip

_register(
    plugin.methods, pretrain.load_encoder, "Load the encoder that ships with q2-aam",
    "Write the bundled encoder as an artifact, to start from it or to share it. Actions use it "
    "anyway where no encoder is given.",
    parameters=described("version"),
    outputs={"encoder": (types.AAMEncoder, "An encoder that knows the clades of Greengenes 13_8.")},
    cited=["mcdonald2012improved"],
)  # fmt: skip

_register(
    plugin.methods, split.split_samples,
    "Hold out samples for testing, whole groups at a time",
    "Divide the samples that have a value into a training and a test table. If the column is "
    "categorical, the share is held out of each class, as nearly as groups allow.",
    inputs={"table": _TABLE},
    parameters={
        "metadata": (_COLUMN, "The column to be predicted; samples without a value are left out."),
        "groups": _GROUPS,
        **described("test_size", "missing_samples", "random_seed"),
    },
    outputs={
        "training_table": (FeatureTable[Frequency], "Samples to fit a model on."),
        "test_table": (FeatureTable[Frequency],
            "Samples to judge it by; never show them to a fit."),
        "training_targets": (_TARGETS, "The true values of the training samples."),
        "test_targets": (_TARGETS, "The true values of the test samples."),
    },
)  # fmt: skip

_FIT_INPUTS = {
    "table": _counts("Hold out test samples first, with split-samples."),
    "sequences": _SEQUENCES,
    "encoder": (types.AAMEncoder,
        "An encoder from pretrain or pretrain-from-phylogeny, to use instead of the bundled one."),
    "distance_matrix": (DistanceMatrix,
        "Unweighted UniFrac between the samples. If given, the model learns it beside the target, "
        "which takes minutes. This needs 'freeze_encoder' off."),
}  # fmt: skip
_FITS = [
    (fit.fit_regressor, "number", _NUMBER, parameters.REGRESSION_SETTINGS, "regressor",
     types.AAMRegressor, ["vovk2015cross", "pedregosa2011scikit"]),
    (fit.fit_classifier, "class", _CLASS, parameters.CLASSIFICATION_SETTINGS, "classifier",
     types.AAMClassifier, ["pedregosa2011scikit"]),
]  # fmt: skip
for function, what, target, settings, model, kind, cited in _FITS:
    _register(
        plugin.methods, function, f"Fit a model that predicts a {what} of each sample",
        "Fit on every labeled sample of the table. Heads (ridge or logistic regression, and a "
        "forest) learn from what the encoder reads of a sample, and are averaged by how well they "
        "predict groups that were left out. This takes seconds. Epochs, learning rate and the "
        "other settings of training matter only where a transformer is trained: see "
        "'attention_head' and 'freeze_encoder'.",
        inputs=_FIT_INPUTS,
        parameters={
            "metadata": target, "groups": _GROUPS, "covariates": _COVARIATES,
            **described(*settings),
        },
        outputs={model: (kind, "The fitted model."), "training_log": _LOG},
        cited=cited,
    )  # fmt: skip

_register(
    plugin.visualizers, find_learning_rate.find_learning_rate,
    "Find a learning rate before training",
    "Train a copy of the model for a few steps while the learning rate rises, and show what the "
    "loss does. The rate at which it falls most steeply is suggested. Nothing that was learned is "
    "kept.",
    inputs=_FIT_INPUTS | {
        "table": _TABLE,
        "distance_matrix": (DistanceMatrix,
            "Unweighted UniFrac between the samples. Needed without 'metadata'."),
    },
    parameters={
        "metadata": (_COLUMN,
            "The column to predict: the learning rate is then for fit-regressor (a numeric column) "
            "or fit-classifier (a categorical one). Without it, it is for pretrain."),
        **described(*parameters.LEARNING_RATE_SETTINGS),
    },
    cited=["smith2017cyclical"],
)  # fmt: skip

# --- predicting -----------------------------------------------------------------------------------

_PREDICTIONS = [
    (predict.predict_regression, "number", "regressor", types.AAMRegressor,
     ("confidence_level", "min_recognized"), ["vovk2015cross"], {
        "predictions": (_NUMBERS, "The predicted value of each sample, in the original units."),
        "intervals": (_INTERVALS,
            "Bounds between which the true value is expected, and the shares of each sample's "
            "reads by how the model recognized them."),
    }),
    (predict.predict_classification, "class", "classifier", types.AAMClassifier,
     ("min_recognized",), [], {
        "predictions": (_CLASSES, "The most probable class of each sample."),
        "probabilities": (_SHARES, "The probability of every class for each sample."),
        "recognition": (SampleData[types.AAMRecognition],
            "Shares of each sample's reads by how the model recognized them."),
    }),
]  # fmt: skip
for function, what, model, kind, settings, cited, outputs in _PREDICTIONS:
    _register(
        plugin.methods, function, f"Predict a {what} of each sample",
        "Predict samples that the model has never seen. ASVs are recognized by their DNA: reads of "
        "another length, start or orientation are the same ASVs, and new ASVs are read by their "
        "relatives.",
        inputs={
            "table": _TABLE, model: (kind, f"A model from fit-{model}."), "sequences": _SEQUENCES,
        },
        parameters={"covariates": _COVARIATES_OF_MODEL, **described(*settings)},
        outputs=outputs, cited=cited,
    )  # fmt: skip

_register(
    plugin.visualizers, predict.check_table, "See whether a model can read a table",
    "Look up the sequences of a table in a model before predicting: how much of each sample is "
    "recognized and how, read lengths, orientation, and the most abundant sequences that the model "
    "does not know.",
    inputs={"table": _TABLE, "model": _FITTED, "sequences": _SEQUENCES},
)  # fmt: skip

_register(
    plugin.methods, predict.predict_distances, "Predict UniFrac between samples, without a tree",
    "Predict the distances between all samples of a table from the DNA of its ASVs.",
    inputs={
        "table": _counts("Rarefy it first: UniFrac depends on the depth."),
        "model": (_ANY_MODEL, "A model that learned distances. Default: the bundled encoder."),
        "sequences": _SEQUENCES,
    },
    outputs={"distance_matrix": (DistanceMatrix, "Predicted unweighted UniFrac, ready for PCoA.")},
)  # fmt: skip

# --- explaining -----------------------------------------------------------------------------------

_register(
    plugin.methods, explain.embed_samples, "Describe samples by what a model has learned",
    "Turn each sample into numbers that other methods can use: to plot, to cluster, or to predict "
    "from. A model that was fitted to a target has seen the labels of its own samples: judge "
    "methods that use its numbers on other samples.",
    inputs={
        "table": _TABLE,
        "model": (_ANY_MODEL, "Any model of q2-aam. Default: the bundled encoder."),
        "sequences": _SEQUENCES,
    },
    parameters=described("content", "dimensions"),
    outputs={
        "embeddings": (SampleData[types.AAMEmbeddings],
            "A row of numbers for each sample; it can be used as metadata."),
        "ordination": (PCoAResults,
            "Their first principal components, at most 10, ready for 'qiime emperor plot'."),
    },
)  # fmt: skip

_register(
    plugin.methods, explain.feature_importance, "See which features a model's predictions rest on",
    "Take each feature out of samples that hold it, as if it had never been in the table, and "
    "average by how much the prediction changes. What a model rests on need not be a cause: of "
    "features that always occur together, either may carry the effect.",
    inputs={
        "table": _counts("The samples that the model was fitted on, or new ones."),
        "model": _FITTED,
        "sequences": _SEQUENCES,
    },
    parameters={"covariates": _COVARIATES_OF_MODEL, **described("samples_per_feature")},
    outputs={
        "importance": (_IMPORTANCE,
            "The most important feature first. 'importance' is how far a feature moves the "
            "prediction of a sample, on average over all samples: in the target's units, or as the "
            "probability that it moves between classes. 'raises' and 'lowers' say in which "
            "direction; for a classifier, for each class."),
    },
    cited=["zeiler2014visualizing", "covert2021explaining"],
)  # fmt: skip

# --- looking --------------------------------------------------------------------------------------

_FEATURES = {
    "importance": (_IMPORTANCE,
        "From feature-importance: the page shows what the predictions rest on."),
    "sequences": (FeatureData[Sequence], "DNA of these features, to be copied from the page."),
    "taxonomy": (FeatureData[Taxonomy], "Names these features by their taxa."),
}  # fmt: skip
_LOG_OF_MODEL = (types.AAMTrainingLog, "Of the model that predicted.")
_SHOWN = {
    "groups": (_COLUMN, "Samples that belong together: intervals of scores are drawn by group."),
    "design": (q2.Str, "How the samples were held out, in a sentence to show on the page."),
}  # fmt: skip

_register(
    plugin.visualizers, evaluate.evaluate_regression, "See how good predictions of a number are",
    "Compare predictions with true values: charts, scores with bootstrap intervals, the worst "
    "predicted samples, a comparison with a baseline, and the features that matter.",
    inputs={
        "predictions": (_NUMBERS, "Predictions of samples that the model was not fitted on."),
        "intervals": (_INTERVALS, "Their prediction intervals."),
        "baseline_predictions": (_NUMBERS, "Another model's predictions of the same samples."),
        "training_log": _LOG_OF_MODEL,
        "table": (FeatureTable[Frequency],
            "Counts of the important features, to show them beside the target."),
        **_FEATURES,
    },
    parameters={
        "truth": (q2.MetadataColumn[q2.Numeric], "The true values, in the same units."),
        "color_by": (_COLUMN, "A column that colors the points, to see whether errors follow it."),
        **_SHOWN,
    },
)  # fmt: skip

_register(
    plugin.visualizers, evaluate.evaluate_classification, "See how good predictions of a class are",
    "Compare predicted with true classes: confusion matrix, ROC and precision-recall curves, "
    "calibration, scores with bootstrap intervals beside a baseline and the most frequent class, "
    "and the features that matter.",
    inputs={
        "predictions": (_CLASSES, "Predicted classes of samples that the model was not fitted on."),
        "probabilities": (_SHARES, "The probabilities that came with them."),
        "recognition": (SampleData[types.AAMRecognition],
            "How their reads were recognized, from predict-classification."),
        "baseline_predictions": (_CLASSES, "Another classifier's predictions of the same samples."),
        "baseline_probabilities": (_SHARES,
            "The probabilities that came with the baseline predictions."),
        "training_log": _LOG_OF_MODEL,
        "table": (FeatureTable[Frequency],
            "Counts of the important features, to show them by class."),
        **_FEATURES,
    },
    parameters={
        "truth": (q2.MetadataColumn[q2.Categorical],
            "The true classes. A column whose classes are numbers must be marked as categorical in "
            "the metadata file."),
        **_SHOWN,
    },
)  # fmt: skip

_register(
    plugin.visualizers, evaluate.evaluate_distances,
    "See how good predicted distances between samples are",
    "Compare predicted with actual UniFrac: all pairs of samples, the error by distance, r, "
    "R\u00b2 and mean absolute error with bootstrap intervals, both ordinations side by side with "
    "a Procrustes test, and the samples whose distances are worst.",
    inputs={
        "predicted": (DistanceMatrix, "Distances from predict-distances."),
        "actual": (DistanceMatrix,
            "UniFrac computed with a tree. Samples that both matrices have are compared."),
    },
    parameters={
        "color_by": (_COLUMN, "A column that colors the samples in the ordinations."),
        **described("random_seed"),
    },
    cited=["jackson1995protest"],
)  # fmt: skip

_register(
    plugin.visualizers, evaluate.summarize_training, "See how a model was trained",
    "What the predictions come from, losses by epoch where there are any, every setting, and the "
    "samples used and dropped.",
    inputs={
        "training_log": (types.AAMTrainingLog, "From pretrain, fit-regressor or fit-classifier.")},
)  # fmt: skip

# --- the common case in one command ---------------------------------------------------------------

_predicted = q2.TypeMatch([classifier.RegressorPredictions, classifier.ClassifierPredictions])
_numbers = q2.TypeMatch([types.PredictionIntervals, types.AAMRecognition, classifier.Probabilities])
# Names that begin with _ are hidden from users; pipelines call these, so that provenance is whole.
_register(
    plugin.methods, cross_validate._merge_predictions, "Join predictions of different samples",
    "Join the predictions of the parts of a cross-validation.",
    inputs={"predictions": (q2.List[SampleData[_predicted]], "Predictions of different samples.")},
    outputs={"merged_predictions": (SampleData[_predicted], "The predictions of all samples.")},
)  # fmt: skip
_register(
    plugin.methods, cross_validate._merge_tables,
    "Join intervals or probabilities of different samples",
    "Join what belongs to the predictions of the parts of a cross-validation.",
    inputs={
        "tables": (q2.List[SampleData[_numbers]],
            "Intervals, probabilities or shares, of different samples.")},
    outputs={"merged_table": (SampleData[_numbers], "Those of all samples.")},
)  # fmt: skip

_HELD_OUT = "of the samples held out"
_PIPELINES = [
    (cross_validate.regress_samples, "numeric", _NUMBER, parameters.REGRESSION_PIPELINE, {
        "regressor": (types.AAMRegressor, "The model fitted on all labeled samples."),
        "training_log": _LOG,
        "predictions": (_NUMBERS, f"Predictions {_HELD_OUT}, in the original units."),
        "intervals": (_INTERVALS, f"Prediction intervals {_HELD_OUT}."),
        "baseline_predictions": (_NUMBERS, f"The random forest's predictions {_HELD_OUT}."),
    }),
    (cross_validate.classify_samples, "categorical", _CLASS, parameters.CLASSIFICATION_PIPELINE, {
        "classifier": (types.AAMClassifier, "The model fitted on all labeled samples."),
        "training_log": _LOG,
        "predictions": (_CLASSES, f"The most probable classes {_HELD_OUT}."),
        "probabilities": (_SHARES, f"The probabilities of every class {_HELD_OUT}."),
        "baseline_predictions": (_CLASSES, f"The random forest's classes {_HELD_OUT}."),
        "baseline_probabilities": (_SHARES, f"The random forest's probabilities {_HELD_OUT}."),
    }),
]  # fmt: skip
for function, what, target, settings, outputs in _PIPELINES:
    _register(
        plugin.pipelines, function, f"Predict a {what} column and evaluate it",
        "The whole analysis in one command: hold samples out (one share, or every sample in turn "
        "with 'folds'), fit a model on the others, predict what was held out, do the same with "
        "q2-sample-classifier's random forest, fit a model on everything for later use, find the "
        "features that it rests on, and report it all.",
        inputs=_FIT_INPUTS | {
            "table": _TABLE,
            "distance_matrix": (DistanceMatrix,
                "Unweighted UniFrac between the samples of the table. If given, the encoder is "
                "first trained on it, on all samples and without looking at any label."),
            "taxonomy": (FeatureData[Taxonomy],
                "Names the features that matter in the report. Nothing is learned from it."),
        },
        parameters={
            "metadata": target, "groups": _GROUPS, "covariates": _COVARIATES,
            **described(*settings),
        },
        outputs=outputs | {
            "test_targets": (_TARGETS, f"The true values {_HELD_OUT}."),
            "importance": (_IMPORTANCE,
                "How far each feature moves the predictions of the model fitted on all samples."),
            "evaluation": (q2.Visualization,
                "How good both are, and which features the predictions rest on."),
        },
        cited=["bokulich2018sample", "pedregosa2011scikit"],
    )  # fmt: skip
