"""Models learn, keep what they learned when stored, and carry it on."""

import warnings

import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from simulated_study import TINY, TINY_FIT, SimulatedStudy, model_of, simulate_study

from q2_aam.types import AAMTrainingLogDirectoryFormat


def predict(aam, study, regressor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
        **TINY_FIT | {"epochs": 60, "patience": 60, "learning_rate": 0.01, "validation_size": 0.1,
                  "hidden_size": 32, "branches": 256, "batch_size": 4},
    )  # fmt: skip
    losses = fitted.training_log.view(qiime2.Metadata).to_dataframe()["train_target_loss"]
    assert losses.iloc[-1] < 0.05 * losses.iloc[0]


def test_training_samples_are_predicted_far_better_than_by_their_mean(aam, mixed_study, fitted):
    predicted = predict(aam, mixed_study, fitted.regressor).predictions.view(pd.Series)
    ages = mixed_study.ages[predicted.index]
    constant = (ages - ages.mean()).abs().mean()
    assert (predicted - ages).abs().mean() < 0.4 * constant


def test_pretrained_distances_resemble_unifrac(aam, study):
    encoder = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        **TINY | {"epochs": 40, "patience": 40, "learning_rate": 0.01, "branches": 128},
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
    used = counts_of(found.training_log)
    assert used["samples used for training"] + used["samples used for validation"] == 32
    assert used["distinct ASVs"] == len(set(study.dna) | set(other.dna))


def counts_of(training_log) -> dict[str, int]:
    from q2_aam.storage.training_log import read_training_log

    log = read_training_log(str(training_log.view(AAMTrainingLogDirectoryFormat)))
    return {item["what"]: item["count"] for item in log.summary["data"]}


def test_training_continues_from_an_encoder(aam, study, pretrained):
    config, arrays = model_of(pretrained.encoder)
    settings = {name: TINY[name] for name in ("batch_size", "threads", "device", "precision")}
    again = aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences],
        encoder=pretrained.encoder, epochs=1, learning_rate=1e-6, **settings,
    )  # fmt: skip
    new_config, new_arrays = model_of(again.encoder)
    assert new_config == config
    assert differing(pretrained.encoder, again.encoder)
    for name in arrays:
        assert np.abs(arrays[name] - new_arrays[name]).max() < 1e-4, name


def test_a_regressor_starts_from_the_encoder(aam, study, pretrained):
    settings = {name: TINY[name] for name in ("batch_size", "threads", "device", "precision")}
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        epochs=1, learning_rate=1e-6, freeze_encoder=False, **settings,
    )  # fmt: skip
    _, arrays = model_of(pretrained.encoder)
    config, new_arrays = model_of(fitted.regressor)
    assert config.target.name == "age"
    for name in arrays:
        assert np.abs(arrays[name] - new_arrays[name]).max() < 1e-4, name


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_stays_as_it_is(aam, study, pretrained, frozen):
    settings = {name: TINY[name] for name in ("batch_size", "threads", "device", "precision")}
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        freeze_encoder=frozen, epochs=2, **settings,
    )  # fmt: skip
    changed = differing(pretrained.encoder, fitted.regressor)
    of_asvs = {name for name in changed if name.startswith(("asv_", "branches", "distance_head"))}
    assert bool(of_asvs) != frozen
    assert any(name.startswith("sample_encoder") for name in changed)
    assert model_of(fitted.regressor)[0].distance_state == ("trained" if frozen else "stale")


def test_targets_are_scaled_by_training_samples_and_validation_is_held_out(aam, study):
    random = np.random.default_rng(0)
    ages = study.ages.copy()
    ages.iloc[random.integers(len(ages))] = 1000.0
    scales = set()
    for seed in range(6):
        fitted = aam.fit_regressor(
            study.table, qiime2.NumericMetadataColumn(ages), sequences=study.sequences,
            **TINY_FIT | {"epochs": 1, "random_seed": seed, "validation_size": 0.5},
        )  # fmt: skip
        target = model_of(fitted.regressor)[0].target
        assert target.scale == pytest.approx(target.maximum - target.minimum)
        assert len(target.residuals) == 10
        assert list(target.residuals) == sorted(target.residuals)
        scales.add(target.maximum == 1000.0)
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
        groups=metadata.get_column("child"), distance_matrix=study.distances, **TINY_FIT,
    )  # fmt: skip
    assert counts_of(fitted.training_log)["groups in 'child'"] == 7
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


def test_intervals_lie_around_predictions_and_widen_with_the_level(aam, study):
    fitted = aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences,
        **TINY_FIT | {"validation_size": 0.5},
    )  # fmt: skip
    target = model_of(fitted.regressor)[0].target
    residuals = np.array(target.residuals) * target.scale
    widths = []
    for interval, rank in ((0.5, 6), (0.9, 10)):
        found = aam.predict_regression(
            study.table, fitted.regressor, sequences=study.sequences, confidence_level=interval
        )
        bounds = found.intervals.view(pd.DataFrame)
        predicted = found.predictions.view(pd.Series)
        assert np.allclose(bounds["lower"] + bounds["upper"], 2 * predicted[bounds.index])
        assert np.allclose(bounds["upper"] - bounds["lower"], 2 * residuals[rank - 1])
        widths.append(residuals[rank - 1])
    assert widths[0] < widths[1]
    with pytest.warns(UserWarning, match="cannot support 95%"):
        aam.predict_regression(
            study.table, fitted.regressor, sequences=study.sequences, confidence_level=0.95
        )


def test_sequences_longer_than_the_model_reads_are_counted_in_a_warning(aam, study, pretrained):
    longer = SimulatedStudy(
        study.counts, study.dna + ["ACGT" if place < 3 else "" for place in range(40)], None,
        study.ages, None,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="3 sequences of 40 are longer than the 60 nucleotides"):
        found = aam.predict_distances(longer.table, pretrained.encoder, sequences=longer.sequences)
    assert found.distance_matrix is not None
