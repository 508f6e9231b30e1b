"""Models learn, keep what they learned when stored, and carry it on."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
from skbio.stats.ordination import pcoa

from q2_aam.errors import percent

AS_ENCODER = {"pretrained": "bundled"} | dict.fromkeys(("hidden_size", "heads", "branches"))


def differing(one, other) -> set[str]:
    (_, left), (_, right) = sim.model_of(one), sim.model_of(other)
    return {
        name for name in left.keys() & right.keys() if not np.array_equal(left[name], right[name])
    }


def largest_change(one, other) -> dict[str, float]:
    (_, left), (_, right) = sim.model_of(one), sim.model_of(other)
    return {name: np.abs(left[name] - right[name]).max() for name in left}


def test_a_tiny_set_is_overfitted():
    study = sim.simulate_study(12, 20, 11)
    ages = study.ages.sample(frac=1, random_state=0).set_axis(study.ages.index)  # no signal
    descent = {"epochs": 30, "patience": 30, "learning_rate": 0.01, "batch_size": 4}
    losses = sim.history_of(quick.fit(study, ages, **sim.TINY_FIT | descent))["train_target_loss"]
    assert losses.iloc[-1] < 0.2 * losses.iloc[0]


def test_pretrained_distances_resemble_unifrac(study):
    encoder = quick.pretrain(
        study, epochs=30, patience=30, learning_rate=0.01, branches=128
    ).encoder
    found = quick.distances(study, encoder)
    truth = study.unifrac.filter(found.ids)
    assert np.corrcoef(found.condensed_form(), truth.condensed_form())[0, 1] > 0.9


def test_a_model_saved_and_loaded_predicts_bit_identically(mixed_study, fitted, tmp_path):
    path = fitted.regressor.save(str(tmp_path / "model"))
    # a new identity, as loading a known one returns the copy of this process
    qiime2.Artifact.load(path).export_data(str(tmp_path / "exported"))
    loaded = qiime2.Artifact.import_data("AAMRegressor", str(tmp_path / "exported"))
    assert loaded.uuid != fitted.regressor.uuid
    before, after = (quick.predict(mixed_study, one) for one in (fitted, loaded))
    assert before.predictions.view(pd.Series).equals(after.predictions.view(pd.Series))
    assert before.intervals.view(pd.DataFrame).equals(after.intervals.view(pd.DataFrame))


def test_several_studies_are_pretrained_together(aam, study, pretrained):
    """They name their samples alike: the order of the matrices counts."""
    other = sim.simulate_study(12, 30, 21, (50, 55))
    found = aam.pretrain(
        [study.table, other.table], [study.distances, other.distances],
        sequences=[study.sequences, other.sequences], random_seed=5, **quick.TINY,
    )  # fmt: skip
    assert differing(found.encoder, pretrained.encoder)
    used = sim.counts_of(found)
    assert used["samples used for training"] + used["samples used for validation"] == 32
    assert used["distinct ASVs"] == len(set(study.dna) | set(other.dna))


def test_training_continues_from_an_encoder(study, pretrained):
    again = quick.pretrain(
        study, initial_encoder=pretrained.encoder, learning_rate=1e-6, **AS_ENCODER | {"epochs": 1}
    )
    assert sim.model_of(again.encoder)[0] == sim.model_of(pretrained.encoder)[0]
    changes = largest_change(pretrained.encoder, again.encoder)
    assert max(changes.values()) > 0
    # lengths of branches are fitted to the matrix before the first epoch
    changes.pop("distance_head.log_length")
    assert max(changes.values()) < 1e-4, changes


def test_a_regressor_starts_from_the_encoder(study, pretrained):
    fitted = quick.fit(
        study, encoder=pretrained.encoder, epochs=1, learning_rate=1e-6, freeze_encoder=False,
        batch_size=8,
    )  # fmt: skip
    assert sim.model_of(fitted.regressor)[0].target.name == "age"
    assert max(largest_change(pretrained.encoder, fitted.regressor).values()) < 1e-4


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_stays_as_it_is(study, pretrained, frozen):
    fitted = quick.fit(
        study, encoder=pretrained.encoder, freeze_encoder=frozen, attention_head="on", epochs=2,
        batch_size=8,
    )  # fmt: skip
    changed = differing(pretrained.encoder, fitted.regressor)
    of_asvs = {name for name in changed if name.startswith(("asv_", "branches", "distance_head"))}
    assert bool(of_asvs) != frozen
    assert any(name.startswith("sample_encoder") for name in changed)
    assert sim.model_of(fitted.regressor)[0].distance_state == ("trained" if frozen else "stale")


def test_targets_are_scaled_by_training_samples_and_validation_is_held_out(study):
    ages = study.ages.copy()
    ages.iloc[10] = 60.0
    scales = set()
    for seed in range(4):
        given = {"epochs": 1, "random_seed": seed, "validation_size": 0.5}
        target = sim.model_of(quick.fit(study, ages, **sim.TINY_FIT | given).regressor)[0].target
        assert target.scale == pytest.approx(target.maximum - target.minimum)
        assert len(target.residuals) == 10
        assert list(target.residuals) == sorted(target.residuals)
        scales.add(target.maximum == 60.0)
    assert scales == {True, False}


def test_numeric_looking_ids_keep_their_zeros(tmp_path):
    ids = [f"{number:04d}" for number in range(1, 15)]
    study = sim.simulate_study(asvs=30, seed=12, sample_ids=ids)
    rows = [f"{name}\t{study.ages[name]}\t{n // 2:03d}\n" for n, name in enumerate(ids)]
    (tmp_path / "metadata.tsv").write_text("id\tage\tchild\n" + "".join(rows))
    metadata = qiime2.Metadata.load(str(tmp_path / "metadata.tsv"))
    fitted = quick.fit(study, metadata.get_column("age"), groups=metadata.get_column("child"))
    found = quick.predict(study, fitted)
    assert found.predictions.view(pd.Series).index.tolist() == ids
    assert found.intervals.view(pd.DataFrame).index.tolist() == ids
    assert list(quick.distances(study, fitted.regressor).ids) == ids


def test_sequences_longer_than_the_model_reads_are_counted_in_a_warning(study, pretrained, capsys):
    longer = study.dna + ["ACGT" if place < 3 else "" for place in range(40)]
    quick.distances(dataclasses.replace(study, dna=longer), pretrained.encoder)
    warned = capsys.readouterr().err
    assert "3 sequences of 40 are longer than the 60 nucleotides" in warned
    assert "became equal" not in warned


def test_sequences_that_differ_only_behind_what_is_read_are_said_to_be_one(
    study, pretrained, capsys
):
    """Long reads of one kind would become one ASV without a word."""
    counts, dna = study.counts.copy(), study.dna.copy()
    name = counts.columns[0]
    counts["other"], dna["other"] = counts[name], dna[name] + "ACGTACGT"
    dna[name] += "TTTTCCCC"
    longer = dataclasses.replace(study, counts=counts, dna=dna)
    found = sim.counts_of(quick.fit(longer, encoder=pretrained.encoder))
    assert found["sequences cut at the length limit"] == 2
    assert found["sequences that differ only behind it, read as one"] == 1
    capsys.readouterr()
    quick.distances(longer, pretrained.encoder)
    assert "1 became equal to others by this." in capsys.readouterr().err


def test_matrices_are_matched_by_sample_ids_in_any_order(aam, study):
    other = sim.simulate_study(12, 20, 4, sample_ids=[f"other-{number}" for number in range(12)])
    matrices, sequences = [study.distances, other.distances], [study.sequences, other.sequences]
    given = {"sequences": sequences} | sim.TINY | {"epochs": 1}
    found, swapped = (
        aam.pretrain([study.table, other.table], order, **given).encoder
        for order in (matrices, matrices[::-1])
    )
    assert sim.same_weights(found, swapped)


def test_it_is_said_how_far_embeddings_move_when_reads_are_cut(study, capfd):
    found = quick.pretrain(study, epochs=1)
    (moved,) = re.findall(
        r"Reads cut to 67 % of their length move embeddings by (\d+ %)", capfd.readouterr().out
    )
    by_cuts = sim.log_of(found).summary["moved_by_cuts"]
    assert 0 < by_cuts < 10
    assert percent(by_cuts) == moved


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
