"""Examples of the common case in one command, on a part of the demo study."""

import pandas as pd
import qiime2

from .models import _columns, _study


def _predictions_of(ids: tuple[str, ...]) -> qiime2.Artifact:
    values = pd.Series(range(len(ids)), pd.Index(ids, name="id"), dtype=float, name="prediction")
    return qiime2.Artifact.import_data("SampleData[RegressorPredictions]", values)


def _intervals_of(ids: tuple[str, ...]) -> qiime2.Artifact:
    bounds = pd.DataFrame({"lower": 0.0, "upper": 9.0}, pd.Index(ids, name="id"))
    return qiime2.Artifact.import_data("SampleData[PredictionIntervals]", bounds)


def merge_predictions(use):
    """Join the predictions of two parts of a study."""
    parts = [
        use.init_artifact("first_predictions", lambda: _predictions_of(("s1", "s2"))),
        use.init_artifact("second_predictions", lambda: _predictions_of(("s3", "s4"))),
    ]
    (merged,) = use.action(
        use.UsageAction("aam", "merge_predictions"),
        use.UsageInputs(predictions=parts),
        use.UsageOutputNames(merged_predictions="merged_predictions"),
    )
    merged.assert_output_type(semantic_type="SampleData[RegressorPredictions]")
    merged.assert_has_line_matching(path="predictions.tsv", expression="^s3\t")


def merge_prediction_tables(use):
    """Join the intervals of two parts of a study."""
    parts = [
        use.init_artifact("first_intervals", lambda: _intervals_of(("s1", "s2"))),
        use.init_artifact("second_intervals", lambda: _intervals_of(("s3", "s4"))),
    ]
    (merged,) = use.action(
        use.UsageAction("aam", "merge_prediction_tables"),
        use.UsageInputs(tables=parts),
        use.UsageOutputNames(merged_table="merged_table"),
    )
    merged.assert_output_type(semantic_type="SampleData[PredictionIntervals]")
    merged.assert_has_line_matching(path="intervals.tsv", expression="^s3\t")


def regress_samples(use):
    """Predict the age of children that were held out, beside a random forest."""
    table, sequences = _study(use)
    month, child = _columns(use)
    results = use.action(
        use.UsageAction("aam", "regress_samples"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            metadata=month,
            groups=child,
            test_size=0.4,
            epochs=2,
            interval=0.5,
            samples_per_feature=3,
        ),
        use.UsageOutputNames(
            regressor="regressor",
            training_log="training_log",
            predictions="predictions",
            intervals="intervals",
            baseline_predictions="baseline_predictions",
            importance="importance",
            evaluation="evaluation",
        ),
    )
    results.regressor.assert_output_type(semantic_type="AAMRegressor")
    results.training_log.assert_has_line_matching(path="summary.json", expression='"name": "month"')
    results.predictions.assert_has_line_matching(path="predictions.tsv", expression="\tprediction$")
    results.intervals.assert_has_line_matching(
        path="intervals.tsv", expression="^id\tlower\tupper$"
    )
    results.baseline_predictions.assert_output_type(
        semantic_type="SampleData[RegressorPredictions]"
    )
    results.importance.assert_output_type(semantic_type="FeatureData[Importance]")
    results.evaluation.assert_output_type(semantic_type="Visualization")


def classify_samples(use):
    """Predict the mode of delivery of samples that were held out, beside a random forest."""
    table, sequences = _study(use)
    delivery, _ = _columns(use, "delivery")
    results = use.action(
        use.UsageAction("aam", "classify_samples"),
        use.UsageInputs(
            table=table,
            sequences=sequences,
            metadata=delivery,
            test_size=0.4,
            epochs=2,
            samples_per_feature=3,
        ),
        use.UsageOutputNames(
            classifier="classifier",
            training_log="training_log",
            predictions="predictions",
            probabilities="probabilities",
            baseline_predictions="baseline_predictions",
            baseline_probabilities="baseline_probabilities",
            importance="importance",
            evaluation="evaluation",
        ),
    )
    results.classifier.assert_output_type(semantic_type="AAMClassifier")
    results.training_log.assert_has_line_matching(
        path="summary.json", expression='"name": "delivery"'
    )
    results.predictions.assert_has_line_matching(path="predictions.tsv", expression="\tprediction$")
    results.probabilities.assert_output_type(semantic_type="SampleData[Probabilities]")
    results.baseline_predictions.assert_output_type(
        semantic_type="SampleData[ClassifierPredictions]"
    )
    results.baseline_probabilities.assert_output_type(semantic_type="SampleData[Probabilities]")
    results.importance.assert_output_type(semantic_type="FeatureData[Importance]")
    results.evaluation.assert_output_type(semantic_type="Visualization")
