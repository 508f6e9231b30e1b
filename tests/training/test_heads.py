"""Fitting heads, against scikit-learn and against fits by hand; weighing them; folds."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from q2_aam.errors import AAMError
from q2_aam.model.heads.forest import DEPTH, ForestHead
from q2_aam.model.heads.linear import LinearHead
from q2_aam.training.heads import blend as blending
from q2_aam.training.heads import forest, logistic, ridge
from q2_aam.training.heads.features import Known


def draw(samples: int, features: int, noise: float = 0.5, outputs: int = 2):
    random = np.random.default_rng(samples)
    x = random.normal(size=(samples, features)) / np.sqrt(features / 2)
    values = 5 + x @ random.normal(size=(features, outputs))
    return x.astype(np.float32), values + noise * random.normal(size=values.shape)


def weights_of(samples: int, even: bool):
    random = np.random.default_rng(1)
    return np.ones(samples) if even else random.uniform(0.2, 3.0, size=samples)


def folds_of(samples: int, number: int):
    return np.array_split(np.random.default_rng(0).permutation(samples), number)


# ridge


@pytest.mark.parametrize("shape", [(30, 8), (12, 40)])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("exactly", [True, False])
def test_the_solution_is_that_of_ridge_regression(shape, even, exactly, monkeypatch):
    monkeypatch.setattr(ridge, "SOLVED_EXACTLY", 1024 if exactly else 0)
    monkeypatch.setattr(ridge, "_TOLERANCE", 1e-6)
    x, values = draw(*shape)
    counts = weights_of(len(x), even)
    weights, intercept = ridge.fit_ridge(x, values, counts, 0.02)
    model = Ridge(alpha=0.02 * len(x)).fit(x, values, sample_weight=counts / counts.mean())
    assert np.allclose(weights, model.coef_, atol=2e-4)
    assert np.allclose(intercept, model.intercept_, atol=2e-4)


@pytest.mark.parametrize("shape", [(30, 8), (24, 40)])
@pytest.mark.parametrize("noise", [0.1, 3.0])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("number", [1, 5, 24])
def test_the_penalty_is_the_best_on_what_folds_leave_out(shape, noise, even, number):
    x, values = draw(*shape, noise)
    counts, folds = weights_of(len(x), even), folds_of(len(x), max(number, 2))[:number]
    counts = counts / counts.mean()
    found = np.full((len(ridge.PENALTIES), *values.shape), np.nan)
    for place, one in enumerate(ridge.PENALTIES):
        for rows in folds:
            kept = np.setdiff1d(np.arange(len(x)), rows)
            model = Ridge(alpha=one * len(x))  # the penalty stays that of all samples
            model.fit(x[kept].astype(float), values[kept], sample_weight=counts[kept])
            found[place, rows] = model.predict(x[rows].astype(float))
    best = np.nansum(counts[:, None] * np.square(found - values), axis=(1, 2)).argmin()
    penalty, predictions = ridge.tune_ridge(x, values, counts, folds)
    assert penalty == ridge.PENALTIES[best]
    assert np.allclose(predictions, found[best], atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("curved", [True, False])
def test_ridge_follows_curves_by_random_features_and_lines_without(curved):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 3))).float()
    x -= x.mean(dim=0)
    values = (x.abs() if curved else x)[:, :2].sum(dim=1, keepdim=True)
    head = LinearHead({"vocabulary": 3}, 1, random_features=256)
    inputs = head.inputs(x[:200]).numpy()
    known = Known(values[:200].double().numpy(), None, np.ones(200))
    penalty, _ = ridge.out_of_fold(head, inputs, known, folds_of(200, 5), 0)
    ridge.fit(head, inputs, known, penalty, 0)
    assert head.size == (259 if curved else 3)
    assert np.corrcoef(head(x[200:])[:, 0], values[200:, 0])[0, 1] > 0.95


# logistic regression


def classes_of(values):
    return (values[:, 0] > 5).astype(int) + (values[:, 1] > 6)


@pytest.mark.parametrize("shape", [(60, 8), (40, 90)])
@pytest.mark.parametrize("number", [2, 3])
def test_logistic_regression_is_that_of_scikit_learn(shape, number):
    x, values = draw(*shape)
    classes, counts = np.minimum(classes_of(values), number - 1), weights_of(len(x), False)
    head = LinearHead({"presence": shape[1]}, number)
    known = Known(np.eye(number)[classes], classes, counts)
    penalty, predictions = logistic.out_of_fold(head, x, known, folds_of(len(x), 4), 0)
    logistic.fit(head, x, known, penalty, 0)
    predicted = torch.softmax(head(torch.from_numpy(x)), dim=1).numpy()

    def by_scikit_learn(kept, rows):
        model = LogisticRegression(C=1 / (penalty * len(kept)), max_iter=1000, tol=1e-6)
        model.fit(x[kept], classes[kept], counts[kept] / counts[kept].mean())
        return model.predict_proba(x[rows])

    every = np.arange(len(x))
    assert np.allclose(predicted, by_scikit_learn(every, every), atol=0.01)
    for rows in folds_of(len(x), 4):
        wanted = by_scikit_learn(np.setdiff1d(every, rows), rows)
        assert np.allclose(predictions[rows], wanted, atol=0.02)
    assert np.ptp(predicted[:, 0]) > 0.01


def test_a_class_that_a_fold_leaves_out_whole_is_unlikely():
    x, values = draw(40, 6)
    classes = np.where(np.arange(40) < 5, 2, values[:, 0] > 5)
    known = Known(np.eye(3)[classes], classes, np.ones(40))
    folds = [np.arange(5), np.arange(5, 40)]
    _, predictions = logistic.out_of_fold(None, x, known, folds, 0)
    assert (predictions[:5, 2] < 1e-4).all()
    assert (predictions[5:, 2] > 0.99).all()
    assert np.allclose(predictions.sum(axis=1), 1)


# the forest


def forest_head(trees: int, leaves: int, outputs: int, levels=(), one=False) -> ForestHead:
    columns = (list(range(9)),) if one else (list(range(6)), list(range(5, 9)))
    return ForestHead(trees, 2 * leaves - 1, outputs, levels, columns)


def steps(samples: int, outputs: int, seed: int = 0):
    """Inputs with many equal values, as abundances have, and values that depend on them."""
    random = np.random.default_rng(seed)
    inputs = random.poisson(0.7, (samples, 9)).astype(np.float32) / 3
    values = np.stack([inputs[:, one] > inputs[:, one + 1] for one in range(outputs)], axis=1)
    values = values + 0.1 * random.normal(size=values.shape)
    return inputs, Known(values, None, random.uniform(0.5, 2, samples)), random


@pytest.mark.parametrize(("trees", "leaves", "one"), [(1, 2, False), (6, 5, True), (7, 40, False)])
@pytest.mark.parametrize(("outputs", "levels"), [(1, ()), (3, ()), (1, (0.5,)), (1, (0.1, 0.5, 1))])
def test_the_head_says_what_the_trees_say(outputs, leaves, trees, levels, one):
    inputs, known, random = steps(80, outputs)
    head = forest_head(trees, leaves, outputs, levels, one)
    grown = forest.grow_forest(inputs, known, trees, head, 0)
    forest.fit(head, inputs, known, None, 0)
    unseen = np.concatenate([inputs, random.poisson(1, (200, 9)).astype(np.float32) / 3])
    each = [tree.predict(unseen[:, columns]).reshape(280, -1) for tree, columns in grown]
    assert len(each) == trees
    wanted = np.quantile(each, levels, axis=0)[..., 0].T if levels else np.mean(each, axis=0)
    for found in (head(torch.from_numpy(unseen)), forest.predict_forest(grown, unseen, levels)):
        assert np.allclose(found, wanted, atol=1e-6)
    assert (head.child.numpy() >= np.arange(2 * leaves - 1)).all()


def test_trees_read_asvs_or_branches_and_no_value_changes_sides_by_rounding(monkeypatch):
    inputs, known, _ = steps(60, 1)
    head = forest_head(6, 40, 1)
    grown = forest.grow_forest(inputs, known, 6, head, 0)
    forest.fit(head, inputs, known, None, 0)
    split = head.child.numpy() != np.arange(79)
    assert set(head.feature.numpy()[:3][split[:3]]) <= set(range(6))
    assert set(head.feature.numpy()[3:][split[3:]]) <= set(range(5, 9))
    thresholds = np.concatenate([one.tree.tree_.threshold for one in grown])
    at = np.float32(thresholds[thresholds > 0])
    assert (at.astype(float) > thresholds[thresholds > 0]).any()
    close = np.repeat(np.concatenate([at, np.nextafter(at, np.float32(9))])[:, None], 9, axis=1)
    predicted = head(torch.from_numpy(close)).numpy()
    assert np.allclose(predicted, forest.predict_forest(grown, close, ()), atol=1e-6)
    assert forest.DEPTH == DEPTH  # no tree is deeper than the head follows
    monkeypatch.setattr(forest, "DEPTH", 3)
    grown = forest.grow_forest(inputs, known, 3, head, 0)
    assert max(one.tree.get_depth() for one in grown) == 3


@pytest.mark.parametrize(("samples", "tried"), [(100, 133), (655, 100), (20_000, 20)])
def test_large_studies_try_fewer_features(samples, tried):
    head = ForestHead(1, 3, 1, (), (list(range(400)), []))
    inputs = np.zeros((samples, 400), dtype=np.float32)
    known = Known(np.zeros((samples, 1)), None, np.ones(samples))
    (grown,) = forest.grow_forest(inputs, known, 1, head, 0)
    assert grown.tree.max_features == tried


def test_weights_of_samples_count():
    inputs = np.repeat(np.float32([0, 1]), 5)[:, None].repeat(9, axis=1)
    weights = np.where(np.arange(10) == 9, 11.0, 1.0)
    head = forest_head(3, 2, 1)
    forest.fit(head, inputs, Known(np.arange(10.0)[:, None], None, weights), None, 0)
    predicted = head(torch.from_numpy(inputs[[0, 9]])).numpy()
    assert np.allclose(predicted[:, 0], [2, (5 + 6 + 7 + 8 + 99) / 15])


@pytest.mark.parametrize("name", ["ridge", "logistic", "forest"])
def test_what_a_fold_leaves_out_was_not_seen(name):
    """Other values of one fold change what is predicted of the others, and not of itself."""
    x, _ = draw(60, 9)
    classes, folds = np.random.default_rng(0).integers(2, size=60), folds_of(60, 4)
    other = np.where(np.isin(np.arange(60), folds[0]), 1 - classes, classes)
    (penalty, one), (another, two) = (
        {"ridge": ridge, "logistic": logistic, "forest": forest}[name].out_of_fold(
            forest_head(10, 20, 2), x, Known(np.eye(2)[of], of, np.ones(60)), folds, 0
        )
        for of in (classes, other)
    )
    assert penalty != another or np.allclose(one[folds[0]], two[folds[0]], atol=1e-6)
    assert not np.allclose(one[folds[1]], two[folds[1]], atol=1e-3)


# the blend


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_the_best_weights_are_those_of_a_search(kind):
    random, grid = np.random.default_rng(1), np.linspace(0, 1, 1001)[:, None]
    weights = np.where(np.arange(300) < 260, 0.1, 5.0)
    if kind == "numbers":
        actual, blend = random.normal(size=300) + 7, blending.blend_of_numbers
        noise = random.normal(size=(2, 300)) * [[0.6], [1.0]] + 0.5 * random.normal(size=300)
        heads = actual + noise
        losses = np.square(grid * heads[0] + (1 - grid) * heads[1] - actual)
    else:
        actual, blend = random.integers(3, size=300), blending.blend_of_classes
        right = np.eye(3)[actual] * np.array([1.3, 0.9])[:, None, None]
        heads = np.exp(random.normal(size=(2, 300, 3)) + right)
        heads /= heads.sum(axis=2, keepdims=True)
        first, second = heads[:, np.arange(300), actual]
        losses = -np.log(grid * first + (1 - grid) * second)
    best, if_even = (grid[(losses @ each).argmin(), 0] for each in (weights, np.ones(300)))
    assert 0.05 < best < 0.95
    assert abs(best - if_even) > 0.03
    found = blend(heads, actual, weights)
    assert found[0] == pytest.approx(best / 2 + 0.25, abs=5e-3)


@pytest.mark.parametrize(
    ("gains", "groups", "sure"),
    [
        ([1.0, 1.1, 0.9, 1.0], [0, 1, 2, 3], True),
        ([1.0, 1.1, 0.9, 1.0], [0, 0, 0, 0], False),
        ([1.0, -1.1, 0.9, 1.0], [0, 1, 2, 3], False),
        ([-1.0, -1.1, -0.9, -1.0], [0, 1, 2, 3], False),
    ],
)
def test_gains_are_tested_over_groups(gains, groups, sure):
    assert blending.surely_positive(np.array(gains), np.array(groups)) == sure


# folds


@pytest.mark.parametrize("groups", [np.arange(40), np.arange(40) // 3, np.arange(40) % 4])
def test_folds_keep_groups_whole_and_leave_each_sample_out_once(groups):
    folds = blending.make_folds(groups, None, 5, 0)
    assert len(folds) == min(5, groups.max() + 1)
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(40))
    for rows in folds:
        assert not set(groups[rows]) & set(np.delete(groups, rows))
    with pytest.raises(AAMError, match="only 1 group among 40 samples"):
        blending.make_folds(0 * groups, None, 5, 0)


def test_folds_are_even_in_classes_and_follow_the_seed():
    classes = (np.arange(60) % 6 == 0).astype(int)
    folds, again, other = (
        [rows.tolist() for rows in blending.make_folds(np.arange(60), classes, 5, seed)]
        for seed in (0, 0, 1)
    )
    assert [int(classes[rows].sum()) for rows in folds] == [2] * 5
    assert folds == again != other
