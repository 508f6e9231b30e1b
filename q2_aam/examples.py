"""Usage examples of every action, on a part of the demo study; shown in --help, run as tests."""

from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import biom
import numpy as np
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


@lru_cache
def _fitted(target: str):
    """Fit once for all examples that start from a model."""
    from qiime2.plugins import aam

    fit = aam.actions.fit_regressor if target == "month" else aam.actions.fit_classifier
    return fit(table=_table(), sequences=_sequences(), metadata=_metadata().get_column(target))


@lru_cache
def _predicted():
    from qiime2.plugins import aam

    return aam.actions.predict_regression(_table(), _regressor(), _sequences())


def _one_of(results, name: str, *given):
    """Make a factory of one output of an action, named as it is."""

    def make() -> qiime2.Artifact:
        return getattr(results(*given), name)

    make.__name__ = f"_{name}"
    return make


_regressor = _one_of(_fitted, "regressor", "month")
_classifier = _one_of(_fitted, "classifier", "delivery")
_training_log = _one_of(_fitted, "training_log", "month")
_predictions = _one_of(_predicted, "predictions")
_intervals = _one_of(_predicted, "intervals")

# --- inputs made here: body sites, predicted and true ---------------------------------------------

SITES = ("gut", "skin", "tongue")
IDS = pd.Index([f"sample-{number:02d}" for number in range(1, 37)], name="id")
_SITE = np.arange(len(IDS)) % len(SITES)


def _body_sites() -> qiime2.Metadata:
    subject = [f"subject {number // 3}" for number in range(len(IDS))]
    sites = {"body_site": np.array(SITES, dtype=object)[_SITE], "subject": subject}
    return qiime2.Metadata(pd.DataFrame(sites, IDS))


def _shares() -> pd.DataFrame:
    evidence = np.eye(3)[_SITE] * 2 + np.random.default_rng(0).normal(size=(len(IDS), 3))
    shares = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    return pd.DataFrame(shares, IDS, list(SITES))


def _predicted_sites() -> qiime2.Artifact:
    predicted = _shares().idxmax(axis=1).rename("prediction")
    return _artifact("SampleData[ClassifierPredictions]", predicted)


def _probabilities() -> qiime2.Artifact:
    return _artifact("SampleData[Probabilities]", _shares())


def _constant() -> qiime2.Artifact:
    predicted = pd.Series("gut", IDS, name="prediction")
    return _artifact("SampleData[ClassifierPredictions]", predicted)


def _importance() -> qiime2.Artifact:
    columns = ["importance", *(f"{does} {one}" for one in SITES for does in ("raises", "lowers"))]
    values = [[0.3, 0.3, 0, 0, 0.2, 0, 0.1], [0.1, 0, 0.1, 0.1, 0, 0, 0]]
    features = pd.DataFrame(values, pd.Index(["asv-1", "asv-2"], name="id"), columns)
    return _artifact("FeatureData[Importance]", features)


def _taxonomy() -> qiime2.Artifact:
    taxa = ["k__Bacteria; g__Bacteroides", "k__Bacteria; g__Rothia"]
    index = pd.Index(["asv-1", "asv-2"], name="Feature ID")
    return _artifact(
        "FeatureData[Taxonomy]", pd.DataFrame({"Taxon": taxa, "Confidence": ["1", "1"]}, index)
    )


def _distances(noise: float) -> qiime2.Artifact:
    """Place samples in a plane near those of their body site."""
    random = np.random.default_rng(1)
    centers = np.array([[0.0, 0.0], [0.4, 0.1], [0.1, 0.4]])
    places = centers[_SITE] + random.normal(scale=0.05, size=(len(IDS), 2))
    places = places + random.normal(scale=noise, size=places.shape)
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2)).clip(0, 1)
    return _artifact("DistanceMatrix", skbio.DistanceMatrix(apart, IDS))


def _actual_unifrac() -> qiime2.Artifact:
    return _distances(0.0)


def _predicted_unifrac() -> qiime2.Artifact:
    return _distances(0.03)


# --- examples -------------------------------------------------------------------------------------


class Example(NamedTuple):
    """An example of an action.

    Inputs are functions that make artifacts, lists of them, or plain values; columns are names in
    the metadata. Of each output, its type is asserted, or lines that a file holds.
    """

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    columns: dict[str, str] = {}
    metadata: Any = _metadata


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
_EXAMPLES = {
    "pretrain": Example(
        {"tables": [_table], "distance_matrices": [_unifrac], "sequences": [_sequences]},
        {"encoder": "AAMEncoder", "training_log": _EPOCHS},
    ),
    "pretrain_from_phylogeny": Example(
        {"sequences": _common_sequences, "phylogeny": _tree, "table": _table},
        {"encoder": "AAMEncoder", "training_log": _EPOCHS},
    ),
    "load_encoder": Example({"version": "1"}, {"encoder": "AAMEncoder"}),
    "split_samples": Example(
        {"table": _table},
        {"training_table": "FeatureTable[Frequency]", "test_table": "FeatureTable[Frequency]",
         "training_targets": [("true_targets.tsv", "^id\tmonth$")],
         "test_targets": "SampleData[TrueTargets]"},
        _OF_CHILDREN,
    ),
    "fit_regressor": Example(
        _STUDY, {"regressor": "AAMRegressor", "training_log": _OF_MONTH}, _OF_CHILDREN
    ),
    "fit_classifier": Example(
        _STUDY, {"classifier": "AAMClassifier", "training_log": _OF_DELIVERY},
        {"metadata": "delivery", "groups": "studyid"},
    ),
    "find_learning_rate": Example(_STUDY, _PAGE, {"metadata": "month"}),
    "predict_regression": Example(
        _STUDY | {"regressor": _regressor}, {"predictions": _PREDICTIONS, "intervals": _INTERVALS}
    ),
    "predict_classification": Example(
        _STUDY | {"classifier": _classifier},
        {"predictions": _PREDICTIONS, "probabilities": "SampleData[Probabilities]",
         "recognition": "SampleData[AAMRecognition]"},
    ),
    "predict_distances": Example(_STUDY, {"distance_matrix": "DistanceMatrix"}),
    "check_table": Example(_STUDY | {"model": _regressor}, _PAGE),
    "embed_samples": Example(
        _STUDY | {"model": _regressor},
        {"embeddings": [("embeddings.tsv", "^id\t")],
         "ordination": [("ordination.txt", "^Proportion explained\t10$")]},
    ),
    "feature_importance": Example(
        _STUDY | {"model": _regressor},
        {"importance": [("importance.tsv", "^id\timportance\traises\tlowers$")]},
    ),
    "evaluate_regression": Example(
        {"predictions": _predictions, "intervals": _intervals}, _PAGE,
        {"truth": "month", "groups": "studyid"},
    ),
    "evaluate_classification": Example(
        {"predictions": _predicted_sites, "probabilities": _probabilities,
         "baseline_predictions": _constant, "importance": _importance, "taxonomy": _taxonomy},
        {"visualization": [
            ("downloads/scores.tsv", "^model: accuracy\t"),
            ("downloads/confusion.tsv", "^baseline: skin as gut\tbaseline\tskin\tgut\t12"),
            ("downloads/importance.tsv", "^asv-1\t1\t0.3\t0.75\tgut\tk__Bacteria"),
        ]},
        {"truth": "body_site", "groups": "subject"}, _body_sites,
    ),
    "evaluate_distances": Example(
        {"predicted": _predicted_unifrac, "actual": _actual_unifrac},
        {"visualization": [("downloads/scores.tsv", "^correlation\t.*\t0.9")]},
        {"color_by": "body_site"}, _body_sites,
    ),
    "summarize_training": Example({"training_log": _training_log}, _PAGE),
    "regress_samples": Example(
        _STUDY,
        {"regressor": "AAMRegressor", "training_log": _OF_MONTH, "predictions": _PREDICTIONS,
         "intervals": _INTERVALS, "baseline_predictions": "SampleData[RegressorPredictions]",
         **_REPORT},
        _OF_CHILDREN,
    ),
    "classify_samples": Example(
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
    inputs, outputs, columns, metadata_factory = _EXAMPLES[action]

    def example(use):
        def given(value):
            if isinstance(value, list):
                return [given(one) for one in value]
            return use.init_artifact(value.__name__[1:], value) if callable(value) else value

        arguments = {name: given(value) for name, value in inputs.items()}
        if columns:
            rows = use.init_metadata("metadata", metadata_factory)
            for name, column in columns.items():
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
