"""Examples of fitting and predicting, on a part of the demo study."""

from functools import lru_cache
from importlib import resources

import qiime2

SAMPLES, FEATURES = 24, 60


def _load(name: str) -> qiime2.Artifact:
    with resources.as_file(resources.files("q2_aam.demo_data") / name) as path:
        return qiime2.Artifact.load(str(path))


def _metadata() -> qiime2.Metadata:
    with resources.as_file(resources.files("q2_aam.demo_data") / "metadata.tsv") as path:
        return qiime2.Metadata.load(str(path))


def _table() -> qiime2.Artifact:
    """Keep a few labeled samples and their most common ASVs, so that examples run in seconds."""
    import biom

    table = _load("table.qza").view(biom.Table)
    labeled = set(_metadata().ids)
    chosen = [name for name in table.ids() if name in labeled][:SAMPLES]
    table = table.filter(chosen, inplace=False)
    prevalence = table.matrix_data.getnnz(axis=1)
    common = table.ids(axis="observation")[prevalence.argsort()[-FEATURES:]]
    table = table.filter(set(common), axis="observation", inplace=False)
    return qiime2.Artifact.import_data("FeatureTable[Frequency]", table)


def _sequences() -> qiime2.Artifact:
    return _load("rep-seqs.qza")


def _distances() -> qiime2.Artifact:
    """Jaccard distances stand for UniFrac here: they need no tree and are in [0, 1] too."""
    import biom
    import skbio

    table = _table().view(biom.Table)
    present = table.matrix_data.T.toarray() > 0
    matrix = skbio.diversity.beta_diversity("jaccard", present, table.ids())
    return qiime2.Artifact.import_data("DistanceMatrix", matrix)


def _common_sequences() -> qiime2.Artifact:
    """Keep the sequences of the ASVs of `_table`."""
    import biom
    import pandas as pd

    sequences = _sequences().view(pd.Series)
    sequences = sequences[list(_table().view(biom.Table).ids(axis="observation"))]
    return qiime2.Artifact.import_data("FeatureData[Sequence]", sequences)


def _tree() -> qiime2.Artifact:
    return _load("rooted-tree.qza")


@lru_cache
def _fit_results():
    """Fit once for all examples that start from a model."""
    from qiime2.plugins import aam

    return aam.actions.fit_regressor(
        table=_table(),
        sequences=_sequences(),
        metadata=_metadata().get_column("month"),
    )


def _regressor() -> qiime2.Artifact:
    return _fit_results().regressor


@lru_cache
def _classifier() -> qiime2.Artifact:
    from qiime2.plugins import aam

    return aam.actions.fit_classifier(
        table=_table(),
        sequences=_sequences(),
        metadata=_metadata().get_column("delivery"),
    ).classifier


def _training_log() -> qiime2.Artifact:
    return _fit_results().training_log


@lru_cache
def _predict_results():
    from qiime2.plugins import aam

    return aam.actions.predict_regression(
        table=_table(), sequences=_sequences(), regressor=_regressor()
    )


def _predictions() -> qiime2.Artifact:
    return _predict_results().predictions


def _intervals() -> qiime2.Artifact:
    return _predict_results().intervals


def _study(use):
    return use.init_artifact("table", _table), use.init_artifact("sequences", _sequences)


def _columns(use, target: str = "month"):
    metadata = use.init_metadata("metadata", _metadata)
    return (
        use.get_metadata_column(target, target, metadata),
        use.get_metadata_column("studyid", "studyid", metadata),
    )


def pretrain(use):
    """Pretrain for two epochs on one study."""
    table, sequences = _study(use)
    encoder, training_log = use.action(
        use.UsageAction("aam", "pretrain"),
        use.UsageInputs(
            tables=[table],
            distance_matrices=[use.init_artifact("unifrac", _distances)],
            sequences=[sequences],
            epochs=2,
        ),
        use.UsageOutputNames(encoder="encoder", training_log="training_log"),
    )
    encoder.assert_output_type(semantic_type="AAMEncoder")
    training_log.assert_has_line_matching(path="history.tsv", expression="^epoch 2\t")


def pretrain_from_phylogeny(use):
    """Pretrain for two epochs on the tree of a few ASVs."""
    table, _ = _study(use)
    encoder, training_log = use.action(
        use.UsageAction("aam", "pretrain_from_phylogeny"),
        use.UsageInputs(
            sequences=use.init_artifact("common_sequences", _common_sequences),
            phylogeny=use.init_artifact("tree", _tree),
            table=table,
            epochs=2,
        ),
        use.UsageOutputNames(encoder="encoder", training_log="training_log"),
    )
    encoder.assert_output_type(semantic_type="AAMEncoder")
    training_log.assert_has_line_matching(path="history.tsv", expression="^epoch 2\t")


def load_encoder(use):
    """Write the bundled encoder as an artifact."""
    (encoder,) = use.action(
        use.UsageAction("aam", "load_encoder"),
        use.UsageInputs(version="1"),
        use.UsageOutputNames(encoder="encoder"),
    )
    encoder.assert_output_type(semantic_type="AAMEncoder")


def split_samples(use):
    """Hold out a fifth of the children."""
    table, _ = _study(use)
    month, child = _columns(use)
    training_table, test_table = use.action(
        use.UsageAction("aam", "split_samples"),
        use.UsageInputs(table=table, metadata=month, groups=child, test_size=0.2),
        use.UsageOutputNames(training_table="training_table", test_table="test_table"),
    )
    training_table.assert_output_type(semantic_type="FeatureTable[Frequency]")
    test_table.assert_output_type(semantic_type="FeatureTable[Frequency]")


def fit_regressor(use):
    """Fit the age in months, samples of a child kept together."""
    table, sequences = _study(use)
    month, child = _columns(use)
    regressor, training_log = use.action(
        use.UsageAction("aam", "fit_regressor"),
        use.UsageInputs(table=table, sequences=sequences, metadata=month, groups=child),
        use.UsageOutputNames(regressor="regressor", training_log="training_log"),
    )
    regressor.assert_output_type(semantic_type="AAMRegressor")
    training_log.assert_has_line_matching(path="summary.json", expression='"name": "month"')


def predict_regression(use):
    """Predict the age of each sample."""
    table, sequences = _study(use)
    predictions, intervals = use.action(
        use.UsageAction("aam", "predict_regression"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            regressor=use.init_artifact("regressor", _regressor),
        ),
        use.UsageOutputNames(predictions="predictions", intervals="intervals"),
    )
    predictions.assert_has_line_matching(path="predictions.tsv", expression="\tprediction$")
    intervals.assert_has_line_matching(path="intervals.tsv", expression="^id\tlower\tupper\tsame")


def fit_classifier(use):
    """Fit the mode of delivery, samples of a child kept together."""
    table, sequences = _study(use)
    delivery, child = _columns(use, "delivery")
    classifier, training_log = use.action(
        use.UsageAction("aam", "fit_classifier"),
        use.UsageInputs(table=table, sequences=sequences, metadata=delivery, groups=child),
        use.UsageOutputNames(classifier="classifier", training_log="training_log"),
    )
    classifier.assert_output_type(semantic_type="AAMClassifier")
    training_log.assert_has_line_matching(path="summary.json", expression='"name": "delivery"')


def predict_classification(use):
    """Predict the mode of delivery of each sample."""
    table, sequences = _study(use)
    predictions, probabilities, recognition = use.action(
        use.UsageAction("aam", "predict_classification"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            classifier=use.init_artifact("classifier", _classifier),
        ),
        use.UsageOutputNames(
            predictions="predictions", probabilities="probabilities", recognition="recognition"
        ),
    )
    recognition.assert_output_type(semantic_type="SampleData[AAMRecognition]")
    predictions.assert_has_line_matching(path="predictions.tsv", expression="\tprediction$")
    probabilities.assert_output_type(semantic_type="SampleData[Probabilities]")


def check_table(use):
    """See how much of a table the model recognizes."""
    table, sequences = _study(use)
    (visualization,) = use.action(
        use.UsageAction("aam", "check_table"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            model=use.init_artifact("regressor", _regressor),
        ),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")


def predict_distances(use):
    """Predict the distances between samples from their DNA."""
    table, sequences = _study(use)
    (distance_matrix,) = use.action(
        use.UsageAction("aam", "predict_distances"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
        ),
        use.UsageOutputNames(distance_matrix="distance_matrix"),
    )
    distance_matrix.assert_output_type(semantic_type="DistanceMatrix")


def embed_samples(use):
    """Describe each sample by two principal components of what the model has learned."""
    table, sequences = _study(use)
    (embeddings,) = use.action(
        use.UsageAction("aam", "embed_samples"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            model=use.init_artifact("regressor", _regressor),
            dimensions=2,
        ),
        use.UsageOutputNames(embeddings="embeddings"),
    )
    embeddings.assert_has_line_matching(
        path="embeddings.tsv", expression="^id\tcomponent 1\tcomponent 2$"
    )


def feature_importance(use):
    """See which features the predicted age rests on."""
    table, sequences = _study(use)
    (importance,) = use.action(
        use.UsageAction("aam", "feature_importance"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            model=use.init_artifact("regressor", _regressor),
            samples_per_feature=5,
        ),
        use.UsageOutputNames(importance="importance"),
    )
    importance.assert_has_line_matching(
        path="importance.tsv", expression="^id\timportance\traises\tlowers$"
    )


def evaluate_regression(use):
    """Compare predicted and true ages."""
    month, child = _columns(use)
    (visualization,) = use.action(
        use.UsageAction("aam", "evaluate_regression"),
        use.UsageInputs(
            predictions=use.init_artifact("predictions", _predictions),
            intervals=use.init_artifact("intervals", _intervals),
            truth=month,
            groups=child,
        ),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")


def summarize_training(use):
    """Look at the losses of a training run."""
    (visualization,) = use.action(
        use.UsageAction("aam", "summarize_training"),
        use.UsageInputs(training_log=use.init_artifact("training_log", _training_log)),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")


def find_learning_rate(use):
    """Find a learning rate to predict the age in months with."""
    table, sequences = _study(use)
    month, _ = _columns(use)
    (visualization,) = use.action(
        use.UsageAction("aam", "find_learning_rate"),
        use.UsageInputs(table=table, sequences=sequences, metadata=month, steps=30),
        use.UsageOutputNames(visualization="visualization"),
    )
    visualization.assert_output_type(semantic_type="Visualization")
