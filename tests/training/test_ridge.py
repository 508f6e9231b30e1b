import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from q2_aam.model.random_features import RandomFeatures
from q2_aam.training import ridge
from q2_aam.training.ridge import PENALTIES, choose_penalty, fit_ridge


def draw(samples: int, features: int, noise: float, curved: bool = False, outputs: int = 1):
    random = np.random.default_rng(samples)
    x = random.normal(size=(samples, features))
    x = (x - x.mean(axis=0)) / np.sqrt(features / 2)
    values = 5 + x @ random.normal(size=(features, outputs))
    if curved:
        values = np.abs(x[:, :1]) + np.abs(x[:, 1:2])
    values = values + noise * random.normal(size=(samples, outputs))
    return x, values, random.integers(6, size=samples)


def weights_of(samples: int, even: bool):
    random = np.random.default_rng(1)
    return np.ones(samples) if even else random.uniform(0.2, 3.0, size=samples)


def features_of(x, number: int = 256):
    return RandomFeatures(x.shape[1], number)(torch.from_numpy(x).float()).double().numpy()


def blocks(x, curves, rows: int = 7):
    """Return how to read both, some rows at a time, and how many columns are no curves."""
    both = np.hstack([x, curves])
    return (
        lambda chosen: (both[part] for part in np.split(chosen, range(rows, len(chosen), rows)))
    ), x.shape[1]


def predict(weights, x, curves):
    return x @ weights.linear.T + curves @ weights.random.T + weights.intercept


@pytest.mark.parametrize("shape", [(30, 8), (12, 40)])
@pytest.mark.parametrize("even", [True, False])
def test_the_solution_is_that_of_ridge_regression(shape, even):
    x, values, groups = draw(*shape, noise=0.5, outputs=2)
    counts, curves = weights_of(len(x), even), features_of(x, 16)
    found, *_ = fit_ridge(*blocks(x, curves), values, counts, groups, np.random.default_rng(0))
    counts, both = counts / counts.mean(), np.hstack([x, curves])
    penalty, _ = choose_penalty(both, values, counts, groups)
    model = Ridge(alpha=penalty * len(values)).fit(both, values, sample_weight=counts)
    assert np.allclose(predict(found, x, curves), model.predict(both), atol=1e-6)
    assert np.allclose(found.linear, model.coef_[:, : x.shape[1]], atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 8), (24, 40)])
@pytest.mark.parametrize("noise", [0.1, 3.0])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_the_choice_is_the_best_on_groups_left_out(shape, noise, even, alone):
    x, values, groups = draw(*shape, noise, outputs=2)
    if alone:
        groups[3:] = 10 + np.arange(len(groups) - 3)
    counts = weights_of(len(x), even)
    errors, answers = {}, {}
    for penalty in PENALTIES:
        squared, left_out = 0.0, np.empty_like(values)
        for group in np.unique(groups):
            kept = groups != group
            # the penalty stays that of all samples
            model = Ridge(alpha=penalty * len(values))
            model.fit(x[kept], values[kept], sample_weight=counts[kept])
            left_out[~kept] = model.predict(x[~kept])
            error = np.square(left_out[~kept] - values[~kept])
            squared += (counts[~kept, None] * error).sum()
        errors[penalty], answers[penalty] = squared, left_out
    found = choose_penalty(x, values, counts, groups)
    assert errors[found.penalty] == pytest.approx(min(errors.values()), rel=1e-6)
    assert np.allclose(found.left_out, answers[found.penalty], atol=1e-5)


@pytest.mark.parametrize("curved", [False, True])
def test_straight_lines_and_curves_are_followed(curved):
    x, values, groups = draw(300, 3, noise=0.1, curved=curved)
    curves, counts = features_of(x), np.ones(200)
    found, *_ = fit_ridge(
        *blocks(x[:200], curves[:200]), values[:200], counts, groups[:200], np.random.default_rng(0)
    )
    unseen = predict(found, x[200:], curves[200:])
    assert np.corrcoef(unseen[:, 0], values[200:, 0])[0, 1] > 0.9


def test_large_studies_choose_on_a_part_of_the_samples(monkeypatch):
    monkeypatch.setattr(ridge, "CHOSEN_ON", 15)
    x, values, groups = draw(40, 5, 0.1)
    curves = features_of(x)
    solved = fit_ridge(*blocks(x, curves), values, np.ones(40), groups, np.random.default_rng(0))
    found, chosen_on, left_out = solved
    assert len(chosen_on) == len(left_out) == 15
    assert np.corrcoef(left_out[:, 0], values[chosen_on, 0])[0, 1] > 0.9
    assert np.corrcoef(predict(found, x, curves)[:, 0], values[:, 0])[0, 1] > 0.95
