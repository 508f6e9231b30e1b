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


def left_out_by_hand(x, values, groups, counts, penalty):
    """Fit without each group; return the squared error of all, and the answers."""
    squared, left_out = 0.0, np.empty_like(values)
    for group in np.unique(groups):
        kept = groups != group
        # the penalty stays that of all samples
        model = Ridge(alpha=penalty * len(values))
        model.fit(x[kept], values[kept], sample_weight=counts[kept])
        # scikit-learn's newer releases answer one target in one dimension
        left_out[~kept] = model.predict(x[~kept]).reshape(-1, values.shape[1])
        error = np.square(left_out[~kept] - values[~kept])
        squared += (counts[~kept, None] * error).sum()
    return squared, left_out


def best_by_hand(x, values, groups, counts) -> int:
    errors = [left_out_by_hand(x, values, groups, counts, one)[0] for one in PENALTIES]
    return int(np.argmin(errors))


@pytest.mark.parametrize("shape", [(30, 8), (24, 40)])
@pytest.mark.parametrize("noise", [0.1, 3.0])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_the_choice_is_the_best_on_many_groups_left_out(shape, noise, even, alone):
    x, values, groups = draw(*shape, noise, outputs=2)
    groups = np.arange(len(groups)) // (1 if alone else 2)
    if alone:
        groups[:3] = 0
    counts = weights_of(len(x), even)
    found = choose_penalty(x, values, counts, groups)
    assert found.penalty == PENALTIES[best_by_hand(x, values, groups, counts)]
    _, answers = left_out_by_hand(x, values, groups, counts, found.penalty)
    assert np.allclose(found.left_out, answers, atol=1e-5)


def shifted_groups(number: int, seed: int):
    """Groups with a shift of their own want a large penalty, samples within them a small one."""
    random, groups = np.random.default_rng(seed), np.arange(60) % number
    x = random.normal(size=(60, 20)) + 1.5 * random.normal(size=(number, 20))[groups]
    values = x @ random.normal(size=(20, 1)) + 8 * random.normal(size=(number, 1))[groups]
    return x / np.sqrt(20), values + 0.3 * random.normal(size=(60, 1)), groups


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize(("number", "part"), [(2, 1), (3, 4 / 9), (4, 1 / 4), (30, 1 / 225)])
def test_few_groups_are_believed_less_than_samples(number, part, even):
    counts, moved = weights_of(60, even), 0
    for seed in range(5):
        x, values, groups = shifted_groups(number, seed)
        flat = values[:, 0]
        means = np.array(
            [np.average(flat[groups == g], weights=counts[groups == g]) for g in groups]
        )
        within = np.average((flat - means) ** 2, weights=counts)
        total = np.average((flat - np.average(flat, weights=counts)) ** 2, weights=counts)
        part_here = part * within / total
        by_group = best_by_hand(x, values, groups, counts)
        by_sample = best_by_hand(x, values, np.arange(60), counts)
        found = choose_penalty(x, values, counts, groups)
        place = round((1 - part_here) * by_group + part_here * by_sample)
        assert found.penalty == PENALTIES[place]
        _, answers = left_out_by_hand(x, values, groups, counts, found.penalty)
        assert np.allclose(found.left_out, answers, atol=1e-5)
        moved += place != by_group
    assert bool(moved) == (number < 30)


def test_samples_are_not_asked_where_groups_have_one_value():
    x, _, groups = shifted_groups(3, 0)
    values = np.array([[0.0], [1.0], [1.0]])[groups]
    found = choose_penalty(x, values, np.ones(60), groups)
    by_group, by_sample = (
        best_by_hand(x, values, of, np.ones(60)) for of in (groups, np.arange(60))
    )
    assert by_group > by_sample + 4
    assert found.penalty == PENALTIES[by_group]


def test_one_group_alone_chooses_by_its_samples():
    x, values, _ = draw(30, 8, noise=1.0)
    found = choose_penalty(x, values, np.ones(30), np.zeros(30, dtype=int))
    assert found.penalty == PENALTIES[best_by_hand(x, values, np.arange(30), np.ones(30))]
    assert np.isfinite(found.left_out).all()


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
