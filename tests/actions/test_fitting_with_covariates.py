"""Covariates: metadata columns that a model reads beside the microbes."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim


@pytest.fixture(scope="module")
def columns(halves):
    """A numeric and a categorical column, and the targets that follow from them."""
    random = np.random.default_rng(2)
    ids = pd.Index([*halves[0].counts.index, *halves[1].counts.index], name="id")
    bmi = random.normal(25, 4, len(ids))
    site = random.choice(["gut", "skin", "soil"], len(ids))
    mean = pd.Series(site).map({"gut": 10.0, "skin": 30.0, "soil": 80.0}).to_numpy()
    noise = random.normal(0, 1, len(ids))
    columns = {"bmi": bmi, "site": site, "of bmi": 3 * bmi + noise, "of site": mean + noise}
    return pd.DataFrame(columns, index=ids)


@pytest.fixture(scope="module")
def fit(halves, columns):
    def run(target="of bmi", names=None, frame=columns, **settings):
        if names is not None:
            settings |= {"covariate_columns": names, "covariates": qiime2.Metadata(frame)}
        values = columns[target] if isinstance(target, str) else target
        return quick.fit(halves[0], values, **settings)

    return run


@pytest.fixture(scope="module")
def predict(halves):
    def run(fitted, frame=None, study=halves[1]):
        given = {} if frame is None else {"covariates": qiime2.Metadata(frame)}
        return quick.predictions(study, fitted, **given)

    return run


@pytest.fixture(scope="module")
def both(fit):
    """A model with a numeric and a categorical covariate."""
    return fit("of site", ["bmi", "site"])


def r_squared(found: pd.Series, truth: pd.Series) -> float:
    truth = truth[found.index]
    return 1 - ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


@pytest.mark.parametrize("name", ["bmi", "site"])
def test_what_depends_on_a_covariate_is_learned(fit, predict, columns, name):
    truth = columns[f"of {name}"]
    assert r_squared(predict(fit(f"of {name}", [name]), columns[[name]]), truth) > 0.7
    assert r_squared(predict(fit(f"of {name}")), truth) < 0.2


def test_classifiers_and_what_descends_read_covariates_too(fit, predict, columns, pretrained):
    origin = columns["site"].map({"soil": "wild"}).fillna("host").rename("origin")
    found = predict(fit(origin, ["site"]), columns)
    assert (found == origin[found.index]).mean() > 0.9
    found = fit("of bmi", ["bmi"], encoder=pretrained.encoder, attention_head="on", epochs=1)
    assert [one.name for one in sim.target_of(found).covariates] == ["bmi"]


def test_the_microbes_are_read_beside_covariates(fit, predict, halves):
    """A target of both: the covariate says half of it."""
    ages = pd.concat([one.ages for one in halves])
    treated = np.random.default_rng(3).random(len(ages)) < 0.5
    frame = pd.DataFrame({"treated": np.where(treated, "yes", "no")}, ages.index)
    truth = ages + 15 * treated
    assert r_squared(predict(fit(truth, ["treated"], frame), frame), truth) > 0.7


def test_order_of_rows_and_columns_does_not_matter(fit, predict, both, columns):
    shuffled = columns.sample(frac=1, random_state=1)[["site", "of bmi", "bmi"]]
    assert sim.same_weights(both, fit("of site", ["bmi", "site"], shuffled))
    found = predict(both, columns)
    assert found.equals(predict(both, shuffled))
    assert found.nunique() > 10


def test_missing_cells_and_unknown_levels_are_predicted_between_the_known(
    fit, predict, both, halves, columns, capsys
):
    frame = columns.loc[halves[1].counts.index, ["bmi", "site"]]
    gut, skin, soil = (
        predict(both, frame.assign(site=one)).mean() for one in ("gut", "skin", "soil")
    )
    assert gut < skin < soil
    span = soil - gut
    unknown = predict(both, frame.assign(site=["moon", "sea"] * 20))
    warned = capsys.readouterr().err
    assert "Warning: The covariate 'site' has 2 levels" in warned
    assert "'moon', 'sea'" in warned
    for found in (unknown, predict(both, frame.assign(site=None, bmi=np.nan))):
        assert np.isfinite(found).all()
        assert gut - 0.5 * span < found.mean() < soil + 0.5 * span
    some = frame.copy()
    some.iloc[:5, 0] = np.nan
    some.iloc[5:10, 1] = None
    changed = predict(both, some) != predict(both, frame)
    assert set(changed.index[changed]) == set(frame.index[:10])
    # that a value is missing can itself say something
    frame = columns[["site"]].replace("soil", np.nan)
    assert r_squared(predict(fit("of site", ["site"], frame), frame), columns["of site"]) > 0.7
    assert quick.distances(halves[1], both.regressor), "distances need no covariates"


def test_11_7_metadata_as_people_write_it(tmp_path):
    ids = [f"{number:04d}" for number in range(1, 15)]
    study = sim.simulate_study(asvs=30, seed=12, sample_ids=ids)
    lines = ["id\t body site \tage\tbmi ", "#q2:types\tcategorical\tnumeric\tnumeric"]
    lines += [f"{one}\t {'gut' if n % 2 else 'skin'} \t{n}\t {n % 5} " for n, one in enumerate(ids)]
    path = tmp_path / "metadata.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    metadata = qiime2.Metadata.load(str(path))
    given = {"covariates": metadata, "covariate_columns": ["body site", " bmi "]}
    fitted = quick.fit(study, metadata.get_column("age"), **given)
    site, bmi = sim.target_of(fitted).covariates
    assert (site.name, site.levels, bmi.name) == ("body site", ("gut", "skin"), "bmi")
    # ids that look like numbers keep their zeros
    for one in quick.predict(study, fitted, covariates=metadata):
        assert sim.values_of(one).index.tolist() == ids
    assert list(quick.distances(study, fitted.regressor).ids) == ids


def test_11_7_a_wrong_name_lists_the_columns(refused, fit, predict, both, columns):
    there = "The columns there are: 'bmi', 'site', 'of bmi', 'of site'."
    refused(fit, "no column 'Bmi', 'sites'", there, names=["Bmi", "sites"])
    parts = ("no column 'site'", "The columns there are: 'bmi', 'of bmi'.")
    refused(predict, *parts, fitted=both, frame=columns[["bmi", "of bmi"]])


def test_columns_that_cannot_be_covariates(refused, fit, columns):
    refused(fit, "'covariate_columns' was given without", covariate_columns=["bmi"])
    parts = ("'covariates' was given without 'covariate_columns'", "'bmi', 'site'")
    refused(fit, *parts, covariates=qiime2.Metadata(columns))
    frame = columns.assign(same=4.5, gone=np.nan, word="x")
    for names, parts in (
        (["bmi", "site", "bmi"], ["names 'bmi' more than once"]),
        (["bmi", "of bmi"], ["'of bmi'", "the column to predict"]),
        (["same"], ["'same' is '4.5' in all 70 training samples", "covariate_columns"]),
        (["word"], ["'word' is 'x' in all 70"]),
        (["gone"], ["'gone' is blank in all 70"]),
    ):
        refused(fit, *parts, names=names, frame=frame)


def test_a_model_and_its_covariates_belong_together(
    refused, predict, both, halves, columns, fitted, mixed_study
):
    far, name = columns.copy(), halves[1].counts.index[3]
    far.loc[name, "bmi"] = 1e300
    was = "'site' was categorical when the model was fitted, and is numeric here"
    for frame, words in (
        (None, ["fitted with 2 covariates, 'bmi', 'site'", "'covariates'"]),
        (columns.assign(site=np.arange(110.0)), [was, "#q2:types"]),
        (columns.assign(bmi="high"), ["'bmi' was numeric", "'high'"]),
        (far, ["1 sample of 40", "'bmi'", repr(name), "Correct the metadata"]),
        (columns.iloc[:70], ["no ids in common", "the covariates"]),
        (columns[:90], ["20 samples of 40", "not in the covariates", "cells may be blank"]),
    ):
        message = refused(predict, *words, fitted=both, frame=frame)
        assert "missing_samples" not in message
    given = {"fitted": fitted, "frame": columns, "study": mixed_study}
    refused(predict, "without covariates", "no effect", "Leave it", **given)


def test_samples_without_a_row_in_fitting(refused, fit, columns):
    given = {"names": ["bmi"], "frame": columns.iloc[7:]}
    parts = ("7 samples of 70", "not in the covariates", "'missing_samples' to 'ignore'")
    refused(fit, *parts, **given)
    found = fit(**given, missing_samples="ignore")
    assert sim.counts_of(found)["samples dropped: not in the covariates"] == 7
    assert len(sim.log_of(found).summary["sample_ids"]) == 63
    settings = sim.settings_of(found)
    assert settings["missing_samples"] == ("ignore", "user")
    assert settings["covariate_columns"] == (["bmi"], "user")
