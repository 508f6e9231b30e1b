"""Usage examples of every action, on a part of the demo study; shown in --help, run as tests."""

from functools import lru_cache
from importlib import resources

import biom
import pandas as pd
import qiime2
import skbio

SAMPLES, FEATURES = 24, 60
_artifact = qiime2.Artifact.import_data

# --- inputs: a part of the demo study, and what is made from it -----------------------------------


def _load(name: str, kind: type = qiime2.Artifact):
    with resources.as_file(resources.files("q2_aam.demo_data") / name) as path:
        return kind.load(str(path))


def _metadata() -> qiime2.Metadata:
    return _load("metadata.tsv", qiime2.Metadata)


def _table() -> qiime2.Artifact:
    """Keep a few labeled samples and their most common ASVs, so that examples run in seconds."""
    counts = _load("table.qza").view(biom.Table)
    labeled = set(_metadata().ids)
    chosen = [name for name in counts.ids() if name in labeled][:SAMPLES]
    counts = counts.filter(chosen, inplace=False)
    prevalence = counts.matrix_data.getnnz(axis=1)
    common = counts.ids(axis="observation")[prevalence.argsort()[-FEATURES:]]
    counts = counts.filter(set(common), axis="observation", inplace=False)
    return _artifact("FeatureTable[Frequency]", counts)


def _sequences() -> qiime2.Artifact:
    return _load("rep-seqs.qza")


def _common_sequences() -> qiime2.Artifact:
    """Keep the sequences of the ASVs of `_table`."""
    dna = _sequences().view(pd.Series)[list(_table().view(biom.Table).ids(axis="observation"))]
    return _artifact("FeatureData[Sequence]", dna)


def _tree() -> qiime2.Artifact:
    return _load("rooted-tree.qza")


def _unifrac() -> qiime2.Artifact:
    """Jaccard distances stand for UniFrac here: they need no tree and are in [0, 1] too."""
    counts = _table().view(biom.Table)
    present = counts.matrix_data.T.toarray() > 0
    matrix = skbio.diversity.beta_diversity("jaccard", present, counts.ids())
    return _artifact("DistanceMatrix", matrix)


def _taxonomy() -> qiime2.Artifact:
    """Call all ASVs of `_table` by one name."""
    features = pd.Index(_table().view(biom.Table).ids(axis="observation"), name="Feature ID")
    taxa = pd.DataFrame({"Taxon": "k__Bacteria; g__Bacteroides", "Confidence": "1"}, features)
    return _artifact("FeatureData[Taxonomy]", taxa)


def _most_common_class() -> qiime2.Artifact:
    samples = pd.Index(_table().view(biom.Table).ids(), name="id")
    predicted = pd.Series("Cesarean", samples, name="prediction")
    return _artifact("SampleData[ClassifierPredictions]", predicted)


@lru_cache
def _results(action: str, column: str | None = None, **models):
    """Run an action once for all examples that start from what it gives."""
    from qiime2.plugins import aam

    given = {"metadata": _metadata().get_column(column)} if column else {}
    given |= {name: model() for name, model in models.items()}
    return getattr(aam.actions, action)(table=_table(), sequences=_sequences(), **given)


def _one_of(name: str, *action, **models):
    """Make a factory of one result of an action, named as it is."""

    def make() -> qiime2.Artifact:
        return getattr(_results(*action, **models), name)

    make.__name__ = f"_{name}"
    return make


_regressor = _one_of("regressor", "fit_regressor", "month")
_training_log = _one_of("training_log", "fit_regressor", "month")
_classifier = _one_of("classifier", "fit_classifier", "delivery")
_predictions = _one_of("predictions", "predict_regression", regressor=_regressor)
_intervals = _one_of("intervals", "predict_regression", regressor=_regressor)
_classes = _one_of("predictions", "predict_classification", classifier=_classifier)
_probabilities = _one_of("probabilities", "predict_classification", classifier=_classifier)
_importance = _one_of("importance", "feature_importance", model=_classifier)
_predicted_distances = _one_of("distance_matrix", "predict_distances")

# --- examples -------------------------------------------------------------------------------------


_STUDY = {"table": _table, "sequences": _sequences}
_OF_CHILDREN = {"metadata": "month", "groups": "studyid"}
_PAGE = {"visualization": "Visualization"}
_PREDICTIONS = [("predictions.tsv", "\tprediction$")]
_INTERVALS = [("intervals.tsv", "^id\tlower\tupper\tsame")]
_EPOCHS = [("history.tsv", "^epoch 2\t")]
_OF_MONTH, _OF_DELIVERY = (
    [("summary.json", f'"name": "{target}"')] for target in ("month", "delivery")
)
_REPORT = {
    "test_targets": "SampleData[TrueTargets]", "importance": "FeatureData[Importance]",
    "evaluation": "Visualization",
}  # fmt: skip
# Of each action: inputs, which are functions that make artifacts, lists of them, or plain values;
# of each output its type, or lines that a file holds; and columns by their names in the metadata.
_EXAMPLES = {
    "pretrain": (
        {"tables": [_table], "distance_matrices": [_unifrac], "sequences": [_sequences]},
        {"encoder": "AAMEncoder", "training_log": _EPOCHS},
    ),
    "pretrain_from_phylogeny": (
        {"sequences": _common_sequences, "phylogeny": _tree, "table": _table},
        {"encoder": "AAMEncoder", "training_log": _EPOCHS},
    ),
    "load_encoder": ({"version": "1"}, {"encoder": "AAMEncoder"}),
    "split_samples": (
        {"table": _table},
        {"training_table": "FeatureTable[Frequency]", "test_table": "FeatureTable[Frequency]",
         "training_targets": [("true_targets.tsv", "^id\tmonth$")],
         "test_targets": "SampleData[TrueTargets]"},
        _OF_CHILDREN,
    ),
    "fit_regressor": (
        _STUDY, {"regressor": "AAMRegressor", "training_log": _OF_MONTH}, _OF_CHILDREN
    ),
    "fit_classifier": (
        _STUDY, {"classifier": "AAMClassifier", "training_log": _OF_DELIVERY},
        {"metadata": "delivery", "groups": "studyid"},
    ),
    "find_learning_rate": (_STUDY, _PAGE, {"metadata": "month"}),
    "predict_regression": (
        _STUDY | {"regressor": _regressor}, {"predictions": _PREDICTIONS, "intervals": _INTERVALS}
    ),
    "predict_classification": (
        _STUDY | {"classifier": _classifier},
        {"predictions": _PREDICTIONS, "probabilities": "SampleData[Probabilities]",
         "recognition": "SampleData[AAMRecognition]"},
    ),
    "predict_distances": (_STUDY, {"distance_matrix": "DistanceMatrix"}),
    "check_table": (_STUDY | {"model": _regressor}, _PAGE),
    "embed_samples": (
        _STUDY | {"model": _regressor},
        {"embeddings": [("embeddings.tsv", "^id\t")],
         "ordination": [("ordination.txt", "^Proportion explained\t10$")]},
    ),
    "feature_importance": (
        _STUDY | {"model": _regressor},
        {"importance": [("importance.tsv", "^id\timportance\traises\tlowers$")]},
    ),
    "evaluate_regression": (
        {"predictions": _predictions, "intervals": _intervals}, _PAGE,
        {"truth": "month", "groups": "studyid"},
    ),
    "evaluate_classification": (
        {"predictions": _classes, "probabilities": _probabilities,
         "baseline_predictions": _most_common_class, "importance": _importance,
         "taxonomy": _taxonomy},
        {"visualization": [
            ("downloads/scores.tsv", "^model: accuracy\t"),
            ("downloads/confusion.tsv", "^baseline: Vaginal as Cesarean\t.*\t10\t1$"),
            ("downloads/importance.tsv", "^\\w+\t1\t0[.].*\tk__Bacteria"),
        ]},
        {"truth": "delivery", "groups": "studyid"},
    ),
    "evaluate_distances": (
        {"predicted": _predicted_distances, "actual": _unifrac},
        {"visualization": [("downloads/scores.tsv", "^correlation\t.*\t0.8")]},
        {"color_by": "delivery"},
    ),
    "summarize_training": ({"training_log": _training_log}, _PAGE),
    "regress_samples": (
        _STUDY,
        {"regressor": "AAMRegressor", "training_log": _OF_MONTH, "predictions": _PREDICTIONS,
         "intervals": _INTERVALS, "baseline_predictions": "SampleData[RegressorPredictions]",
         **_REPORT},
        _OF_CHILDREN,
    ),
    "classify_samples": (
        _STUDY,
        {"classifier": "AAMClassifier", "training_log": _OF_DELIVERY, "predictions": _PREDICTIONS,
         "probabilities": "SampleData[Probabilities]",
         "baseline_predictions": "SampleData[ClassifierPredictions]",
         "baseline_probabilities": "SampleData[Probabilities]", **_REPORT},
        {"metadata": "delivery", "groups": "studyid"},
    ),
}  # fmt: skip


def examples_of(action: str) -> dict:
    """Return the usage example of an action, as the framework takes it."""
    inputs, outputs, *columns = _EXAMPLES[action]

    def example(use):
        def given(value):
            if isinstance(value, list):
                return [given(one) for one in value]
            return use.init_artifact(value.__name__[1:], value) if callable(value) else value

        arguments = {name: given(value) for name, value in inputs.items()}
        for of_metadata in columns:
            rows = use.init_metadata("metadata", _metadata)
            for name, column in of_metadata.items():
                arguments[name] = use.get_metadata_column(column, column, rows)
        results = use.action(
            use.UsageAction("aam", action),
            use.UsageInputs(**arguments),
            use.UsageOutputNames(**{name: name for name in outputs}),
        )
        for name, expected in outputs.items():
            result = getattr(results, name)
            if isinstance(expected, str):
                result.assert_output_type(semantic_type=expected)
                continue
            for path, expression in expected:
                result.assert_has_line_matching(path=path, expression=expression)

    return {action: example}
