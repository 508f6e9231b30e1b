"""Fits: heads in closed form; what is made small; units, bounds and intervals."""

import numpy as np
import pandas as pd
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
import torch

from q2_aam.actions import fit
from q2_aam.config.target import SCALINGS, TARGET_LOSSES
from q2_aam.model.heads.forest import ForestHead


@pytest.fixture(scope="module")
def large():
    """Enough samples to judge intervals by."""
    return sim.simulate_study(400, 30, 51, (40, 40))


@pytest.fixture(scope="module")
def noisy(large):
    """A target that is the harder to predict, the older a sample is."""
    spread = 0.5 + large.ages / 3
    return large.ages + spread * np.random.default_rng(6).normal(size=len(spread))


def predict(study, fitted, confidence_level=0.9) -> pd.DataFrame:
    found = quick.predict(study, fitted, confidence_level=confidence_level)
    bounds = sim.values_of(found.intervals)[["lower", "upper"]]
    return bounds.assign(prediction=sim.values_of(found.predictions))


def divided(study, training: int, seed: int):
    """Divide a study into samples to fit on and samples to judge by."""
    ids = np.random.default_rng(seed).permutation(study.counts.index)
    return study.select(ids[:training]), study.select(ids[training:])


def test_11_9_every_loss_trains_and_each_gives_other_weights(study, pretrained):
    """In closed form it decides how heads are blended, in descent what the encoder learns."""
    weights = set()
    for loss in TARGET_LOSSES:
        fitted = quick.fit(
            study, target_loss=loss, encoder=pretrained.encoder, freeze_encoder=False, epochs=6,
            batch_size=8, learning_rate=0.01,
        )  # fmt: skip
        history = sim.history_of(fitted)["train_target_loss"]
        assert history.iloc[-1] < 0.9 * history.iloc[0]
        config, arrays = sim.model_of(fitted)
        assert config.target.loss == loss
        weights.add(arrays["asv_encoder.nucleotides.weight"].tobytes())
    assert len(weights) == len(TARGET_LOSSES)


def test_quantiles_predict_towards_the_median_and_mse_the_mean(large):
    skewed = large.ages + np.random.default_rng(8).exponential(16, len(large.ages))
    training, unseen = divided(large, 300, 1)
    offset = {}
    for loss in ("quantile", "mse"):
        fitted = quick.fit(training, skewed, target_loss=loss, n_estimators=40)
        offset[loss] = (quick.predictions(unseen, fitted) - unseen.ages).mean()
    median, mean = 16 * np.log(2), 16
    assert abs(offset["mse"] - mean) < abs(offset["mse"] - median)
    assert offset["quantile"] < offset["mse"] - 0.5


def test_values_coded_999_are_said_and_do_not_ruin_the_others(study, capsys):
    ages = study.ages.copy()
    ages.iloc[[3, 7]] = 999.0
    moved, error = {}, {}
    for loss in ("huber", "mse"):
        sound = quick.predictions(study, quick.fit(study, target_loss=loss))
        assert "far from all others" not in capsys.readouterr().err
        fitted = quick.fit(study, ages, target_loss=loss)
        printed = capsys.readouterr().err
        assert "Warning: 2 samples of 20 have a 'age' far from all others" in printed
        assert "'S003: 999', 'S007: 999'" in printed
        assert sim.counts_of(fitted)["samples with a 'age' far from all others"] == 2
        assert (sim.target_of(fitted).maximum < 25) == (loss == "huber")
        moved[loss] = (quick.predictions(study, fitted) - sound).abs()[ages < 999].mean()
        error[loss] = sim.log_of(fitted).summary["scores"]["mean_absolute_error"]  # out of fold
    assert moved["huber"] < 0.02 * np.ptp(study.ages)
    assert error["huber"] < 0.1 * error["mse"]
    # but not where they span powers of ten, on their logarithm
    spread = quick.fit(study, np.expm1(study.ages), target_scaling="log-min-max")
    assert "far from all others" not in capsys.readouterr().err
    assert sim.target_of(spread).maximum > 1e6


def test_quantile_intervals_are_wider_where_samples_are_harder_to_predict(large, noisy):
    training, unseen = divided(large, 240, 0)
    learned = quick.fit(training, noisy, target_loss="quantile", n_estimators=40)
    fits = {"learned": learned, "constant": quick.fit(training, noisy)}
    width = {}
    for name, fitted in fits.items():
        for level in (0.5, 0.99, 0.9):
            found = predict(unseen, fitted, level)
            assert (found["lower"] <= found["prediction"]).all()
            assert (found["prediction"] <= found["upper"]).all()
            assert (found["lower"] < found["upper"]).mean() > 0.5  # quantiles may be too wide
        width[name] = found["upper"] - found["lower"]
    assert width["learned"].corr(large.ages) > 0.4
    assert width["constant"].std() < 1e-4


@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_intervals_hold_the_wanted_share_of_unseen_values(large, noisy, loss):
    """Over several splits, as one alone can mislead."""
    levels, seeds = (0.5, 0.8, 0.95), range(2)
    held = dict.fromkeys(levels, 0.0)
    for seed in seeds:
        training, unseen = divided(large, 160, seed)
        fitted = quick.fit(training, noisy, target_loss=loss, random_seed=seed)
        for level in levels:
            found = predict(unseen, fitted, level)
            truth = noisy[found.index]
            held[level] += truth.between(found["lower"], found["upper"]).mean() / len(seeds)
    assert list(held.values()) == pytest.approx(levels, abs=0.08)


def test_the_width_is_the_conformal_quantile_of_errors_without_the_group(study, capsys):
    fitted = quick.fit(study)
    target = sim.target_of(fitted)
    residuals = np.array(target.residuals) * target.scale
    assert len(residuals) == 20
    for level, rank in ((0.5, 11), (0.9, 19), (0.95, 20)):
        found = predict(study, fitted, level)
        assert np.allclose(found["upper"] - found["lower"], 2 * residuals[rank - 1])
    predict(study, fitted, 0.99)
    assert "20 samples predicted without their group cannot support 99 %" in capsys.readouterr().err


def test_a_wider_learned_range_gives_wider_intervals(study):
    widths = []
    for one in (0.5, 0.9):
        fitted = quick.fit(study, target_loss="quantile", quantile_range=one, n_estimators=40)
        target = sim.target_of(fitted)
        found, margin = predict(study, fitted, 0.5), np.quantile(target.residuals, 0.5)
        widths.append((found["upper"] - found["lower"]).mean() - 2 * margin * target.scale)
    assert widths[1] > widths[0]


@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_11_8_bounds_keep_predictions_and_intervals_in_the_training_range(large, loss):
    training, unseen = divided(large, 80, 4)
    free, bounded = (
        quick.fit(training, target_loss=loss, bound_predictions=one) for one in (False, True)
    )
    target = sim.target_of(free)
    assert not target.bounded
    outside, found = predict(unseen, free), predict(unseen, bounded)
    assert outside["upper"].max() > target.maximum
    assert outside["lower"].min() < target.minimum
    assert np.allclose(found, outside.clip(target.minimum, target.maximum), rtol=0, atol=1e-9)
    assert found.to_numpy().min() >= training.ages.min()
    assert found.to_numpy().max() <= training.ages.max()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_11_9_predictions_are_in_original_units_whatever_the_scaling(large, scaling):
    training, unseen = divided(large, 100, 2)
    weights = 1000 + 100 * large.ages
    fitted = quick.fit(training, weights, target_scaling=scaling)
    found = quick.predictions(unseen, fitted)
    truth = weights[found.index]
    error = (found - truth).abs().mean()
    assert error < 0.5 * (truth - truth.mean()).abs().mean()
    assert len(sim.target_of(fitted).residuals) == 100
    scores = sim.log_of(fitted).summary["scores"]
    assert scores["mean_absolute_error"] == pytest.approx(error, rel=0.5)


def test_11_9_logarithms_suit_values_that_span_powers_of_ten(large, refused):
    training, unseen = divided(large, 120, 3)
    counts = np.expm1(large.ages / 2)  # 0 to 160,000
    error = {}
    for scaling in ("none", "log-min-max", "log-z-score"):
        found = predict(unseen, quick.fit(training, counts, target_scaling=scaling))
        predicted = np.log1p(found["prediction"].clip(lower=0))
        error[scaling] = (predicted - np.log1p(counts[found.index])).abs().mean()
        assert scaling == "none" or found.to_numpy().min() >= 0
    assert max(error["log-min-max"], error["log-z-score"]) < 0.5 * error["none"]
    counts[training.counts.index[:2]] = -0.5
    parts = ("2 samples of 120", "negative 'age'", training.counts.index[0], "'z-score'")
    refused(quick.fit, *parts, study=training, values=counts, target_scaling="log-z-score")


def test_quantiles_of_unscaled_thousands_can_be_learned(study):
    """Their width alone is beyond what an exponential can hold."""
    large, given = study.ages * 1000, {"attention_head": "on", "epochs": 1, "batch_size": 8}
    fitted = quick.fit(study, large, target_loss="quantile", target_scaling="none", **given)
    found = predict(study, fitted)
    assert np.isfinite(found).all(axis=None)
    assert found["prediction"].between(large.min(), large.max()).all()


def test_losses_beside_each_other_weigh_as_much_as_is_asked_for(study, pretrained):
    given = {"encoder": pretrained.encoder, "freeze_encoder": False, "epochs": 1, "batch_size": 8}
    beside = given | {"distance_matrix": study.distances}
    settings = [
        given, beside, beside | {"unifrac_weight": 10.0}, beside | {"unifrac_weight": 0.0},
        beside | {"target_weight": 0.01},
    ]  # fmt: skip
    models = [sim.model_of(quick.fit(study, **one)) for one in settings]
    states = [config.distance_state for config, _ in models]
    assert states == ["stale", "trained", "trained", "stale", "trained"]
    weights = [arrays["branches.membership.weight"].tobytes() for _, arrays in models]
    assert len(set(weights)) == 4  # a matrix of weight 0 is none
    assert weights[0] == weights[3]


@pytest.fixture(scope="module")
def medium():
    return sim.simulate_study(120, 30, 4, (40, 40))


def test_nothing_descends_and_what_predicts_is_said_first(medium, capsys):
    found = quick.fit(medium, groups=medium.subject_column)
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
    assert sim.counts_of(found)["samples used for training"] == len(medium.ages)
    assert log.summary["sample_ids"] == sorted(medium.counts.index)
    assert len(config.target.residuals) == len(medium.ages)
    assert config.target.residual_weights == ()  # all groups have two samples


def test_groups_of_unlike_size_count_alike(medium):
    of_group = pd.Series(["big"] * 60 + [f"g{n}" for n in range(60)], medium.counts.index)
    fitted = quick.fit(medium, groups=sim.column_of(of_group))
    weights = np.unique(np.round(sim.target_of(fitted).residual_weights, 9))
    assert weights.size == 2
    assert weights.max() / weights.min() == pytest.approx(60)


@pytest.mark.parametrize(("least", "chosen"), [(20, "on"), (21, "off")])
def test_by_default_the_attention_head_descends_from_so_many_samples_on(
    study, monkeypatch, capfd, least, chosen
):
    monkeypatch.setattr(fit, "ATTENTION_FROM", least)
    settings = {"epochs": 1} if chosen == "on" else {}
    found = quick.fit(study, **settings)
    assert len(sim.log_of(found).history) == (chosen == "on")
    line = f"attention head: {chosen} ('auto': on from {least} samples, and there are 20)"
    assert line in capfd.readouterr().out


def test_trees_follow_steps_that_ridge_cannot(medium):
    fractions = medium.counts.div(medium.counts.sum(axis=1), axis=0)
    common = fractions[(fractions > 0).sum().nlargest(2).index]
    values = 10.0 * common.gt(common.median()).all(axis=1) + medium.ages / 24
    errors = {}
    for trees in (0, 60):
        found = quick.fit(medium, values, n_estimators=trees)
        errors[trees] = (quick.predictions(medium, found) - values).abs().mean()
        heads = [one["name"] for one in sim.log_of(found).summary["heads"]]
        assert ("forest" in heads) == bool(trees)
    assert errors[60] < 0.9 * errors[0]


@pytest.mark.parametrize("loss", ["huber", "mae", "mse"])
def test_outliers_move_the_forest_only_where_the_loss_follows_them(medium, monkeypatch, loss):
    values = medium.ages / 24
    values[values.index[::15]] += 60
    found = quick.fit(medium, values, target_loss=loss, target_scaling="none", n_estimators=40)
    outputs, forward = [], ForestHead.forward
    monkeypatch.setattr(
        ForestHead, "forward", lambda *given: outputs.append(forward(*given)) or outputs[-1]
    )
    quick.predict(medium, found)
    usual = np.arange(120) % 15 != 0
    assert (torch.cat(outputs).numpy()[usual, 0].max() < 2) == (loss != "mse")
