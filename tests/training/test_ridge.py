import numpy as np
import pytest
from sklearn.linear_model import Ridge

from q2_aam.training import ridge
from q2_aam.training.ridge import PENALTIES, choose_penalty, fit_ridge


def draw(samples: int, features: int, noise: float):
    random = np.random.default_rng(samples)
    x = random.normal(size=(samples, features))
    x = (x - x.mean(axis=0)) / np.sqrt(features / 2)
    values = 5 + x @ random.normal(size=features) + noise * random.normal(size=samples)
    return x, values, random.integers(6, size=samples)


@pytest.mark.parametrize("shape", [(30, 8), (12, 40)])
def test_the_solution_is_that_of_ridge_regression(shape):
    x, values, groups = draw(*shape, noise=0.5)
    weights, intercept = fit_ridge(x, values, groups, np.random.default_rng(0))
    penalty = choose_penalty(x, values, groups)
    model = Ridge(alpha=penalty * len(values)).fit(x, values)
    assert np.allclose(weights, model.coef_, atol=1e-8)
    assert intercept == pytest.approx(model.intercept_)


@pytest.mark.parametrize("shape", [(30, 8), (24, 40)])
@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_the_penalty_is_the_best_on_groups_left_out(shape, noise):
    x, values, groups = draw(*shape, noise)
    errors = []
    for penalty in PENALTIES:
        squared = 0.0
        for group in np.unique(groups):
            kept = groups != group
            # the penalty stays that of all samples
            model = Ridge(alpha=penalty * len(values)).fit(x[kept], values[kept])
            squared += np.square(model.predict(x[~kept]) - values[~kept]).sum()
        errors.append(squared)
    assert choose_penalty(x, values, groups) == pytest.approx(PENALTIES[np.argmin(errors)])


def test_large_studies_choose_on_a_part_of_the_samples(monkeypatch):
    monkeypatch.setattr(ridge, "CHOSEN_ON", 15)
    x, values, groups = draw(40, 5, 0.1)
    weights, intercept = fit_ridge(x, values, groups, np.random.default_rng(0))
    assert np.corrcoef(x @ weights + intercept, values)[0, 1] > 0.95
