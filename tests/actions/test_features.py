"""What is read of a sample: ASVs, clades, or both; a model of clades holds no DNA."""

import zipfile

import numpy as np
import pandas as pd
import pytest
import quick_actions as quick
import simulated_study as sim

from q2_aam.data.matching import reverse_complement
from q2_aam.data.tokens import tokenize

RANDOM = np.random.default_rng(8)
ONLY = "clades_only"


@pytest.fixture(scope="module")
def long_study():
    return sim.simulate_study(samples=30, asvs=30, seed=4, lengths=(150, 150), ids_are_dna=True)


@pytest.fixture(scope="module")
def models(aam, long_study, runs_of_models_made_once):
    """Fits of an age and of a class, by what they read."""
    columns = (long_study.ages, sim.by_age(long_study))
    return {
        features: [quick.fit(long_study, one, features=features, sequences=None) for one in columns]
        for features in ("auto", "asvs", "clades")
    }


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
    ages, classes = (quick.predictions(long_study, one, sequences=None) for one in models["clades"])
    errors = (ages - long_study.ages).abs().mean()
    assert errors < 0.5 * (long_study.ages - long_study.ages.mean()).abs().mean()
    assert (classes == sim.by_age(long_study)[classes.index]).mean() > 0.8


def test_recognition_does_not_apply_to_a_model_of_clades(aam, models, long_study, capsys, refused):
    regressor, classifier = (one[0] for one in models["clades"])
    # features are numbered, and have DNA that no study has
    names = [f"f{place}" for place in range(len(long_study.dna))]
    reads = pd.Series(["".join(RANDOM.choice(list("ACGT"), 150)) for _ in names], names)
    table = long_study.replaced(counts=long_study.counts.set_axis(names, axis=1)).table
    strange = sim.sequences_artifact(reads)
    capsys.readouterr()
    found = aam.predict_regression(table, regressor, sequences=strange, min_recognized=1.0)
    assert "reads the clades of its encoder" in capsys.readouterr().out
    intervals = sim.values_of(found.intervals)
    assert list(intervals) == ["lower", "upper", ONLY]
    assert (intervals[ONLY] == 1).all()
    as_fitted = sim.values_of(aam.predict_regression(long_study.table, regressor).intervals)
    widths = [one["upper"] - one["lower"] for one in (intervals, as_fitted)]
    np.testing.assert_allclose(*widths, rtol=1e-5)
    classes = aam.predict_classification(table, classifier, sequences=strange, min_recognized=1.0)
    assert list(sim.values_of(classes.recognition)) == [ONLY]
    (importance,) = aam.feature_importance(table, regressor, sequences=strange)
    assert (sim.values_of(importance)["importance"] >= 0).all()
    parts = ("holds no sequences to look up", "'auto' or 'asvs'")
    refused(aam.check_table, *parts, table=long_study.table, model=regressor)


def test_pages_say_that_a_model_reads_clades(aam, models, long_study, tmp_path):
    regressor, classifier = (one[0] for one in models["clades"])
    found = aam.predict_regression(long_study.table, regressor)
    classes = aam.predict_classification(long_study.table, classifier)
    ages, diets = long_study.age_column, sim.column_of(sim.by_age(long_study))
    shares = {"recognition": classes.recognition}
    pages = (
        aam.evaluate_regression(found.predictions, ages, intervals=found.intervals),
        aam.evaluate_classification(classes.predictions, diets, **shares),
    )
    for place, page in enumerate(pages):
        page.visualization.export_data(str(tmp_path / str(place)))
        text = (tmp_path / str(place) / "index.html").read_text()
        assert "no read needs to be recognized" in text
        assert "error-by-recognition" not in text


def test_what_changes_nothing_to_a_model_of_asvs_and_to_one_of_clades(models, long_study):
    """Reads that the vocabulary lacks; sequences of others, which are not merged where they fit."""
    counts = long_study.counts
    stranger = {"".join(RANDOM.choice(list("ACGT"), 150)): counts.sum(axis=1)}
    cut = counts.set_axis([name[:100] for name in counts], axis=1)
    alone = counts.iloc[:3].loc[:, counts.iloc[:3].sum() > 0]
    both = pd.concat([alone, cut.iloc[3:]]).fillna(0.0)
    for features, *tables in (("asvs", counts, counts.assign(**stranger)), ("clades", alone, both)):
        plain, other = (
            quick.predictions(long_study.replaced(counts=one), models[features][0], sequences=None)
            for one in tables
        )
        np.testing.assert_allclose(other[plain.index], plain, atol=1e-4)


def test_an_encoder_without_clades_is_refused(study, refused):
    given = sim.TINY_FIT | {"features": "clades"}
    refused(quick.fit, "has learned no clades", "bundled", study=study, **given)


def test_a_pipeline_joins_what_models_of_clades_say(aam, long_study):
    given = {"folds": 2, "features": "clades", "device": "cpu"}
    found = aam.regress_samples(long_study.table, long_study.age_column, **given)
    intervals = sim.values_of(found.intervals)
    assert list(intervals) == ["lower", "upper", ONLY]
    assert len(intervals) == len(long_study.counts)
    assert sim.target_of(found.regressor).features == "clades"
