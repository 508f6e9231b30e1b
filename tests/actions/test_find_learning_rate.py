"""find-learning-rate through its action: what it learns, what it leaves alone, what it refuses."""

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import model_of

SETTINGS = {"pretrained": "none", "batch_size": 8, "threads": 1, "device": "cpu", "steps": 20}
SETTINGS |= {"precision": "fp32"}


def find(aam, study, folder=None, **given):
    found = aam.find_learning_rate(study.table, sequences=study.sequences, **SETTINGS | given)
    if folder is None:
        return found.visualization
    found.visualization.export_data(str(folder))
    return pd.read_csv(folder / "downloads" / "curve.tsv", sep="\t", index_col="id")


def settings_of(page) -> pd.DataFrame:
    return pd.read_csv(page / "downloads" / "settings.tsv", sep="\t", index_col="id", dtype=str)


@pytest.fixture(scope="module")
def diet_column(study):
    young = np.where(study.ages < 12, "milk", "solid")
    return qiime2.CategoricalMetadataColumn(pd.Series(young, index=study.ages.index, name="diet"))


def test_11_6_the_curve_of_a_regressor_is_shown(aam, study, tmp_path):
    curve = find(aam, study, tmp_path / "page", metadata=study.age_column, highest_rate=0.01)
    rates = curve["learning_rate"]
    assert rates.iloc[0] == pytest.approx(1e-5)
    assert np.diff(np.log(rates)) == pytest.approx(np.log(0.01 / 1e-5) / 19)
    assert curve["loss"].nunique() > 10
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Learning rate for fit-regressor: <em>age</em>" in page
    shown = settings_of(tmp_path / "page").loc["batch_size"]
    assert (shown["value"], shown["chosen_by"]) == ("8", "user")


def test_11_6_a_column_of_classes_is_learned_as_classes(aam, study, tmp_path, diet_column):
    curve = find(aam, study, tmp_path / "page", metadata=diet_column)
    assert curve["loss"].iloc[0] == pytest.approx(np.log(2), rel=0.2)
    assert "for fit-classifier: <em>diet</em>" in (tmp_path / "page" / "index.html").read_text()


def test_11_6_without_metadata_unifrac_is_learned(aam, study, tmp_path):
    curve = find(aam, study, tmp_path / "page", distance_matrix=study.distances)
    assert (curve["loss"].iloc[:5] < 0.3).all()  # squared errors of distances
    assert "Learning rate for pretrain" in (tmp_path / "page" / "index.html").read_text()


def test_11_6_the_same_seed_gives_the_same_curve(aam, study, tmp_path):
    given = {"metadata": study.age_column, "dropout": 0.1}
    one, again, other = (
        find(aam, study, tmp_path / name, random_seed=seed, **given)
        for name, seed in (("one", 3), ("again", 3), ("other", 4))
    )
    pd.testing.assert_frame_equal(one, again)
    assert not np.allclose(one["loss"].iloc[:10], other["loss"].iloc[:10])


def test_11_6_an_encoder_is_left_as_it_was(aam, study, tmp_path, pretrained):
    given = SETTINGS | {"pretrained": "bundled"}
    before = {name: array.copy() for name, array in model_of(pretrained.encoder)[1].items()}
    aam.find_learning_rate(
        study.table, sequences=study.sequences, encoder=pretrained.encoder,
        metadata=study.age_column, freeze_encoder=False, **given,
    )  # fmt: skip
    after = model_of(pretrained.encoder)[1]
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_11_6_a_frozen_encoder_is_read_once(aam, study, tmp_path, pretrained):
    given = SETTINGS | {"pretrained": "bundled"}
    found = aam.find_learning_rate(
        study.table, sequences=study.sequences, encoder=pretrained.encoder,
        metadata=study.age_column, **given,
    )  # fmt: skip
    found.visualization.export_data(str(tmp_path / "page"))
    assert settings_of(tmp_path / "page").loc["freeze_encoder", "value"] == "yes"


def test_11_6_what_cannot_be_tested_is_refused(aam, study, refused, pretrained):
    refused(lambda: find(aam, study), "nothing to learn", "'metadata'", "'distance_matrix'")
    refused(
        lambda: find(aam, study, metadata=study.age_column, lowest_rate=0.1, highest_rate=0.01),
        "'lowest_rate' is 0.1", "'highest_rate' is 0.01",
    )  # fmt: skip
    refused(
        lambda: find(aam, study, metadata=study.age_column, unifrac_weight=2.0),
        "'unifrac_weight' was given without 'distance_matrix'",
    )
