"""A fit with nothing but a table and a column: heads in closed form, on every labeled sample."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
import qiime2
import torch
from simulated_study import QUICK_FIT, by_age, categorical, model_of, simulate_study

from q2_aam.model.heads.forest import ForestHead
from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMTrainingLogDirectoryFormat


@pytest.fixture(scope="module")
def large():
    return simulate_study(120, 30, 4, (40, 40))


def fit(aam, study, values=None, **options):
    """Fit, and return the results, the training log and what was printed."""
    values = study.ages if values is None else values
    printed = io.StringIO()
    numeric = values.dtype.kind == "f"
    action = aam.fit_regressor if numeric else aam.fit_classifier
    values = values[study.counts.index].rename("score").rename_axis("id")
    column = qiime2.NumericMetadataColumn(values) if numeric else categorical(values)
    with contextlib.redirect_stdout(printed):
        found = action(study.table, column, sequences=study.sequences, **QUICK_FIT | options)
    log = read_training_log(str(found.training_log.view(AAMTrainingLogDirectoryFormat)))
    return found, log, printed.getvalue()


@pytest.fixture(scope="module")
def regressed(aam, large, runs_of_models_made_once):
    groups = qiime2.CategoricalMetadataColumn(large.subjects)
    return fit(aam, large, groups=groups)


def test_nothing_descends_and_the_console_says_first_what_predicts(regressed):
    found, log, printed = regressed
    assert printed.startswith("predictions: ")
    assert printed.splitlines()[0].endswith("; attention head off")
    assert not len(log.history)
    assert (log.summary["epochs_run"], log.summary["kept_epoch"]) == (0, 0)
    names = [one["name"] for one in log.summary["heads"]]
    weights = [one["weight"] for one in log.summary["heads"]]
    assert sorted(names) == ["forest", "ridge"]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1)
    config, arrays = model_of(found.regressor)
    assert config.target.heads == ("ridge", "forest")
    assert not [name for name in arrays if "target_head.attention" in name]
    rows = found.training_log.view(qiime2.Metadata).to_dataframe()
    assert list(rows.index) == names
    assert rows["weight"].tolist() == pytest.approx(weights)
    assert (rows["mean_absolute_error"] > 0).all()


def test_no_labeled_sample_is_lost_and_intervals_come_from_all(regressed, large):
    found, log, _ = regressed
    assert sorted(log.summary["sample_ids"]) == sorted(large.counts.index)
    target = model_of(found.regressor)[0].target
    assert len(target.residuals) == len(large.ages)
    assert target.residual_weights == ()  # all groups have two samples


def test_groups_of_unlike_size_count_alike(aam, large):
    of_group = pd.Series(["big"] * 60 + [f"g{n}" for n in range(60)], large.counts.index)
    groups = categorical(of_group.rename("group").rename_axis("id"))
    target = model_of(fit(aam, large, groups=groups)[0].regressor)[0].target
    weights = np.array(target.residual_weights)
    assert np.unique(weights.round(9)).size == 2
    assert weights.max() / weights.min() == pytest.approx(60)


def test_one_group_is_refused(aam, study, refused):
    groups = categorical(pd.Series("all", study.counts.index, name="group").rename_axis("id"))
    refused(lambda: fit(aam, study, groups=groups), "has one group only ('all')", "'groups'")


def test_settings_of_descent_are_refused_by_name(aam, study, refused):
    refused(
        lambda: fit(aam, study, epochs=7, learning_rate=0.5, validation_size=0.3),
        "3 settings would have no effect", "'epochs'", "'learning_rate'", "'validation_size'",
        "'attention_head'", "'freeze_encoder'",
    )  # fmt: skip
    refused(
        lambda: fit(aam, study, attention_head="off", freeze_encoder=False),
        "'attention_head' is 'off'",
    )
    refused(
        lambda: fit(aam, study, target_loss="quantile", n_estimators=0),
        "'n_estimators' is 0", "'quantile'",
    )  # fmt: skip


def test_the_attention_head_descends_if_it_is_asked_for(aam, study):
    found, log, _ = fit(aam, study, attention_head="on", epochs=2, batch_size=8)
    assert log.history["epoch"].tolist() == [1, 2]
    assert log.history["validation_target_loss"].notna().all()
    heads = {one["name"]: one["weight"] for one in log.summary["heads"]}
    assert ("attention" in heads) == ("attention" in model_of(found.regressor)[0].target.heads)
    residuals = model_of(found.regressor)[0].target.residuals
    assert len(residuals) == round(0.2 * len(study.ages))  # of the samples that chose the epoch


def test_classes_have_a_logistic_head_and_scores_out_of_fold(aam, large):
    found, log, _ = fit(aam, large, by_age(large))
    config, _ = model_of(found.classifier)
    assert config.target.heads == ("ridge", "logistic", "forest")
    constant = by_age(large).value_counts(normalize=True)
    dummy = -(constant * np.log(constant)).sum()
    assert log.summary["scores"]["target_loss"] < 0.7 * dummy
    assert log.summary["scores"]["balanced_accuracy"] > 0.6


def test_a_range_is_learned_without_descent(aam, large):
    spread = 0.5 + large.ages / 3
    noisy = large.ages + spread * np.random.default_rng(6).normal(size=len(spread))
    found, _, _ = fit(aam, large, noisy, target_loss="quantile", n_estimators=60)
    said = aam.predict_regression(large.table, found.regressor, sequences=large.sequences)
    bounds = said.intervals.view(pd.DataFrame)
    width = bounds["upper"] - bounds["lower"]
    assert np.corrcoef(width, spread[width.index])[0, 1] > 0.4
    held = noisy[width.index].between(bounds["lower"], bounds["upper"]).mean()
    assert held > 0.85


def test_trees_follow_steps_that_ridge_cannot(aam, large):
    fractions = large.counts.div(large.counts.sum(axis=1), axis=0)
    common = fractions.columns[np.argsort(-(fractions > 0).mean(axis=0).to_numpy())[:2]]
    steps = fractions[common].gt(fractions[common].median()).all(axis=1)
    values = 10.0 * steps + large.ages / 24
    errors = {}
    for trees in (0, 60):
        found, log, _ = fit(aam, large, values, n_estimators=trees)
        said = aam.predict_regression(large.table, found.regressor, sequences=large.sequences)
        errors[trees] = (said.predictions.view(pd.Series) - values).abs().mean()
        assert ("forest" in [one["name"] for one in log.summary["heads"]]) == bool(trees)
    assert errors[60] < 0.9 * errors[0]


@pytest.mark.parametrize("loss", ["huber", "mae", "mse"])
def test_outliers_move_the_forest_only_where_the_loss_follows_them(aam, large, monkeypatch, loss):
    values = large.ages / 24
    values[values.index[::15]] += 60
    found, _, _ = fit(aam, large, values, target_loss=loss, target_scaling="none", n_estimators=40)
    said, forward = [], ForestHead.forward
    monkeypatch.setattr(
        ForestHead, "forward", lambda *given: said.append(forward(*given)) or said[-1]
    )
    aam.predict_regression(large.table, found.regressor, sequences=large.sequences)
    usual = np.ones(120, dtype=bool)
    usual[::15] = False
    assert (torch.cat(said).numpy()[usual, 0].max() < 2) == (loss != "mse")


def test_the_seed_decides_folds_and_trees(aam, study):
    one, same, other = (
        model_of(fit(aam, study, random_seed=seed)[0].regressor)[1] for seed in (1, 1, 2)
    )
    assert all(np.array_equal(one[name], same[name]) for name in one)
    name = "target_head.forest.threshold"
    assert not np.array_equal(one[name], other[name])
