"""What becomes of reads that are cut, turned, unknown, or of another gene; models of clades.

A model reads ASVs, clades, or both; one of clades holds no DNA.
"""

import zipfile

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
from small_demo import write_small_demo

from q2_aam.data.matching import reverse_complement
from q2_aam.data.tokens import tokenize

RANDOM = np.random.default_rng(3)
SHARES = ["same", "overlapping", "embedding_only"]
ONLY = "clades_only"


def dna(size: int) -> str:
    return "".join(RANDOM.choice(list("ACGT"), size))


@pytest.fixture(scope="module")
def long_study():
    return sim.simulate_study(samples=24, asvs=30, seed=4, lengths=(150, 150))


@pytest.fixture(scope="module")
def models(long_study, runs_of_models_made_once):
    """Fits of an age and of a class, by what they read."""
    columns = (long_study.ages, sim.by_age(long_study))
    return {
        features: [quick.fit(long_study, one, features=features) for one in columns]
        for features in ("auto", "asvs", "clades")
    }


@pytest.fixture(scope="module")
def regressor(models):
    return models["auto"][0].regressor


@pytest.fixture(scope="module")
def strange(long_study):
    """The same study with sequences that no model knows."""
    return long_study.replaced(dna=long_study.dna.map(lambda read: dna(len(read))))


@pytest.fixture(scope="module")
def predict(long_study, regressor):
    """Predict a study, or the samples of `long_study` with other reads: values and intervals."""

    def run(study, **settings):
        if isinstance(study, pd.Series):
            study = long_study.replaced(dna=study)
        return tuple(map(sim.values_of, quick.predict(study, regressor, **settings)))

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
def test_other_reads_of_the_same_asvs_are_the_same_table(
    long_study, predict, as_fitted, reads, capsys
):
    other, intervals = predict(long_study.dna.map(READS[reads]))
    spread = long_study.ages.max() - long_study.ages.min()
    np.testing.assert_allclose(other, as_fitted[0], atol=1e-6 * spread)
    assert list(intervals) == ["lower", "upper", *SHARES]
    assert (intervals.embedding_only == 0).all()
    printed = capsys.readouterr().out
    assert ("100 % overlapping" in printed) == (reads != "the other strand")
    turned = "30 sequences read as the reverse complement" in printed
    assert turned == ("other strand" in reads)


def test_other_spellings_and_two_lengths_of_an_asv_are_the_same_table(
    long_study, predict, as_fitted
):
    counts, reads = long_study.counts, long_study.dna
    spelled = counts.rename(columns=reads.str.replace("T", "U").str.lower())  # RNA
    found, _ = predict(long_study.replaced(counts=spelled), sequences=None)
    np.testing.assert_allclose(found, as_fitted[0], atol=1e-6)
    parts = np.floor(counts / 2)
    both = pd.concat([counts - parts, parts.add_suffix("short")], axis=1)
    both = both.loc[:, both.sum() > 0]
    reads = pd.concat([reads, reads.str[:100].add_suffix("short")])
    found, _ = predict(long_study.replaced(counts=both, dna=reads[list(both)]))
    np.testing.assert_allclose(found, as_fitted[0], atol=1e-5)


def test_a_merged_training_table_teaches_one_thing(long_study):
    """Half of the subjects were sequenced with shorter reads."""
    whole = long_study.counts.rename(columns=long_study.dna)
    mixed = pd.concat([whole.iloc[1::2], whole.iloc[::2].rename(columns=lambda read: read[:100])])
    mixed = mixed.fillna(0.0).loc[:, lambda frame: frame.sum() > 0]
    whole, mixed = (long_study.replaced(counts=one) for one in (whole, mixed))
    found = [
        quick.predictions(whole, quick.fit(one, sequences=None), sequences=None)
        for one in (mixed, whole)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_a_table_that_is_hardly_recognized_is_refused_or_has_wide_intervals(
    long_study, strange, regressor, predict, as_fitted, refused
):
    parts = ("recognizes 0 % of the reads", "0 features of 30", "min_recognized", "check-table")
    common = long_study.counts.sum().idxmax()
    refused(quick.predict, *parts, "another gene", common, study=strange, model=regressor)
    _, intervals = predict(strange, min_recognized=0.0)
    assert (intervals.embedding_only == 1).all()
    assert (intervals.lower <= long_study.ages.min()).all()
    assert (intervals.upper >= long_study.ages.max()).all()
    known = as_fitted[1]
    assert (intervals.upper - intervals.lower > known.upper - known.lower).all()


def test_a_read_that_fits_nothing_changes_nothing_but_its_share(long_study, predict):
    counts = long_study.counts.assign(stranger=long_study.counts.sum(axis=1))
    reads = pd.concat([long_study.dna, pd.Series({"stranger": dna(150)})])
    _, intervals = predict(long_study.replaced(counts=counts, dna=reads))
    np.testing.assert_allclose(intervals.embedding_only, 0.5)
    np.testing.assert_allclose(intervals.same, 0.5)


def test_classes_too(long_study, strange, refused):
    """Nor is a short read of a common ASV taken for a rare one that begins alike."""
    counts, reads = long_study.counts.copy(), long_study.dna.copy()
    classes = sim.by_age(long_study, bounds=(12,), names=("young", "old"))
    old = classes == "old"
    for name in counts.columns[counts.sum().argsort()[-8:]]:
        reads[f"{name}-like"] = reads[name][:100] + dna(50)
        counts[f"{name}-like"] = np.where(old & (counts[name] > 0), 5.0, 0.0)
    study = long_study.replaced(counts=counts, dna=reads)
    model = quick.fit(study, classes)
    whole = quick.probabilities(study, model)["old"]
    found = quick.predict(study.replaced(dna=reads.str[:100]), model)
    shares, cut = sim.values_of(found.recognition), sim.values_of(found.probabilities)["old"]
    assert cut[old].mean() > 0.5 > whole[~old].max()
    assert (cut[~old] < 0.3).all()
    assert list(shares) == SHARES
    assert (shares.overlapping == 1).all()
    refused(quick.predict, "predictions would mean nothing", study=strange, model=model)
    model = quick.fit(long_study, classes)
    whole, cut = (
        quick.probabilities(long_study.replaced(dna=one), model)
        for one in (long_study.dna, long_study.dna.str[:90])
    )
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_importance_and_embeddings_read_the_same_asvs(aam, long_study, regressor):
    reads = (long_study.sequences, sim.sequences_artifact(long_study.dna.str[:90]))
    table = long_study.select(long_study.counts.index[:8]).table
    for action in (aam.feature_importance, aam.embed_samples):
        frames = [
            sim.values_of(action(table, regressor, sequences=one)[0]).sort_index() for one in reads
        ]
        np.testing.assert_allclose(*frames, atol=1e-5)


def test_features_split_over_two_ids_of_one_sequence_change_nothing(mixed_study, fitted):
    split = mixed_study.with_copy(mixed_study.counts.sum().idxmax(), 0.5)
    before, after = (quick.predictions(one, fitted) for one in (mixed_study, split))
    assert before.std() > 0.5, "predictions must differ, else nothing is tested"
    scale = sim.target_of(fitted).scale
    assert (before - after[before.index]).abs().max() < 1e-5 * scale


def test_ids_that_are_dna_give_the_same_model_and_predictions():
    named = sim.simulate_study(14, 25, 6)
    spelled = named.replaced(counts=named.counts.rename(columns=named.dna))
    one, other = quick.fit(named), quick.fit(spelled, sequences=None)
    assert sim.model_of(one)[0] == sim.model_of(other)[0]
    assert sim.same_weights(one, other)
    left, right = quick.predictions(named, one), quick.predictions(spelled, other, sequences=None)
    assert (left == right[left.index]).all()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A small real table with its sequences."""
    folder = tmp_path_factory.mktemp("demo")
    write_small_demo(folder, 12, 60)
    counts = qiime2.Artifact.load(str(folder / "table.qza")).view(pd.DataFrame)
    counts = counts.loc[:, counts.sum() > 0]
    dna = qiime2.Artifact.load(str(folder / "rep-seqs.qza")).view(pd.Series).map(str)
    ages = pd.Series(np.arange(12.0), counts.index, name="age")
    return sim.SimulatedStudy(counts, dna[list(counts)], None, ages, None)


def shuffled(dna):
    return "".join(np.random.default_rng(len(dna)).permutation(list(dna)))


def test_reads_of_the_other_strand_give_the_same_distances(real, capsys):
    whole = quick.distances(real, None)
    assert "reverse complement" not in capsys.readouterr().out
    turned = real.dna.map(reverse_complement)
    first = turned.where(turned.index == turned.index[0], real.dna)
    for dna, number in ((turned, f"{len(turned)} sequences"), (first, "1 sequence")):
        found = quick.distances(real.replaced(dna=dna), None)
        assert np.allclose(found.data, whole.data, atol=1e-6)
        assert f"{number} read as the reverse complement" in capsys.readouterr().out


def test_a_fit_on_the_other_strand_is_the_same_fit(real):
    turned = real.replaced(dna=real.dna.map(reverse_complement))
    found = [quick.predictions(one, quick.fit(one)) for one in (real, turned)]
    assert np.allclose(*found, atol=1e-5)


def test_distances_of_another_gene_are_refused_and_some_reads_counted(aam, real, refused, capsys):
    other = real.replaced(dna=real.dna.map(shuffled))
    parts = ("58 features of 58", "100 % of the reads", "16S", "pretrain-from-phylogeny")
    refused(quick.distances, *parts, study=other, model=None)
    encoder = aam.load_encoder().encoder  # who chooses it gets what it says
    assert quick.distances(other, encoder)
    capsys.readouterr()
    rare = real.counts.sum().nsmallest(5).index
    quick.distances(real.replaced(dna=other.dna.where(other.dna.index.isin(rare), real.dna)), None)
    printed = capsys.readouterr()
    assert "5 features of 58" in printed.out + printed.err


@pytest.mark.parametrize("place", [0, 1])
def test_a_model_of_clades_holds_no_dna_of_the_study(models, long_study, tmp_path, place):
    """In none of its files, in no encoding, on neither strand; the other models show the search."""

    def holds_dna(features: str) -> bool:
        path = tmp_path / f"{features}.qza"
        models[features][place][0].save(str(path))
        with zipfile.ZipFile(path) as archive:
            content = b"\n".join(archive.read(name) for name in archive.namelist()).upper()
        for read in list(long_study.dna) + [reverse_complement(one) for one in long_study.dna]:
            piece = read[60:90]
            tokens, _ = tokenize([piece])
            if piece.encode() in content or tokens[0, 1:].tobytes() in content:
                return True
        return False

    assert holds_dna("auto")
    assert holds_dna("asvs")
    assert not holds_dna("clades")
    config, arrays = sim.model_of(models["clades"][place][0])
    assert config.target.vocabulary_size == 0
    assert arrays["target_head.vocabulary"].size == 0


def test_heads_read_what_was_asked_for(models):
    read = {}
    for features, (found, _) in models.items():
        config, arrays = sim.model_of(found)
        assert config.target.features == features
        names = ("vocabulary", "branches")
        read[features] = [one for one in names if f"target_head.ridge.{one}" in arrays]
        chosen_by = "default" if features == "auto" else "user"
        assert sim.settings_of(found)["features"] == (features, chosen_by)
    assert read == {
        "auto": ["vocabulary", "branches"], "asvs": ["vocabulary"], "clades": ["branches"],
    }  # fmt: skip
    assert "holds no sequence" in str(sim.log_of(models["clades"][0]).summary["model"])


def test_a_model_of_clades_predicts_what_it_learned(models, long_study):
    ages, classes = (quick.predictions(long_study, one) for one in models["clades"])
    errors = (ages - long_study.ages).abs().mean()
    assert errors < 0.5 * (long_study.ages - long_study.ages.mean()).abs().mean()
    assert (classes == sim.by_age(long_study)[classes.index]).mean() > 0.8


def test_recognition_does_not_apply_to_a_model_of_clades(
    aam, models, long_study, strange, capsys, refused
):
    regressor, classifier = (one[0] for one in models["clades"])
    capsys.readouterr()
    found = quick.predict(strange, regressor, min_recognized=1.0)
    assert "reads the clades of its encoder" in capsys.readouterr().out
    intervals = sim.values_of(found.intervals)
    assert list(intervals) == ["lower", "upper", ONLY]
    assert (intervals[ONLY] == 1).all()
    as_fitted = sim.values_of(quick.predict(long_study, regressor).intervals)
    widths = [one["upper"] - one["lower"] for one in (intervals, as_fitted)]
    np.testing.assert_allclose(*widths, rtol=1e-5)
    classes = quick.predict(strange, classifier, min_recognized=1.0)
    assert list(sim.values_of(classes.recognition)) == [ONLY]
    given = {"table": strange.table, "model": regressor, "sequences": strange.sequences}
    (importance,) = aam.feature_importance(**given)
    assert (sim.values_of(importance)["importance"] >= 0).all()
    parts = ("holds no sequences to look up", "'auto' or 'asvs'")
    refused(aam.check_table, *parts, **given)


def test_what_changes_nothing_to_a_model_of_asvs_and_to_one_of_clades(models, long_study):
    """Reads that the vocabulary lacks; sequences of others, which are not merged where they fit."""
    counts = long_study.counts.rename(columns=long_study.dna)
    stranger = {dna(150): counts.sum(axis=1)}
    cut = counts.set_axis([name[:100] for name in counts], axis=1)
    alone = counts.iloc[:3].loc[:, counts.iloc[:3].sum() > 0]
    both = pd.concat([alone, cut.iloc[3:]]).fillna(0.0)
    for features, *tables in (("asvs", counts, counts.assign(**stranger)), ("clades", alone, both)):
        plain, other = (
            quick.predictions(long_study.replaced(counts=one), models[features][0], sequences=None)
            for one in tables
        )
        np.testing.assert_allclose(other[plain.index], plain, atol=1e-4)


@pytest.mark.parametrize("kind", ["regress", "classify"])
def test_pipelines_join_what_models_of_clades_say_and_pages_tell_it(
    aam, long_study, kind, tmp_path
):
    values = long_study.ages if kind == "regress" else sim.by_age(long_study, (12,), ("a", "b"))
    given = {"folds": 2, "features": "clades", "device": "cpu", "sequences": long_study.sequences}
    found = getattr(aam, f"{kind}_samples")(long_study.table, sim.column_of(values), **given)
    assert sim.target_of(found).features == "clades"
    if kind == "regress":
        intervals = sim.values_of(found.intervals)
        assert list(intervals) == ["lower", "upper", ONLY]
        assert len(intervals) == len(long_study.counts)
    found.evaluation.export_data(str(tmp_path))
    text = (tmp_path / "index.html").read_text()
    assert "no read needs to be recognized" in text
    assert "error-by-recognition" not in text
