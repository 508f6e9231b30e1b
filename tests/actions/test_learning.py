"""Models learn, keep what they learned when stored, and carry it on."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from simulated_study import (
    QUICK_FIT,
    TINY,
    TINY_FIT,
    SimulatedStudy,
    counts_of,
    history_of,
    model_of,
    sequences_artifact,
    simulate_study,
    table_artifact,
)

MACHINE = {name: TINY[name] for name in ("batch_size", "threads", "device", "precision")}


def predict(aam, study, regressor):
    return aam.predict_regression(study.table, regressor, sequences=study.sequences)


def differing(one, other) -> set[str]:
    (_, left), (_, right) = model_of(one), model_of(other)
    return {
        name for name in left.keys() & right.keys() if not np.array_equal(left[name], right[name])
    }


def test_a_tiny_set_is_overfitted(aam):
    study = simulate_study(12, 20, 11)
    ages = study.ages.sample(frac=1, random_state=0).set_axis(study.ages.index)  # no signal
    fitted = aam.fit_regressor(
        study.table, qiime2.NumericMetadataColumn(ages), sequences=study.sequences,
        **TINY_FIT | {"epochs": 30, "patience": 30, "learning_rate": 0.01, "batch_size": 4},
    )  # fmt: skip
    losses = history_of(fitted)["train_target_loss"]
    assert losses.iloc[-1] < 0.2 * losses.iloc[0]


def test_training_samples_are_predicted_far_better_than_by_their_mean(aam, mixed_study, fitted):
    predicted = predict(aam, mixed_study, fitted.regressor).predictions.view(pd.Series)
    ages = mixed_study.ages[predicted.index]
    constant = (ages - ages.mean()).abs().mean()
    assert (predicted - ages).abs().mean() < 0.4 * constant


def test_pretrained_distances_resemble_unifrac(aam, study):
    encoder = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        **TINY | {"epochs": 30, "patience": 30, "learning_rate": 0.01, "branches": 128},
    ).encoder  # fmt: skip
    matrix = aam.predict_distances(study.table, encoder, sequences=study.sequences)
    found = matrix.distance_matrix.view(skbio.DistanceMatrix)
    truth = study.unifrac.filter(found.ids)
    r = np.corrcoef(found.condensed_form(), truth.condensed_form())[0, 1]
    assert r > 0.9


def test_a_model_saved_and_loaded_predicts_bit_identically(aam, mixed_study, fitted, tmp_path):
    before = predict(aam, mixed_study, fitted.regressor)
    path = fitted.regressor.save(str(tmp_path / "model"))
    # a new identity, as loading a known one returns the copy of this process
    folder = tmp_path / "exported"
    qiime2.Artifact.load(path).export_data(str(folder))
    loaded = qiime2.Artifact.import_data("AAMRegressor", str(folder))
    assert loaded.uuid != fitted.regressor.uuid
    after = predict(aam, mixed_study, loaded)
    assert before.predictions.view(pd.Series).equals(after.predictions.view(pd.Series))
    assert before.intervals.view(pd.DataFrame).equals(after.intervals.view(pd.DataFrame))


def test_several_studies_are_pretrained_together(aam, study):
    other = simulate_study(12, 30, 21, (50, 55))
    found = aam.pretrain(
        [study.table, other.table], [study.distances, other.distances],
        sequences=[study.sequences, other.sequences], **TINY,
    )  # fmt: skip
    alone = aam.pretrain([study.table], [study.distances], sequences=[study.sequences], **TINY)
    assert differing(found.encoder, alone.encoder)
    used = counts_of(found)
    assert used["samples used for training"] + used["samples used for validation"] == 32
    assert used["distinct ASVs"] == len(set(study.dna) | set(other.dna))


def test_training_continues_from_an_encoder(aam, study, pretrained):
    config, arrays = model_of(pretrained.encoder)
    again = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        initial_encoder=pretrained.encoder, epochs=1, learning_rate=1e-6, **MACHINE,
    )  # fmt: skip
    new_config, new_arrays = model_of(again.encoder)
    assert new_config == config
    assert differing(pretrained.encoder, again.encoder)
    # lengths of branches are fitted to the matrix before the first epoch
    for name in arrays.keys() - {"distance_head.log_length"}:
        assert np.abs(arrays[name] - new_arrays[name]).max() < 1e-4, name


def test_a_regressor_starts_from_the_encoder(aam, study, pretrained):
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        epochs=1, learning_rate=1e-6, freeze_encoder=False, **MACHINE,
    )  # fmt: skip
    _, arrays = model_of(pretrained.encoder)
    config, new_arrays = model_of(fitted.regressor)
    assert config.target.name == "age"
    for name in arrays:
        assert np.abs(arrays[name] - new_arrays[name]).max() < 1e-4, name


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_stays_as_it_is(aam, study, pretrained, frozen):
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        freeze_encoder=frozen, attention_head="on", epochs=2, **MACHINE,
    )  # fmt: skip
    changed = differing(pretrained.encoder, fitted.regressor)
    of_asvs = {name for name in changed if name.startswith(("asv_", "branches", "distance_head"))}
    assert bool(of_asvs) != frozen
    assert any(name.startswith("sample_encoder") for name in changed)
    assert model_of(fitted.regressor)[0].distance_state == ("trained" if frozen else "stale")


def test_targets_are_scaled_by_training_samples_and_validation_is_held_out(aam, study):
    ages = study.ages.copy()
    ages.iloc[10] = 60.0
    scales = set()
    for seed in range(4):
        fitted = aam.fit_regressor(
            study.table, qiime2.NumericMetadataColumn(ages), sequences=study.sequences,
            **TINY_FIT | {"epochs": 1, "random_seed": seed, "validation_size": 0.5},
        )  # fmt: skip
        target = model_of(fitted.regressor)[0].target
        assert target.scale == pytest.approx(target.maximum - target.minimum)
        assert len(target.residuals) == 10
        assert list(target.residuals) == sorted(target.residuals)
        scales.add(target.maximum == 60.0)
    assert scales == {True, False}


def test_numeric_looking_ids_keep_their_zeros(aam, tmp_path):
    ids = [f"{number:04d}" for number in range(1, 15)]
    study = simulate_study(asvs=30, seed=12, sample_ids=ids)
    (tmp_path / "metadata.tsv").write_text(
        "id\tage\tchild\n" + "".join(
            f"{name}\t{study.ages[name]}\t{number // 2:03d}\n" for number, name in enumerate(ids)
        )
    )  # fmt: skip
    metadata = qiime2.Metadata.load(str(tmp_path / "metadata.tsv"))
    fitted = aam.fit_regressor(
        study.table, metadata.get_column("age"), sequences=study.sequences,
        groups=metadata.get_column("child"), **QUICK_FIT,
    )  # fmt: skip
    found = predict(aam, study, fitted.regressor)
    assert found.predictions.view(pd.Series).index.tolist() == ids
    assert found.intervals.view(pd.DataFrame).index.tolist() == ids
    matrix = aam.predict_distances(study.table, fitted.regressor, sequences=study.sequences)
    assert list(matrix.distance_matrix.view(skbio.DistanceMatrix).ids) == ids


def test_split_samples_keeps_groups_together(aam, study):
    training, test = aam.split_samples(
        study.table, study.age_column, groups=study.subject_column, test_size=0.3
    )
    kept, held = (set(part.view(pd.DataFrame).index) for part in (training, test))
    assert kept | held == set(study.counts.index)
    assert not {study.subjects[name] for name in kept} & {study.subjects[name] for name in held}
    assert 4 <= len(held) <= 8
    for part in (training, test):
        frame = part.view(pd.DataFrame)
        assert (frame.sum() > 0).all()
        assert (frame == study.counts.loc[frame.index, frame.columns]).all().all()


def test_sequences_longer_than_the_model_reads_are_counted_in_a_warning(
    aam, study, pretrained, capsys
):
    longer = SimulatedStudy(
        study.counts, study.dna + ["ACGT" if place < 3 else "" for place in range(40)], None,
        study.ages, None,
    )  # fmt: skip
    found = aam.predict_distances(longer.table, pretrained.encoder, sequences=longer.sequences)
    warned = capsys.readouterr().err
    assert "3 sequences of 40 are longer than the 60 nucleotides" in warned
    assert "became equal" not in warned
    assert found.distance_matrix is not None


def test_sequences_that_differ_only_behind_what_is_read_are_said_to_be_one(
    aam, study, pretrained, capsys
):
    """Long reads of one kind would become one ASV without a word."""
    counts, dna = study.counts.copy(), study.dna.copy()
    name = counts.columns[0]
    counts["other"], dna["other"] = counts[name], dna[name] + "ACGTACGT"
    dna[name] += "TTTTCCCC"
    table = table_artifact(SimulatedStudy(counts, dna, None, study.ages, None).biom)
    given = {"sequences": sequences_artifact(dna), "encoder": pretrained.encoder}
    fitted = aam.fit_regressor(table, study.age_column, **given, **QUICK_FIT)
    found = counts_of(fitted)
    assert found["sequences cut at the length limit"] == 2
    assert found["sequences that differ only behind it, read as one"] == 1
    capsys.readouterr()
    aam.predict_distances(table, pretrained.encoder, sequences=given["sequences"])
    assert "1 became equal to others by this." in capsys.readouterr().err
