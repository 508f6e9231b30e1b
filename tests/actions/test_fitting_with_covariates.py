"""Covariates: metadata columns that a model reads beside the microbes."""

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import (
    QUICK_FIT,
    by_age,
    categorical,
    counts_of,
    log_of,
    model_of,
    same_weights,
    simulate_study,
)


@pytest.fixture(scope="module")
def parts():
    """Samples to fit on, and others of the same kind; their microbes say nothing of the target."""
    study = simulate_study(120, 30, 41, (40, 40))
    ids = study.counts.index
    return study.select(ids[:80]), study.select(ids[80:])


@pytest.fixture(scope="module")
def columns(parts):
    """A numeric and a categorical column, and the targets that follow from them."""
    random = np.random.default_rng(2)
    ids = [*parts[0].counts.index, *parts[1].counts.index]
    bmi = random.normal(25, 4, len(ids))
    site = random.choice(["gut", "skin", "soil"], len(ids))
    mean = pd.Series(site).map({"gut": 10.0, "skin": 30.0, "soil": 80.0}).to_numpy()
    noise = random.normal(0, 1, len(ids))
    return pd.DataFrame(
        {"bmi": bmi, "site": site, "of bmi": 3 * bmi + noise, "of site": mean + noise},
        index=pd.Index(ids, name="id"),
    )


@pytest.fixture(scope="module")
def fit(aam, parts, columns, tmp_path_factory):
    def run(target="of bmi", names=None, study=None, covariates=None, **settings):
        study = study or parts[0]
        given = {} if names is None else {"covariate_columns": names}
        if names is not None or covariates is not None:
            given["covariates"] = covariates or qiime2.Metadata(columns)
        column = columns[target] if isinstance(target, str) else target
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("run")))
            return aam.fit_regressor(
                study.table, qiime2.NumericMetadataColumn(column), sequences=study.sequences,
                **given, **QUICK_FIT | settings,
            )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def predict(aam):
    def run(study, fitted, frame=None):
        given = {} if frame is None else {"covariates": qiime2.Metadata(frame)}
        found = aam.predict_regression(
            study.table, fitted.regressor, sequences=study.sequences, **given
        )
        return found.predictions.view(pd.Series)

    return run


@pytest.fixture(scope="module")
def quick(fit):
    """A model with a numeric and a categorical covariate."""
    return fit("of site", ["bmi", "site"])


def r_squared(found: pd.Series, truth: pd.Series) -> float:
    truth = truth[found.index]
    return 1 - ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


# learning


@pytest.mark.parametrize("name", ["bmi", "site"])
def test_what_depends_on_a_covariate_is_learned(fit, predict, parts, columns, name):
    fitted = fit(f"of {name}", [name])
    assert r_squared(predict(parts[1], fitted, columns[[name]]), columns[f"of {name}"]) > 0.7
    without = predict(parts[1], fit(f"of {name}"))
    assert r_squared(without, columns[f"of {name}"]) < 0.2


def test_what_descends_reads_covariates_too(fit, pretrained):
    """The attention head alone, as the others would answer otherwise."""
    found = fit("of bmi", ["bmi"], encoder=pretrained.encoder, attention_head="on", epochs=1)
    (covariate,) = model_of(found.regressor)[0].target.covariates
    assert covariate.name == "bmi"


def test_a_classifier_reads_covariates(aam, parts, columns):
    study, unseen = parts
    column = pd.Series(np.where(columns["site"] == "soil", "wild", "host"), columns.index)
    metadata = qiime2.Metadata(columns)
    fitted = aam.fit_classifier(
        study.table, categorical(column.rename("origin")), sequences=study.sequences,
        covariates=metadata, covariate_columns=["site"], **QUICK_FIT,
    )  # fmt: skip
    found = aam.predict_classification(
        unseen.table, fitted.classifier, sequences=unseen.sequences, covariates=metadata
    ).predictions.view(pd.Series)
    assert (found == column[found.index]).mean() > 0.9


# at prediction


def test_order_of_rows_and_columns_does_not_matter(fit, predict, quick, parts, columns):
    shuffled = columns.sample(frac=1, random_state=1)[["site", "of bmi", "bmi"]]
    again = fit("of site", ["bmi", "site"], covariates=qiime2.Metadata(shuffled))
    assert same_weights(quick.regressor, again.regressor)
    found = predict(parts[1], quick, columns)
    assert found.equals(predict(parts[1], quick, shuffled))
    assert found.nunique() > 10


def test_missing_cells_and_unknown_levels_are_predicted_between_the_known(
    predict, quick, parts, columns, capsys
):
    frame = columns.loc[parts[1].counts.index, ["bmi", "site"]]
    of_level = {}
    for level in ("gut", "skin", "soil"):
        of_level[level] = predict(parts[1], quick, frame.assign(site=level)).mean()
    assert of_level["gut"] < of_level["skin"] < of_level["soil"]
    span = of_level["soil"] - of_level["gut"]
    unknown = predict(parts[1], quick, frame.assign(site=["moon", "sea"] * 20))
    warned = capsys.readouterr().err
    assert "Warning: The covariate 'site' has 2 levels" in warned
    assert "'moon', 'sea'" in warned
    blank = predict(parts[1], quick, frame.assign(site=None, bmi=np.nan))
    for found in (unknown, blank):
        assert np.isfinite(found).all()
        assert of_level["gut"] - 0.5 * span < found.mean() < of_level["soil"] + 0.5 * span
    some = frame.copy()
    some.iloc[:5, 0] = np.nan
    some.iloc[5:10, 1] = None
    changed = predict(parts[1], quick, some) != predict(parts[1], quick, frame)
    assert set(changed.index[changed]) == set(frame.index[:10])


def test_missing_cells_are_learned_from(fit, predict, parts, columns):
    """That a value is missing can itself say something."""
    frame = columns[["site"]].copy()
    frame.loc[frame["site"] == "soil", "site"] = None
    found = predict(parts[1], fit("of site", ["site"], covariates=qiime2.Metadata(frame)), frame)
    assert r_squared(found, columns["of site"]) > 0.7


def test_distances_need_no_covariates(quick, aam, parts):
    assert aam.predict_distances(parts[1].table, quick.regressor, sequences=parts[1].sequences)


# 11.7: metadata as people write it


def test_11_7_metadata_as_people_write_it(aam, tmp_path):
    ids = [f"{number:04d}" for number in range(1, 15)]
    study = simulate_study(asvs=30, seed=12, sample_ids=ids)
    lines = ["id\t body site \tage\tbmi ", "#q2:types\tcategorical\tnumeric\tnumeric"]
    lines += [f"{one}\t {'gut' if n % 2 else 'skin'} \t{n}\t {n % 5} " for n, one in enumerate(ids)]
    path = tmp_path / "metadata.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    metadata = qiime2.Metadata.load(str(path))
    fitted = aam.fit_regressor(
        study.table, metadata.get_column("age"), sequences=study.sequences,
        covariates=metadata, covariate_columns=["body site", " bmi "], **QUICK_FIT,
    )  # fmt: skip
    site, bmi = model_of(fitted.regressor)[0].target.covariates
    assert (site.name, site.levels, bmi.name) == ("body site", ("gut", "skin"), "bmi")
    found = aam.predict_regression(
        study.table, fitted.regressor, sequences=study.sequences, covariates=metadata
    )
    assert found.predictions.view(pd.Series).index.tolist() == ids


def test_11_7_a_wrong_name_lists_the_columns(refused, fit, predict, quick, parts, columns):
    there = "The columns there are: 'bmi', 'site', 'of bmi', 'of site'."
    refused(lambda: fit(names=["Bmi", "sites"]), "no column 'Bmi', 'sites'", there)
    refused(
        lambda: predict(parts[1], quick, columns[["bmi", "of bmi"]]),
        "no column 'site'", "The columns there are: 'bmi', 'of bmi'.",
    )  # fmt: skip


# refusals


def test_covariates_and_columns_come_together(refused, fit, columns):
    refused(lambda: fit(covariate_columns=["bmi"]), "'covariate_columns' was given without")
    refused(
        lambda: fit(covariates=qiime2.Metadata(columns)),
        "'covariates' was given without 'covariate_columns'", "'bmi', 'site'",
    )  # fmt: skip


def test_columns_that_cannot_be_covariates(refused, fit, columns):
    refused(lambda: fit(names=["bmi", "site", "bmi"]), "names 'bmi' more than once")
    refused(lambda: fit("of bmi", ["bmi", "of bmi"]), "'of bmi'", "the column to predict")
    frame = columns.assign(same=4.5, gone=None, word="x")
    frame["gone"] = frame["gone"].astype(float)

    def given(name):
        return lambda: fit(names=[name], covariates=qiime2.Metadata(frame))

    refused(given("same"), "'same' is '4.5' in all 80 training samples", "covariate_columns")
    refused(given("word"), "'word' is 'x' in all 80")
    refused(given("gone"), "'gone' is blank in all 80")


def test_what_a_column_holds_must_stay_the_same(refused, predict, quick, parts, columns):
    numbers = columns.assign(site=np.arange(120.0))
    refused(
        lambda: predict(parts[1], quick, numbers),
        "'site' was categorical when the model was fitted, and is numeric here", "#q2:types",
    )  # fmt: skip
    words = columns.assign(bmi="high")
    refused(lambda: predict(parts[1], quick, words), "'bmi' was numeric", "'high'")


def test_numbers_far_from_all_that_was_learned(refused, predict, quick, parts, columns):
    frame = columns.copy()
    frame.loc[parts[1].counts.index[3], "bmi"] = 1e300
    refused(
        lambda: predict(parts[1], quick, frame),
        "1 sample of 40", "'bmi'", repr(parts[1].counts.index[3]), "Correct the metadata",
    )  # fmt: skip


def test_a_model_and_its_covariates_belong_together(
    refused, aam, predict, quick, parts, columns, fitted, mixed_study
):
    refused(
        lambda: predict(parts[1], quick), "fitted with 2 covariates, 'bmi', 'site'", "'covariates'"
    )
    other = pd.DataFrame({"bmi": 1.0}, mixed_study.counts.index)
    refused(
        lambda: predict(mixed_study, fitted, other), "without covariates", "no effect", "Leave it"
    )
    message = refused(
        lambda: predict(parts[1], quick, columns.iloc[:100]),
        "20 samples of 40", "not in the covariates", "cells may be blank",
    )  # fmt: skip
    assert "missing_samples" not in message
    refused(
        lambda: predict(parts[1], quick, columns.iloc[:80]), "no ids in common", "the covariates"
    )


def test_samples_without_a_row_in_fitting(refused, fit, columns):
    part = qiime2.Metadata(columns.iloc[7:])
    refused(
        lambda: fit(names=["bmi"], covariates=part),
        "7 samples of 80", "not in the covariates", "'missing_samples' to 'ignore'",
    )  # fmt: skip
    found = fit(names=["bmi"], covariates=part, missing_samples="ignore")
    assert counts_of(found)["samples dropped: not in the covariates"] == 7
    assert len(log_of(found).summary["sample_ids"]) == 73
    settings = {setting.name: setting for setting in log_of(found).settings}
    assert settings["missing_samples"].chosen_by == "user"
    assert (settings["covariate_columns"].value, settings["covariate_columns"].chosen_by) == (
        ["bmi"], "user",
    )  # fmt: skip


def test_the_microbes_are_read_beside_covariates(fit, predict, parts):
    """A target of both: the covariate says half of it."""
    study, unseen = parts
    ages = pd.concat([study.ages, unseen.ages])
    random = np.random.default_rng(3)
    treated = pd.Series(random.random(len(ages)) < 0.5, ages.index)
    target = (ages + 15 * treated).rename("burden")
    frame = pd.DataFrame({"treated": treated.map({True: "yes", False: "no"})})
    frame["diet"] = [*by_age(study), *by_age(unseen)]
    metadata = qiime2.Metadata(frame)
    found = predict(unseen, fit(target, ["treated"], covariates=metadata), frame)
    assert r_squared(found, target) > 0.7
