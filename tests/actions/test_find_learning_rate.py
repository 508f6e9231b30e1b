"""find-learning-rate through its action: what it learns, what it leaves alone, what it refuses."""

import numpy as np
import pandas as pd
import pytest
from simulated_study import by_age, column_of

SETTINGS = {"pretrained": "none", "batch_size": 8, "threads": 1, "device": "cpu", "steps": 20}
SETTINGS |= {"precision": "fp32"}


@pytest.fixture
def find(aam, study, tmp_path):
    """Run the test; return its curve, its settings and its page."""

    def run(**given):
        found = aam.find_learning_rate(study.table, sequences=study.sequences, **SETTINGS | given)
        folder = tmp_path / str(found.visualization.uuid)
        found.visualization.export_data(str(folder))
        curve, settings = (
            pd.read_csv(folder / "downloads" / f"{name}.tsv", sep="\t", index_col="id", dtype=kind)
            for name, kind in (("curve", None), ("settings", str))
        )
        return curve, settings, (folder / "index.html").read_text()

    return run


def test_11_6_the_curve_of_a_regressor_is_shown(find, study):
    curve, settings, page = find(metadata=study.age_column, highest_rate=0.01)
    rates = curve["learning_rate"]
    assert rates.iloc[0] == pytest.approx(1e-5)
    assert np.diff(np.log(rates)) == pytest.approx(np.log(0.01 / 1e-5) / 19)
    assert curve["loss"].nunique() > 10
    assert "Learning rate for fit-regressor: <em>age</em>" in page
    assert settings.loc["batch_size", ["value", "chosen_by"]].tolist() == ["8", "user"]


def test_11_6_a_column_of_classes_is_learned_as_classes(find, study):
    diet = column_of(by_age(study, (12,), ("milk", "solid")))
    curve, _, page = find(metadata=diet)
    assert curve["loss"].iloc[0] == pytest.approx(np.log(2), rel=0.2)
    assert "for fit-classifier: <em>diet</em>" in page


def test_11_6_without_metadata_unifrac_is_learned(find, study):
    curve, _, page = find(distance_matrix=study.distances)
    assert (curve["loss"].iloc[:5] < 0.3).all()  # squared errors of distances
    assert "Learning rate for pretrain" in page


@pytest.mark.parametrize("frozen", [True, False])
def test_11_6_an_encoder_is_frozen_or_trained(find, study, pretrained, frozen):
    given = {"pretrained": "bundled", "encoder": pretrained.encoder, "freeze_encoder": frozen}
    _, settings, _ = find(metadata=study.age_column, **given)
    assert settings.loc["freeze_encoder", "value"] == ("yes" if frozen else "no")


def test_11_6_what_cannot_be_tested_is_refused(find, study, refused):
    refused(find, "nothing to learn", "'metadata'", "'distance_matrix'")
    age, parts = {"metadata": study.age_column}, ("'lowest_rate' is 0.1", "'highest_rate' is 0.01")
    refused(find, *parts, lowest_rate=0.1, highest_rate=0.01, **age)
    without = "'unifrac_weight' was given without 'distance_matrix'"
    refused(find, without, unifrac_weight=2.0, **age)
