"""Examples of the common case in one command, on a part of the demo study."""

from .models import _columns, _study


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
        path="intervals.tsv", expression="^id\tlower\tupper\tsame"
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
