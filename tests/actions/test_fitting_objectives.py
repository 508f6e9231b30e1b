"""What a regressor is asked to make small, and the units, bounds and intervals of what it says."""

import warnings

import numpy as np
import pandas as pd
import pytest
import qiime2
from simulated_study import TINY_FIT, model_of, simulate_study

from q2_aam.config import SCALINGS, TARGET_LOSSES

LEARNING = TINY_FIT | {"epochs": 4, "learning_rate": 0.01, "batch_size": 32}


@pytest.fixture(scope="module")
def large():
    """Enough samples to judge intervals by."""
    return simulate_study(500, 30, 51, (40, 40))


@pytest.fixture(scope="module")
def spread(large):
    """How uncertain the target of each sample is: the older, the more."""
    return 0.5 + large.ages / 3


@pytest.fixture(scope="module")
def noisy(large, spread):
    """A target that is harder to predict in some samples."""
    noise = np.random.default_rng(6).normal(size=len(spread))
    return (large.ages + spread * noise).rename("score")


@pytest.fixture(scope="module")
def fit(aam, tmp_path_factory):
    def run(study, column, **settings):
        column = column[study.counts.index].rename("score").rename_axis("id")
        trees = {"trees": 0} if settings.get("target_loss") == "quantile" else {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("run")))
            return aam.fit_regressor(
                study.table, qiime2.NumericMetadataColumn(column), sequences=study.sequences,
                **LEARNING | trees | settings,
            )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def predict(aam):
    def run(study, fitted, confidence_level=0.9):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*cannot support")
            found = aam.predict_regression(
                study.table,
                fitted.regressor,
                sequences=study.sequences,
                confidence_level=confidence_level,
            )
        bounds = found.intervals.view(pd.DataFrame)
        return bounds.assign(prediction=found.predictions.view(pd.Series))

    return run


def divided(study, training: int, seed: int):
    """Divide a study into samples to fit on and samples to judge by."""
    ids = np.random.default_rng(seed).permutation(study.counts.index)
    return study.select(ids[:training]), study.select(ids[training:])


@pytest.fixture(scope="module")
def by_quantiles(fit, large, noisy):
    training, _ = divided(large, 300, 0)
    settings = {"target_loss": "quantile", "epochs": 12, "validation_size": 0.3}
    return fit(training, noisy, **settings)


@pytest.fixture(scope="module")
def by_default(fit, large, noisy):
    training, _ = divided(large, 300, 0)
    return fit(training, noisy, validation_size=0.3)


# losses


def test_11_9_every_loss_trains_and_each_gives_other_weights(fit, study):
    found = {}
    for loss in TARGET_LOSSES:
        fitted = fit(study, study.ages, target_loss=loss, epochs=8, batch_size=8)
        history = fitted.training_log.view(qiime2.Metadata).to_dataframe()["train_target_loss"]
        assert history.iloc[-1] < 0.8 * history.iloc[0], loss
        config, arrays = model_of(fitted.regressor)
        assert config.target.loss == loss
        found[loss] = arrays["asv_encoder.nucleotides.weight"]
    names = list(found)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            assert not np.array_equal(found[one], found[other]), (one, other)


def test_11_9_the_default_loss_is_huber(fit, study):
    default, huber = (
        fit(study, study.ages, epochs=1, **one) for one in ({}, {"target_loss": "huber"})
    )
    (_, left), (_, right) = model_of(default.regressor), model_of(huber.regressor)
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_quantiles_predict_the_median_and_mse_the_mean(fit, predict, large):
    skewed = large.ages + np.random.default_rng(8).exponential(16, len(large.ages))
    training, unseen = divided(large, 300, 1)
    offset = {}
    for loss in ("quantile", "mse"):
        found = predict(unseen, fit(training, skewed, target_loss=loss, epochs=8))
        offset[loss] = (found["prediction"] - unseen.ages[found.index]).mean()
    median, mean = 16 * np.log(2), 16
    assert abs(offset["quantile"] - median) < abs(offset["quantile"] - mean)
    assert abs(offset["mse"] - mean) < abs(offset["mse"] - median)


# intervals


def test_quantile_intervals_are_wider_where_samples_are_harder_to_predict(
    predict, large, spread, by_quantiles, by_default
):
    _, unseen = divided(large, 300, 0)
    found = predict(unseen, by_quantiles)
    width = found["upper"] - found["lower"]
    assert np.corrcoef(width, spread[found.index])[0, 1] > 0.5
    constant = predict(unseen, by_default)
    assert (constant["upper"] - constant["lower"]).std() < 1e-4


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_intervals_are_ordered_around_predictions(predict, large, by_quantiles, by_default, level):
    _, unseen = divided(large, 300, 0)
    for fitted in (by_quantiles, by_default):
        found = predict(unseen, fitted, level)
        assert (found["lower"] <= found["prediction"]).all()
        assert (found["prediction"] <= found["upper"]).all()
        assert (found["lower"] < found["upper"]).all()


def test_intervals_hold_the_wanted_share_of_unseen_values(fit, predict, large, noisy):
    """Over several splits, as one validation set alone can mislead."""
    levels, seeds = (0.5, 0.8, 0.95), range(3)
    for loss in ("huber", "quantile"):
        held = dict.fromkeys(levels, 0.0)
        for seed in seeds:
            training, unseen = divided(large, 260, seed)
            fitted = fit(
                training, noisy, target_loss=loss, epochs=2, validation_size=0.4, random_seed=seed
            )
            for level in levels:
                found = predict(unseen, fitted, level)
                truth = noisy[found.index]
                held[level] += truth.between(found["lower"], found["upper"]).mean() / len(seeds)
        for level in levels:
            assert held[level] == pytest.approx(level, abs=0.07), (loss, level, held)


def test_a_wider_learned_range_gives_other_quantiles(fit, study):
    found = [
        model_of(
            fit(study, study.ages, target_loss="quantile", quantile_range=one, epochs=1).regressor
        )[1]["target_head.pooled.bias"]
        for one in (0.5, 0.9)
    ]
    below, _, above = found[1] - found[0]
    assert below > 0
    assert above > 0


# bounds and units


@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_11_8_bounds_keep_predictions_and_intervals_in_the_training_range(
    fit, predict, large, loss
):
    training, unseen = divided(large, 80, 4)
    free = fit(training, large.ages, target_loss=loss)
    target = model_of(free.regressor)[0].target
    assert not target.bounded
    outside = predict(unseen, free)
    assert outside["upper"].max() > target.maximum
    assert outside["lower"].min() < target.minimum
    found = predict(unseen, fit(training, large.ages, target_loss=loss, bound_predictions=True))
    assert np.allclose(found, outside.clip(target.minimum, target.maximum), rtol=0, atol=1e-9)
    ages = large.ages[training.counts.index]
    assert found.to_numpy().min() >= ages.min()
    assert found.to_numpy().max() <= ages.max()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_11_9_predictions_are_in_original_units_whatever_the_scaling(fit, predict, large, scaling):
    training, unseen = divided(large, 100, 2)
    weights = 1000 + 100 * large.ages
    fitted = fit(training, weights, target_scaling=scaling)
    found = predict(unseen, fitted)
    truth = weights[found.index]
    error = (found["prediction"] - truth).abs().mean()
    assert error < 0.5 * (truth - truth.mean()).abs().mean()
    residuals = np.array(model_of(fitted.regressor)[0].target.residuals)
    assert len(residuals) == 20
    history = fitted.training_log.view(qiime2.Metadata).to_dataframe()
    assert 20 < history["validation_mean_absolute_error"].iloc[-1] < 1000


def test_11_9_logarithms_suit_values_that_span_powers_of_ten(fit, predict, large):
    training, unseen = divided(large, 120, 3)
    counts = np.expm1(large.ages / 2)  # 0 to 160,000
    error = {}
    for scaling in ("none", "log-min-max", "log-z-score"):
        found = predict(unseen, fit(training, counts, target_scaling=scaling))
        said = np.log1p(found["prediction"].clip(lower=0))
        error[scaling] = (said - np.log1p(counts[found.index])).abs().mean()
        if scaling != "none":
            assert found.to_numpy().min() >= 0
    assert error["log-min-max"] < 0.5 * error["none"]
    assert error["log-z-score"] < 0.5 * error["none"]


def test_quantiles_of_unscaled_thousands_can_be_learned(fit, predict, study):
    """Their width alone is beyond what an exponential can hold."""
    large = study.ages * 1000
    fitted = fit(study, large, target_loss="quantile", target_scaling="none", epochs=2)
    found = predict(study, fitted)
    assert np.isfinite(found).all().all()
    assert found["prediction"].between(large.min(), large.max()).all()


# UniFrac beside the target


def test_unifrac_beside_the_target_changes_the_model(fit, study):
    alone = fit(study, study.ages, epochs=1)
    both = fit(study, study.ages, epochs=1, distance_matrix=study.distances)
    more = fit(study, study.ages, epochs=1, distance_matrix=study.distances, unifrac_weight=10.0)
    none = fit(study, study.ages, epochs=1, distance_matrix=study.distances, unifrac_weight=0.0)
    states = [model_of(one.regressor)[0].distance_state for one in (alone, both, more, none)]
    assert states == ["untrained", "trained", "trained", "untrained"]
    weights = [
        model_of(one.regressor)[1]["branches.membership.weight"] for one in (alone, both, more)
    ]
    assert not np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[1], weights[2])


# refusals


def test_11_9_negative_values_have_no_logarithm(refused, fit, study):
    values = study.ages.copy()
    values.iloc[[1, 4]] = -0.5
    refused(
        lambda: fit(study, values, target_scaling="log-z-score"),
        "2 samples of 20", "negative 'score'", "'S001', 'S004'", "'z-score'",
    )  # fmt: skip


def test_settings_without_effect(refused, fit, study):
    refused(
        lambda: fit(study, study.ages, quantile_range=0.5),
        "'quantile_range' belongs to the loss 'quantile'", "'target_loss' is 'huber'",
    )  # fmt: skip
    refused(
        lambda: fit(study, study.ages, unifrac_weight=0.5),
        "'unifrac_weight' was given without 'distance_matrix'", "Give the matrix",
    )  # fmt: skip


def test_the_target_weighs_as_much_as_is_asked_for(fit, study):
    beside = {"epochs": 4, "distance_matrix": study.distances}
    plain, light = (
        model_of(fit(study, study.ages, target_weight=weight, **beside).regressor)[1]
        for weight in (1.0, 0.01)
    )
    name = "branches.membership.weight"
    assert not np.array_equal(plain[name], light[name])


def test_a_weight_of_the_target_alone_is_refused(refused, fit, study):
    refused(lambda: fit(study, study.ages, target_weight=0.5), "'target_weight'", "leave")
