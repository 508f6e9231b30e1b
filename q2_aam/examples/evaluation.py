"""Usage examples of the evaluate-... visualizers on small artifacts made here; run as tests."""

import numpy as np
import pandas as pd
import qiime2

CLASSES = ("gut", "skin", "tongue")
IDS = [f"sample-{number:02d}" for number in range(1, 37)]


def _body_sites() -> np.ndarray:
    """Return the place of each sample's class in `CLASSES`."""
    return np.arange(len(IDS)) % len(CLASSES)


def _site_metadata() -> qiime2.Metadata:
    index = pd.Index(IDS, name="id")
    site = np.array(CLASSES, dtype=object)[_body_sites()]
    subject = [f"subject {number // 3}" for number in range(len(IDS))]
    return qiime2.Metadata(pd.DataFrame({"body_site": site, "subject": subject}, index=index))


def _site_shares() -> pd.DataFrame:
    random = np.random.default_rng(0)
    evidence = np.eye(len(CLASSES))[_body_sites()] * 2 + random.normal(size=(len(IDS), 3))
    shares = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    return pd.DataFrame(shares, index=pd.Index(IDS, name="id"), columns=list(CLASSES))


def _site_predictions() -> qiime2.Artifact:
    predicted = _site_shares().idxmax(axis=1).rename("prediction")
    return qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", predicted)


def _site_probabilities() -> qiime2.Artifact:
    return qiime2.Artifact.import_data("SampleData[Probabilities]", _site_shares())


def _constant_predictions() -> qiime2.Artifact:
    predicted = pd.Series("gut", index=pd.Index(IDS, name="id"), name="prediction")
    return qiime2.Artifact.import_data("SampleData[ClassifierPredictions]", predicted)


def _importance() -> qiime2.Artifact:
    columns = ["importance"]
    columns += [f"{effect} {site}" for site in CLASSES for effect in ("raises", "lowers")]
    values = [[0.3, 0.3, 0, 0, 0.2, 0, 0.1], [0.1, 0, 0.1, 0.1, 0, 0, 0]]
    features = pd.DataFrame(values, pd.Index(["asv-1", "asv-2"], name="id"), columns)
    return qiime2.Artifact.import_data("FeatureData[Importance]", features)


def _taxonomy() -> qiime2.Artifact:
    index = pd.Index(["asv-1", "asv-2"], name="Feature ID")
    taxa = ["k__Bacteria; g__Bacteroides", "k__Bacteria; g__Rothia"]
    named = pd.DataFrame({"Taxon": taxa, "Confidence": ["1", "1"]}, index)
    return qiime2.Artifact.import_data("FeatureData[Taxonomy]", named)


def evaluate_classification(use):
    """Compare predicted and true body sites, beside a baseline that always says gut."""
    metadata = use.init_metadata("metadata", _site_metadata)
    (visualization,) = use.action(
        use.UsageAction("aam", "evaluate_classification"),
        use.UsageInputs(
            predictions=use.init_artifact("predictions", _site_predictions),
            probabilities=use.init_artifact("probabilities", _site_probabilities),
            baseline_predictions=use.init_artifact("constant", _constant_predictions),
            importance=use.init_artifact("importance", _importance),
            taxonomy=use.init_artifact("taxonomy", _taxonomy),
            truth=use.get_metadata_column("body_site", "body_site", metadata),
            groups=use.get_metadata_column("subject", "subject", metadata),
        ),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")
    visualization.assert_has_line_matching(
        path="downloads/scores.tsv", expression="^model: accuracy\t"
    )
    visualization.assert_has_line_matching(
        path="downloads/confusion.tsv", expression="^baseline: skin as gut\tbaseline\tskin\tgut\t12"
    )
    visualization.assert_has_line_matching(
        path="downloads/importance.tsv", expression="^asv-1\t1\t0.3\t0.75\tgut\tk__Bacteria"
    )


def _places() -> np.ndarray:
    """Return a place in the plane for each sample, near those of its class."""
    random = np.random.default_rng(1)
    centers = np.array([[0.0, 0.0], [0.4, 0.1], [0.1, 0.4]])
    return centers[_body_sites()] + random.normal(scale=0.05, size=(len(IDS), 2))


def _matrix_of(places: np.ndarray) -> qiime2.Artifact:
    import skbio

    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2)).clip(0, 1)
    return qiime2.Artifact.import_data("DistanceMatrix", skbio.DistanceMatrix(apart, IDS))


def _actual_distances() -> qiime2.Artifact:
    return _matrix_of(_places())


def _predicted_distances() -> qiime2.Artifact:
    noise = np.random.default_rng(2).normal(scale=0.03, size=(len(IDS), 2))
    return _matrix_of(_places() + noise)


def evaluate_distances(use):
    """Compare predicted and actual distances, samples colored by body site."""
    metadata = use.init_metadata("metadata", _site_metadata)
    (visualization,) = use.action(
        use.UsageAction("aam", "evaluate_distances"),
        use.UsageInputs(
            predicted=use.init_artifact("predicted_unifrac", _predicted_distances),
            actual=use.init_artifact("unifrac", _actual_distances),
            color_by=use.get_metadata_column("body_site", "body_site", metadata),
        ),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")
    visualization.assert_has_line_matching(
        path="downloads/scores.tsv", expression="^correlation\t.*\t0.9"
    )
