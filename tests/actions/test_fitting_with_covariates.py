"""Covariates: metadata columns that a model reads beside the microbes."""

import warnings

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import TINY_FIT, by_age, categorical, model_of, simulate_study

from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMTrainingLogDirectoryFormat

LEARNING = TINY_FIT | {"epochs": 6, "learning_rate": 0.01, "batch_size": 16}
FUSIONS = ("concatenate", "gate")


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
                **given, **TINY_FIT | settings,
            )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def predict(aam):
    def run(study, fitted, frame=None):
        given = {} if frame is None else {"covariates": qiime2.Metadata(frame)}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*cannot support")
            found = aam.predict_regression(
                study.table, fitted.regressor, sequences=study.sequences, **given
            )
        return found.predictions.view(pd.Series)

    return run


@pytest.fixture(scope="module")
def quick(fit):
    """A model with a numeric and a categorical covariate."""
    return fit("of site", ["bmi", "site"], epochs=3, learning_rate=0.01)


def r_squared(found: pd.Series, truth: pd.Series) -> float:
    truth = truth[found.index]
    return 1 - ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


# learning


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", ["bmi", "site"])
def test_what_depends_on_a_covariate_is_learned(fit, predict, parts, columns, name, fusion):
    fitted = fit(f"of {name}", [name], covariate_fusion=fusion, **LEARNING)
    assert r_squared(predict(parts[1], fitted, columns[[name]]), columns[f"of {name}"]) > 0.7


def test_without_the_covariate_it_is_not_learned(fit, predict, parts, columns):
    for name in ("bmi", "site"):
        found = predict(parts[1], fit(f"of {name}", **LEARNING))
        assert r_squared(found, columns[f"of {name}"]) < 0.2


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_classifier_reads_covariates(aam, parts, columns, fusion):
    study, unseen = parts
    column = pd.Series(np.where(columns["site"] == "soil", "wild", "host"), columns.index)
    metadata = qiime2.Metadata(columns)
    fitted = aam.fit_classifier(
        study.table, categorical(column.rename("origin")), sequences=study.sequences,
        covariates=metadata, covariate_columns=["site"], covariate_fusion=fusion, **LEARNING,
    )  # fmt: skip
    found = aam.predict_classification(
        unseen.table, fitted.classifier, sequences=unseen.sequences, covariates=metadata
    ).predictions.view(pd.Series)
    assert (found == column[found.index]).mean() > 0.9


@pytest.mark.parametrize("fusion", FUSIONS)
def test_training_reaches_every_weight_of_the_fusion(fit, fusion):
    """The layer after the fusion starts at zero: for a step no gradient passes it."""
    settings = {"covariate_fusion": fusion, "learning_rate": 0.01, "min_epochs": 0}
    _, early = model_of(fit("of site", ["site"], epochs=1, **settings).regressor)
    _, late = model_of(fit("of site", ["site"], epochs=6, patience=6, **settings).regressor)
    names = [name for name in early if "fusion" in name or "target_head.pooled" in name]
    assert len(names) == (3 if fusion == "concatenate" else 5)
    for name in names:
        assert not np.array_equal(early[name], late[name]), name
        # weight decay alone would only shrink them; a single number may be where that leads
        if early[name].size > 1:
            assert not np.allclose(late[name], early[name] * 0.99, rtol=0.02), name


def test_columns_of_one_covariate_each_have_an_embedding(quick):
    config, arrays = model_of(quick.regressor)
    bmi, site = config.target.covariates
    assert (bmi.levels, site.levels) == ((), ("gut", "skin", "soil"))
    weights = arrays["target_head.fusion.embedding.weight"]
    assert weights.shape == (16, 2 + 4)
    # no training sample lacked a value: what says so must not be read by weights drawn at random
    assert (weights[:, [1, 5]] == 0).all()
    assert (weights[:, [0, 2, 3, 4]] != 0).all()


# at prediction


def test_order_of_rows_and_columns_does_not_matter(fit, predict, quick, parts, columns):
    shuffled = columns.sample(frac=1, random_state=1)[["site", "of bmi", "bmi"]]
    again = fit(
        "of site", ["bmi", "site"], covariates=qiime2.Metadata(shuffled), epochs=3,
        learning_rate=0.01,
    )  # fmt: skip
    (_, left), (_, right) = model_of(quick.regressor), model_of(again.regressor)
    assert all(np.array_equal(left[name], right[name]) for name in left)
    found = predict(parts[1], quick, columns)
    assert found.equals(predict(parts[1], quick, shuffled))
    assert found.nunique() > 10


def test_missing_cells_and_unknown_levels_are_predicted_between_the_known(
    predict, quick, parts, columns
):
    frame = columns.loc[parts[1].counts.index, ["bmi", "site"]]
    of_level = {}
    for level in ("gut", "skin", "soil"):
        of_level[level] = predict(parts[1], quick, frame.assign(site=level)).mean()
    assert of_level["gut"] < of_level["skin"] < of_level["soil"]
    span = of_level["soil"] - of_level["gut"]
    with pytest.warns(UserWarning, match="'site' has 2 levels .* 'moon', 'sea'"):
        unknown = predict(parts[1], quick, frame.assign(site=["moon", "sea"] * 20))
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
    found = predict(
        parts[1], fit("of site", ["site"], covariates=qiime2.Metadata(frame), **LEARNING), frame
    )
    assert r_squared(found, columns["of site"]) > 0.7


def test_distances_need_no_covariates(fit, aam, parts):
    study = parts[1]
    fitted = fit("of site", ["site"], study=study, distance_matrix=study.distances)
    assert aam.predict_distances(study.table, fitted.regressor, sequences=study.sequences)


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
        covariates=metadata, covariate_columns=["body site", " bmi "], **TINY_FIT,
    )  # fmt: skip
    site, bmi = model_of(fitted.regressor)[0].target.covariates
    assert (site.name, site.levels, bmi.name) == ("body site", ("gut", "skin"), "bmi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
    refused(lambda: fit(covariate_fusion="gate"), "'covariate_fusion' was given without")


def test_columns_that_cannot_be_covariates(refused, fit, columns):
    refused(lambda: fit(names=["bmi", "site", "bmi"]), "names 'bmi' more than once")
    refused(lambda: fit("of bmi", ["bmi", "of bmi"]), "'of bmi'", "the column to predict")
    frame = columns.assign(same=4.5, gone=None, word="x")
    frame["gone"] = frame["gone"].astype(float)

    def given(name):
        return lambda: fit(names=[name], covariates=qiime2.Metadata(frame))

    refused(given("same"), "'same' is '4.5' in all 64 training samples", "covariate_columns")
    refused(given("word"), "'word' is 'x' in all 64")
    refused(given("gone"), "'gone' is blank in all 64")


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
    found = fit(names=["bmi"], covariates=part, missing_samples="ignore", epochs=1)
    log = read_training_log(str(found.training_log.view(AAMTrainingLogDirectoryFormat)))
    counts = {item["what"]: item["count"] for item in log.summary["data"]}
    assert counts["samples dropped: not in the covariates"] == 7
    assert counts["samples used for training"] + counts["samples used for validation"] == 73
    settings = {setting.name: setting for setting in log.settings}
    assert settings["missing_samples"].chosen_by == "user"
    assert settings["covariate_columns"].value == ["bmi"]
    assert settings["covariate_fusion"].chosen_by == "default"
    assert "freeze_encoder" not in settings


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
    found = predict(unseen, fit(target, ["treated"], covariates=metadata, **LEARNING), frame)
    assert r_squared(found, target) > 0.7
