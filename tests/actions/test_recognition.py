"""A table of other reads is the same table: what a model makes of reads cut, turned or unknown."""

import numpy as np
import pandas as pd
import pytest
from simulated_study import (
    QUICK_FIT,
    by_age,
    categorical,
    sequences_artifact,
    simulate_study,
    table_artifact,
)

from q2_aam.data.matching import reverse_complement

RANDOM = np.random.default_rng(3)
SHARES = ["same", "overlapping", "embedding_only"]


def dna(size: int) -> str:
    return "".join(RANDOM.choice(list("ACGT"), size))


@pytest.fixture(scope="module")
def long_study():
    return simulate_study(samples=24, asvs=30, seed=4, lengths=(150, 150))


@pytest.fixture(scope="module")
def regressor(aam, long_study, runs_of_models_made_once):
    study = long_study
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, **QUICK_FIT
    ).regressor


@pytest.fixture(scope="module")
def predict(aam, long_study, regressor):
    def run(sequences: pd.Series, table=None, **settings):
        found = aam.predict_regression(
            table or long_study.table,
            regressor,
            sequences=sequences_artifact(sequences),
            **settings,
        )
        return found.predictions.view(pd.Series), found.intervals.view(pd.DataFrame)

    return run


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
def test_other_reads_of_the_same_asvs_are_the_same_table(long_study, predict, reads):
    as_fitted, _ = predict(long_study.dna)
    other, intervals = predict(long_study.dna.map(READS[reads]))
    spread = long_study.ages.max() - long_study.ages.min()
    np.testing.assert_allclose(other, as_fitted, atol=1e-6 * spread)
    assert list(intervals) == ["lower", "upper", *SHARES]
    assert (intervals.embedding_only == 0).all()


def test_ids_that_are_rna_in_lower_case_are_the_same_asvs(aam, long_study, regressor, predict):
    as_fitted, _ = predict(long_study.dna)
    ids = long_study.dna.str.replace("T", "U").str.lower()
    found = aam.predict_regression(table_artifact(_by_dna(long_study.counts, ids)), regressor)
    np.testing.assert_allclose(found.predictions.view(pd.Series), as_fitted, atol=1e-6)


def test_an_asv_under_two_lengths_in_one_table_is_one_asv(long_study, predict):
    as_fitted, _ = predict(long_study.dna)
    counts = long_study.counts
    parts = np.floor(counts / 2)
    short = {name: f"{name}short" for name in counts}
    both = pd.concat([counts - parts, parts.rename(columns=short)], axis=1)
    both = both.loc[:, both.sum() > 0]
    sequences = pd.concat([long_study.dna, long_study.dna.str[:100].rename(short)])
    import biom

    table = biom.Table(both.to_numpy().T, list(both), list(both.index))
    found, _ = predict(sequences[list(both)], table_artifact(table))
    np.testing.assert_allclose(found, as_fitted, atol=1e-5)


def test_a_merged_training_table_teaches_one_thing(aam, long_study):
    """Half of the subjects were sequenced with shorter reads."""
    import biom

    counts, dna_of = long_study.counts, long_study.dna
    half = counts.index[::2]
    cut = {name: dna_of[name][:100] for name in counts}
    names = pd.DataFrame(0.0, counts.index, [*dna_of, *cut.values()])
    names.loc[half, list(cut.values())] = counts.loc[half].to_numpy()
    rest = counts.index.difference(half)
    names.loc[rest, list(dna_of)] = counts.loc[rest].to_numpy()
    names = names.loc[:, names.sum() > 0]
    mixed = table_artifact(biom.Table(names.to_numpy().T, list(names), list(names.index)))
    found = []
    for table in (mixed, table_artifact(_by_dna(counts, dna_of))):
        model = aam.fit_regressor(table, long_study.age_column, **QUICK_FIT).regressor
        found.append(
            aam.predict_regression(table_artifact(_by_dna(counts, dna_of)), model).predictions.view(
                pd.Series
            )
        )
    np.testing.assert_allclose(*found, atol=1e-4)


def _by_dna(counts, dna_of):
    import biom

    return biom.Table(counts.to_numpy().T, list(dna_of[list(counts)]), list(counts.index))


def test_a_table_that_is_hardly_recognized_is_refused(aam, long_study, regressor, refused):
    strange = long_study.dna.map(lambda read: dna(len(read)))
    message = refused(
        lambda: aam.predict_regression(
            long_study.table, regressor, sequences=sequences_artifact(strange)
        ),
        "recognizes 0.0% of the reads",
        "0 features of 30",
        "min_recognized",
        "check-table",
        "another gene",
    )
    most = long_study.counts.sum().idxmax()
    assert most in message


def test_predicted_all_the_same_the_intervals_hold_the_whole_range(long_study, predict):
    strange = long_study.dna.map(lambda read: dna(len(read)))
    _, known = predict(long_study.dna)
    _, intervals = predict(strange, min_recognized=0.0)
    assert (intervals.embedding_only == 1).all()
    assert (intervals.lower <= long_study.ages.min()).all()
    assert (intervals.upper >= long_study.ages.max()).all()
    assert (intervals.upper - intervals.lower > known.upper - known.lower).all()


def test_a_read_that_fits_nothing_changes_nothing_but_its_share(long_study, predict):
    import biom

    as_fitted, _ = predict(long_study.dna)
    counts = long_study.counts.copy()
    counts["stranger"] = counts.sum(axis=1)
    table = biom.Table(counts.to_numpy().T, list(counts), list(counts.index))
    sequences = pd.concat([long_study.dna, pd.Series({"stranger": dna(150)})])
    _, intervals = predict(sequences, table_artifact(table))
    np.testing.assert_allclose(intervals.embedding_only, 0.5)
    np.testing.assert_allclose(intervals.same, 0.5)


def test_verbose_output_says_what_was_recognized(long_study, predict, capsys):
    predict(long_study.dna.map(lambda read: reverse_complement(read[:100])))
    printed = capsys.readouterr().out
    assert "100.0% overlapping" in printed
    assert "30 sequences read as the reverse complement" in printed


def test_classes_too(aam, long_study, refused):
    model = aam.fit_classifier(
        long_study.table, categorical(by_age(long_study)), sequences=long_study.sequences,
        **QUICK_FIT,
    ).classifier  # fmt: skip
    found = [
        aam.predict_classification(long_study.table, model, sequences=sequences_artifact(reads))
        for reads in (long_study.dna, long_study.dna.str[:90])
    ]
    whole, cut = (one.probabilities.view(pd.DataFrame) for one in found)
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    shares = found[1].recognition.view(pd.DataFrame)
    assert list(shares) == SHARES
    assert (shares.overlapping == 1).all()
    strange = sequences_artifact(long_study.dna.map(lambda read: dna(len(read))))
    refused(
        lambda: aam.predict_classification(long_study.table, model, sequences=strange),
        "predictions would mean nothing",
    )


def test_importance_and_embeddings_read_the_same_asvs(aam, long_study, regressor):
    cut = sequences_artifact(long_study.dna.str[:90])
    whole = long_study.sequences
    for action, view in ((aam.feature_importance, "importance"), (aam.embed_samples, "embeddings")):
        frames = [
            action(long_study.table, regressor, sequences=one)[0].view(pd.DataFrame).sort_index()
            for one in (whole, cut)
        ]
        np.testing.assert_allclose(*frames, atol=1e-5, err_msg=view)
