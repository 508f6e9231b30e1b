"""A fit with nothing but a table and a column: heads in closed form, on every labeled sample."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
import torch

from q2_aam.model.heads.forest import ForestHead


@pytest.fixture(scope="module")
def large():
    return sim.simulate_study(120, 30, 4, (40, 40))


def test_nothing_descends_and_what_predicts_is_said_first(large, capsys):
    found = quick.fit(large, groups=large.subject_column)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("predictions: ")
    assert first.endswith("; attention head off")
    log = sim.log_of(found)
    assert not len(log.history)
    assert (log.summary["epochs_run"], log.summary["kept_epoch"]) == (0, 0)
    names, weights = ([one[key] for one in log.summary["heads"]] for key in ("name", "weight"))
    assert sorted(names) == ["forest", "ridge"]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1)
    config, arrays = sim.model_of(found)
    assert config.target.heads == ("ridge", "forest")
    assert not [name for name in arrays if "target_head.attention" in name]
    rows = found.training_log.view(qiime2.Metadata).to_dataframe()
    assert list(rows.index) == names
    # what nothing reads is not told as being in force
    told = sim.settings_of(found).keys()
    assert {"n_estimators", "features", "random_seed"} <= told
    assert not told & {"epochs", "learning_rate", "dropout", "patience"}
    assert "transformer layer" not in " ".join(log.summary["model"]["description"][1:])
    assert rows["weight"].tolist() == pytest.approx(weights)
    assert (rows["mean_absolute_error"] > 0).all()
    # no labeled sample is lost, and intervals come from all
    assert sim.counts_of(found)["samples used for training"] == len(large.ages)
    assert log.summary["sample_ids"] == sorted(large.counts.index)
    assert len(config.target.residuals) == len(large.ages)
    assert config.target.residual_weights == ()  # all groups have two samples


def test_groups_of_unlike_size_count_alike(large):
    of_group = pd.Series(["big"] * 60 + [f"g{n}" for n in range(60)], large.counts.index)
    fitted = quick.fit(large, groups=sim.column_of(of_group))
    weights = np.unique(np.round(sim.target_of(fitted).residual_weights, 9))
    assert weights.size == 2
    assert weights.max() / weights.min() == pytest.approx(60)


def test_the_attention_head_descends_if_it_is_asked_for(study):
    found = quick.fit(study, attention_head="on", epochs=2, batch_size=8)
    log = sim.log_of(found)
    assert log.history["epoch"].tolist() == [1, 2]
    assert log.history["validation_target_loss"].notna().all()
    heads = [one["name"] for one in log.summary["heads"]]
    assert ("attention" in heads) == ("attention" in sim.target_of(found).heads)
    # of the samples that chose the epoch
    assert len(sim.target_of(found).residuals) == round(0.2 * len(study.ages))


def test_classes_have_a_logistic_head_and_scores_out_of_fold(large):
    found = quick.fit(large, sim.by_age(large))
    assert sim.target_of(found).heads == ("ridge", "logistic", "forest")
    constant = sim.by_age(large).value_counts(normalize=True)
    scores = sim.log_of(found).summary["scores"]
    assert scores["target_loss"] < -0.7 * (constant * np.log(constant)).sum()
    assert scores["balanced_accuracy"] > 0.6


def test_trees_follow_steps_that_ridge_cannot(large):
    fractions = large.counts.div(large.counts.sum(axis=1), axis=0)
    common = fractions[(fractions > 0).sum().nlargest(2).index]
    values = 10.0 * common.gt(common.median()).all(axis=1) + large.ages / 24
    errors = {}
    for trees in (0, 60):
        found = quick.fit(large, values, n_estimators=trees)
        errors[trees] = (quick.predictions(large, found) - values).abs().mean()
        heads = [one["name"] for one in sim.log_of(found).summary["heads"]]
        assert ("forest" in heads) == bool(trees)
    assert errors[60] < 0.9 * errors[0]


@pytest.mark.parametrize("loss", ["huber", "mae", "mse"])
def test_outliers_move_the_forest_only_where_the_loss_follows_them(large, monkeypatch, loss):
    values = large.ages / 24
    values[values.index[::15]] += 60
    found = quick.fit(large, values, target_loss=loss, target_scaling="none", n_estimators=40)
    said, forward = [], ForestHead.forward
    monkeypatch.setattr(
        ForestHead, "forward", lambda *given: said.append(forward(*given)) or said[-1]
    )
    quick.predict(large, found)
    usual = np.arange(120) % 15 != 0
    assert (torch.cat(said).numpy()[usual, 0].max() < 2) == (loss != "mse")
