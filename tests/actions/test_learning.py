"""Models learn, carry it on, and treat data, distances and batches as they promise."""

import re

import numpy as np
import pytest
import qiime2
import qiime2.sdk
import quick_actions as quick
import simulated_study as sim
import skbio
from skbio.stats.ordination import pcoa

from q2_aam.errors import percent

AS_ENCODER = {"pretrained": "bundled"} | dict.fromkeys(("hidden_size", "heads", "branches"))


def changes(one, other) -> dict[str, float]:
    """Return how much each array that two models share differs at most."""
    (_, left), (_, right) = sim.model_of(one), sim.model_of(other)
    return {name: np.abs(left[name] - right[name]).max() for name in left.keys() & right.keys()}


def test_a_tiny_set_is_overfitted():
    study = sim.simulate_study(12, 20, 11)
    ages = study.ages.sample(frac=1, random_state=0).set_axis(study.ages.index)  # no signal
    descent = {"epochs": 90, "patience": 90, "learning_rate": 0.01, "batch_size": 4}
    losses = sim.history_of(quick.fit(study, ages, **sim.TINY_FIT | descent))["train_target_loss"]
    assert losses.iloc[-1] < 0.2 * losses.iloc[0]


def test_several_studies_are_pretrained_together(aam, study):
    """They name their samples alike: the order of the matrices counts, unless ids tell them."""
    used = None
    for prefix in ("S", "other"):
        ids = [f"{prefix}{number:03d}" for number in range(12)]
        other = sim.simulate_study(asvs=30, seed=21, lengths=(50, 55), sample_ids=ids)
        matrices, found = [study.distances, other.distances], []
        for order in (matrices, matrices[::-1])[: 1 + (prefix == "other")]:
            given = {"sequences": [study.sequences, other.sequences]} | sim.TINY | {"epochs": 1}
            found.append(aam.pretrain([study.table, other.table], order, **given))
        assert sim.same_weights(found[0], found[-1])
        used = sim.counts_of(found[0])
        assert used["samples used for training"] + used["samples used for validation"] == 32
        assert used["distinct ASVs"] == len(set(study.dna) | set(other.dna))


def test_training_continues_from_an_encoder(study, pretrained):
    given = {"learning_rate": 1e-6, "epochs": 1}
    again = quick.pretrain(study, initial_encoder=pretrained.encoder, **AS_ENCODER | given)
    assert sim.model_of(again)[0] == sim.model_of(pretrained)[0]
    changed = changes(pretrained, again)
    assert max(changed.values()) > 0
    # lengths of branches are fitted to the matrix before the first epoch
    changed.pop("distance_head.log_length")
    assert max(changed.values()) < 1e-4, changed
    given |= {"encoder": pretrained.encoder, "freeze_encoder": False, "batch_size": 8}
    fitted = quick.fit(study, **given)
    assert sim.target_of(fitted).name == "age"
    assert 0 < max(changes(pretrained, fitted).values()) < 1e-4


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_stays_as_it_is(study, pretrained, frozen):
    fitted = quick.fit(
        study, encoder=pretrained.encoder, freeze_encoder=frozen, attention_head="on", epochs=2,
        batch_size=8,
    )  # fmt: skip
    changed = {name for name, most in changes(pretrained, fitted).items() if most > 0}
    of_asvs = {name for name in changed if name.startswith(("asv_", "branches", "distance_head"))}
    assert bool(of_asvs) != frozen
    assert any(name.startswith("sample_encoder") for name in changed)
    assert sim.model_of(fitted)[0].distance_state == ("trained" if frozen else "stale")


def test_targets_are_scaled_by_training_samples_and_validation_is_held_out(study):
    ages = study.ages.copy()
    ages.iloc[10] = 60.0
    scales = set()
    for seed in range(4):
        given = {"epochs": 1, "random_seed": seed, "validation_size": 0.5}
        target = sim.target_of(quick.fit(study, ages, **sim.TINY_FIT | given))
        assert target.scale == pytest.approx(target.maximum - target.minimum)
        assert len(target.residuals) == 10
        assert list(target.residuals) == sorted(target.residuals)
        scales.add(target.maximum == 60.0)
    assert scales == {True, False}


def test_sequences_longer_than_the_model_reads_are_counted_in_a_warning(study, pretrained, capsys):
    """Long reads of one kind would become one ASV without a word."""
    longer = study.dna + ["ACGT" if place < 3 else "" for place in range(40)]
    quick.distances(study.replaced(dna=longer), pretrained.encoder)
    warned = capsys.readouterr().err
    assert "3 sequences of 40 are longer than the 60 nucleotides" in warned
    assert "became equal" not in warned
    name = study.counts.columns[0]
    both = study.with_copy(name, 0.5)
    longer = both.dna + both.dna.index.map({name: "TTTTCCCC", "copy": "ACGTACGT"}).fillna("")
    both = both.replaced(dna=longer)
    found = sim.counts_of(quick.fit(both, encoder=pretrained.encoder))
    assert found["sequences cut at the length limit"] == 2
    assert found["sequences that differ only behind it, read as one"] == 1
    capsys.readouterr()
    quick.distances(both, pretrained.encoder)
    assert "1 became equal to others by this." in capsys.readouterr().err


def test_it_is_said_how_far_embeddings_move_when_reads_are_cut(study, capfd):
    found = quick.pretrain(study, epochs=1)
    (moved,) = re.findall(
        r"Reads cut to 67 % of their length move embeddings by (\d+ %)", capfd.readouterr().out
    )
    by_cuts = sim.log_of(found).summary["moved_by_cuts"]
    assert 0 < by_cuts < 10
    assert percent(by_cuts) == moved


def test_other_tools_read_predictions_and_distances(mixed_study, fitted):
    from qiime2.plugins import sample_classifier

    predicted = quick.predict(mixed_study, fitted, confidence_level=0.5)
    (page,) = sample_classifier.actions.scatterplot(
        predicted.predictions, mixed_study.age_column, missing_samples="error"
    )
    assert str(page.type) == "Visualization"
    predictions, intervals = (one.view(qiime2.Metadata) for one in predicted)
    merged = predictions.merge(intervals).merge(qiime2.Metadata(mixed_study.ages.to_frame()))
    assert {"age", "lower", "prediction", "upper"} <= set(merged.columns)
    frame = merged.to_dataframe()
    assert len(frame) == len(mixed_study.counts)
    assert frame["prediction"].between(frame["lower"], frame["upper"]).all()
    found = pcoa(quick.distances(mixed_study, fitted.regressor))
    assert sorted(found.samples.index) == sorted(mixed_study.counts.index)
    assert np.isfinite(found.samples.to_numpy()).all()
    assert found.proportion_explained.iloc[0] > 0.1


def test_8_5_8_12_distances_belong_to_their_samples_and_the_diagonal_to_none(
    study, pretrained, tmp_path
):
    matrix = study.unifrac
    names = list(np.random.default_rng(0).permutation(matrix.ids))
    shuffled = skbio.DistanceMatrix(matrix.filter(names).data.copy(), names)
    wrong = skbio.DistanceMatrix(matrix.data.copy(), names)
    values = matrix.data.copy()
    np.fill_diagonal(values, np.linspace(0.1, 0.9, len(names)))
    other = sim.distances_text_artifact(sim.matrix_text(matrix.ids, values), tmp_path)
    for given, same in (
        (sim.distances_artifact(shuffled), True), (sim.distances_artifact(wrong), False),
        (other, True),
    ):  # fmt: skip
        found = quick.pretrain(study, given, random_seed=5)
        assert sim.same_weights(pretrained, found) == same


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_8_6_any_batch_size_works_and_every_sample_is_scored(study, batch_size):
    given = {"epochs": 1, "batch_size": batch_size, "validation_size": 0.35}
    fitted = quick.fit(study, **sim.TINY_FIT | given)
    assert len(sim.target_of(fitted).residuals) == 7
    assert sorted(quick.predictions(study, fitted).index) == sorted(study.counts.index)


def test_8_9_nucleotides_of_any_mix_of_lengths_are_predicted(mixed_study):
    found = quick.pretrain(mixed_study, nucleotide_weight=1.0, abundance_weight=1.0)
    losses = sim.history_of(found)[["train_nucleotide_loss", "validation_nucleotide_loss"]]
    assert np.isfinite(losses).all(axis=None)
    assert (losses > 0).all(axis=None)


def test_11_4_nothing_of_unifrac_is_computed_in_pretraining():
    signature = qiime2.sdk.PluginManager().plugins["aam"].actions["pretrain"].signature
    names = [*signature.inputs, *signature.parameters]
    old = re.compile("tree|phylogeny|stripe|lazy|prun|metric|unifrac_threads")
    assert not [name for name in names if old.search(name)]


@pytest.mark.parametrize("form", ["branches", "euclidean"])
def test_8_14_8_16_11_1_11_5_distances_are_pairwise_and_span_their_range(form):
    study = sim.simulate_study(samples=40, asvs=60, seed=2)
    encoder = quick.pretrain(
        study, distance_form=form, epochs=25, learning_rate=0.01, patience=25
    ).encoder
    whole = quick.distances(study, encoder)
    part = quick.distances(study.select(study.counts.index[5:11]), encoder)
    shuffled = quick.distances(study.shuffled(4), encoder)
    for other in (part, shuffled):
        assert np.allclose(whole.filter(other.ids).data, other.data, atol=1e-5)
    assert (whole.data == whole.data.T).all()
    assert (np.diag(whole.data) == 0).all()
    predicted, actual = whole.condensed_form(), study.unifrac.filter(whole.ids).condensed_form()
    assert predicted.min() >= 0
    assert predicted.max() < 1
    assert np.ptp(predicted) > 0.4 * np.ptp(actual)
    assert np.corrcoef(predicted, actual)[0, 1] > 0.9
