"""Predictions and distances go into the tools that people have."""

import numpy as np
import pytest
import qiime2
import quick_actions as quick
from skbio.stats.ordination import pcoa


@pytest.fixture(scope="module")
def predicted(mixed_study, fitted):
    return quick.predict(mixed_study, fitted, confidence_level=0.5)


def test_sample_classifier_draws_predictions(predicted, mixed_study):
    from qiime2.plugins import sample_classifier

    (page,) = sample_classifier.actions.scatterplot(
        predicted.predictions, mixed_study.age_column, missing_samples="error"
    )
    assert str(page.type) == "Visualization"


def test_predictions_and_intervals_are_metadata(predicted, mixed_study):
    predictions, intervals = (one.view(qiime2.Metadata) for one in predicted)
    merged = predictions.merge(intervals).merge(qiime2.Metadata(mixed_study.ages.to_frame()))
    assert {"age", "lower", "prediction", "upper"} <= set(merged.columns)
    frame = merged.to_dataframe()
    assert len(frame) == len(mixed_study.counts)
    assert frame["prediction"].between(frame["lower"], frame["upper"]).all()


def test_predicted_distances_can_be_ordinated(mixed_study, fitted):
    found = pcoa(quick.distances(mixed_study, fitted.regressor))
    assert sorted(found.samples.index) == sorted(mixed_study.counts.index)
    assert np.isfinite(found.samples.to_numpy()).all()
    assert found.proportion_explained.iloc[0] > 0.1
