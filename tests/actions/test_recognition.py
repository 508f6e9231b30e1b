"""A table of other reads is the same table: what a model makes of reads cut, turned or unknown."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import quick_actions as quick
from simulated_study import by_age, model_of, same_weights, sequences_artifact, simulate_study

from q2_aam.data.matching import reverse_complement

RANDOM = np.random.default_rng(3)
SHARES = ["same", "overlapping", "embedding_only"]


def dna(size: int) -> str:
    return "".join(RANDOM.choice(list("ACGT"), size))


@pytest.fixture(scope="module")
def long_study():
    return simulate_study(samples=24, asvs=30, seed=4, lengths=(150, 150))


@pytest.fixture(scope="module")
def regressor(long_study, runs_of_models_made_once):
    return quick.fit(long_study).regressor


@pytest.fixture(scope="module")
def strange(long_study):
    """The same study with sequences that no model knows."""
    return dataclasses.replace(long_study, dna=long_study.dna.map(lambda read: dna(len(read))))


@pytest.fixture(scope="module")
def predict(long_study, regressor):
    """Predict a study, or the samples of `long_study` with other reads: values and intervals."""

    def run(study, **settings):
        if isinstance(study, pd.Series):
            study = dataclasses.replace(long_study, dna=study)
        found = quick.predict(study, regressor, **settings)
        return found.predictions.view(pd.Series), found.intervals.view(pd.DataFrame)

    return run


@pytest.fixture(scope="module")
def as_fitted(predict, long_study):
    return predict(long_study)


READS = {
    "cut at the end": lambda read: read[:90],
    "cut at the start": lambda read: read[40:],
    "cut at both ends": lambda read: read[20:110],
    "the other strand": reverse_complement,
    "the other strand, cut": lambda read: reverse_complement(read)[30:],
    "merged with what lies around": lambda read: dna(30) + read + dna(80),
    "primer left on": lambda read: dna(19) + read[:131],
}


@pytest.mark.parametrize("reads", READS)
def test_other_reads_of_the_same_asvs_are_the_same_table(long_study, predict, as_fitted, reads):
    other, intervals = predict(long_study.dna.map(READS[reads]))
    spread = long_study.ages.max() - long_study.ages.min()
    np.testing.assert_allclose(other, as_fitted[0], atol=1e-6 * spread)
    assert list(intervals) == ["lower", "upper", *SHARES]
    assert (intervals.embedding_only == 0).all()


def test_ids_that_are_rna_in_lower_case_are_the_same_asvs(long_study, predict, as_fitted):
    ids = long_study.dna.str.replace("T", "U").str.lower()
    spelled = dataclasses.replace(long_study, counts=long_study.counts.rename(columns=ids))
    np.testing.assert_allclose(predict(spelled, sequences=None)[0], as_fitted[0], atol=1e-6)


def test_an_asv_under_two_lengths_in_one_table_is_one_asv(long_study, predict, as_fitted):
    counts = long_study.counts
    parts = np.floor(counts / 2)
    both = pd.concat([counts - parts, parts.add_suffix("short")], axis=1)
    both = both.loc[:, both.sum() > 0]
    reads = pd.concat([long_study.dna, long_study.dna.str[:100].add_suffix("short")])
    study = dataclasses.replace(long_study, counts=both, dna=reads[list(both)])
    np.testing.assert_allclose(predict(study)[0], as_fitted[0], atol=1e-5)


def test_a_merged_training_table_teaches_one_thing(long_study):
    """Half of the subjects were sequenced with shorter reads."""
    whole = long_study.counts.rename(columns=long_study.dna)
    mixed = pd.concat([whole.iloc[1::2], whole.iloc[::2].rename(columns=lambda read: read[:100])])
    mixed = mixed.fillna(0.0).loc[:, lambda frame: frame.sum() > 0]
    whole, mixed = (dataclasses.replace(long_study, counts=one) for one in (whole, mixed))
    found = [
        quick.predictions(whole, quick.fit(one, sequences=None), sequences=None)
        for one in (mixed, whole)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_a_table_that_is_hardly_recognized_is_refused(long_study, strange, regressor, refused):
    message = refused(
        lambda: quick.predict(strange, regressor),
        "recognizes 0 % of the reads", "0 features of 30", "min_recognized", "check-table",
        "another gene",
    )  # fmt: skip
    assert long_study.counts.sum().idxmax() in message


def test_predicted_all_the_same_the_intervals_hold_the_whole_range(
    long_study, strange, predict, as_fitted
):
    _, intervals = predict(strange, min_recognized=0.0)
    assert (intervals.embedding_only == 1).all()
    assert (intervals.lower <= long_study.ages.min()).all()
    assert (intervals.upper >= long_study.ages.max()).all()
    known = as_fitted[1]
    assert (intervals.upper - intervals.lower > known.upper - known.lower).all()


def test_a_read_that_fits_nothing_changes_nothing_but_its_share(long_study, predict):
    counts = long_study.counts.assign(stranger=long_study.counts.sum(axis=1))
    reads = pd.concat([long_study.dna, pd.Series({"stranger": dna(150)})])
    _, intervals = predict(dataclasses.replace(long_study, counts=counts, dna=reads))
    np.testing.assert_allclose(intervals.embedding_only, 0.5)
    np.testing.assert_allclose(intervals.same, 0.5)


def test_verbose_output_says_what_was_recognized(long_study, predict, capsys):
    predict(long_study.dna.map(lambda read: reverse_complement(read[:100])))
    printed = capsys.readouterr().out
    assert "100 % overlapping" in printed
    assert "30 sequences read as the reverse complement" in printed


def test_classes_too(long_study, strange, refused):
    model = quick.fit(long_study, by_age(long_study))
    cut = dataclasses.replace(long_study, dna=long_study.dna.str[:90])
    whole, found = quick.predict(long_study, model), quick.predict(cut, model)
    left, right = (one.probabilities.view(pd.DataFrame) for one in (whole, found))
    np.testing.assert_allclose(right, left, atol=1e-6)
    shares = found.recognition.view(pd.DataFrame)
    assert list(shares) == SHARES
    assert (shares.overlapping == 1).all()
    refused(lambda: quick.predict(strange, model), "predictions would mean nothing")


def test_a_short_read_of_a_common_asv_is_not_taken_for_a_rare_one_too(long_study):
    """The old hold a little of ASVs that begin as common ones do."""
    counts, reads = long_study.counts.copy(), long_study.dna.copy()
    classes = by_age(long_study, bounds=(12,), names=("young", "old"))
    old = classes == "old"
    for name in counts.columns[counts.sum().argsort()[-8:]]:
        reads[f"{name}-like"] = reads[name][:100] + dna(50)
        counts[f"{name}-like"] = np.where(old & (counts[name] > 0), 5.0, 0.0)
    study = dataclasses.replace(long_study, counts=counts, dna=reads)
    model = quick.fit(study, classes)
    cut = dataclasses.replace(study, dna=reads.str[:100])
    whole, found = (
        quick.predict(one, model).probabilities.view(pd.DataFrame)["old"] for one in (study, cut)
    )
    assert found[old].mean() > 0.5 > whole[~old].max()
    assert (found[~old] < 0.3).all()


def test_importance_and_embeddings_read_the_same_asvs(aam, long_study, regressor):
    reads = (long_study.sequences, sequences_artifact(long_study.dna.str[:90]))
    for action in (aam.feature_importance, aam.embed_samples):
        frames = [
            action(long_study.table, regressor, sequences=one)[0].view(pd.DataFrame).sort_index()
            for one in reads
        ]
        np.testing.assert_allclose(*frames, atol=1e-5)


def test_features_split_over_two_ids_of_one_sequence_change_nothing(mixed_study, fitted):
    counts, dna = mixed_study.counts.copy(), mixed_study.dna.copy()
    name = counts.columns[counts.sum().argmax()]
    counts["copy"] = np.floor(counts[name] / 2)
    counts[name] -= counts["copy"]
    dna["copy"] = dna[name]
    split = dataclasses.replace(mixed_study, counts=counts, dna=dna)
    before, after = (quick.predictions(one, fitted) for one in (mixed_study, split))
    assert before.std() > 0.5, "predictions must differ, else nothing is tested"
    scale = model_of(fitted.regressor)[0].target.scale
    assert (before - after[before.index]).abs().max() < 1e-5 * scale


def test_ids_that_are_dna_give_the_same_model_and_predictions():
    named = simulate_study(14, 25, 6)
    spelled = dataclasses.replace(named, counts=named.counts.rename(columns=named.dna))
    one, other = quick.fit(named), quick.fit(spelled, sequences=None)
    assert model_of(one.regressor)[0] == model_of(other.regressor)[0]
    assert same_weights(one.regressor, other.regressor)
    left, right = quick.predictions(named, one), quick.predictions(spelled, other, sequences=None)
    assert (left == right[left.index]).all()
