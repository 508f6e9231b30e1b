import numpy as np
import pandas as pd
import pytest
import qiime2
import torch
from simulated_study import TINY_FIT, model_of, simulate_study
from sklearn.model_selection import GroupKFold

from q2_aam.model.tree_reader import DEPTH, TreeReader
from q2_aam.storage.training_log import read_training_log
from q2_aam.training import trees
from q2_aam.training.tree_tables import tables_of
from q2_aam.training.trees import grow_forest, left_out_answers, said_by, share_of_trees
from q2_aam.types import AAMTrainingLogDirectoryFormat


def draw(samples: int, outputs: int, seed: int = 0):
    """Features with many equal values, as abundances have, and values that depend on them."""
    random = np.random.default_rng(seed)
    features = random.poisson(0.7, (samples, 9)).astype(np.float32) / 3
    values = np.stack([features[:, one] > features[:, one + 1] for one in range(outputs)], axis=1)
    return features, values + 0.1 * random.normal(size=values.shape), random


def as_reader(forest, nodes: int, outputs: int, median: bool = False) -> TreeReader:
    reader = TreeReader(len(forest.estimators_), nodes, outputs, median)
    reader.set_tables(*map(torch.from_numpy, tables_of(forest, nodes)))
    return reader


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("leaves", [2, 5, 40])
@pytest.mark.parametrize(("number", "median"), [(7, False), (7, True), (6, True)])
def test_the_reader_says_what_the_trees_say(outputs, leaves, number, median):
    features, values, random = draw(80, outputs)
    nodes = 2 * leaves - 1
    forest = grow_forest(features, values, random.uniform(0.5, 2, 80), number, nodes, 0)
    reader = as_reader(forest, nodes, outputs, median)
    unseen = np.concatenate([features, random.poisson(1, (200, 9)).astype(np.float32) / 3])
    said = reader(torch.from_numpy(unseen)).numpy()
    assert np.allclose(said, said_by(forest, unseen, median), atol=1e-6)
    of_trees = np.stack([one.predict(unseen) for one in forest.estimators_], axis=-1)
    together = np.median(of_trees, axis=-1) if median else of_trees.mean(axis=-1)
    assert np.allclose(said, together.reshape(len(unseen), -1), atol=1e-6)
    assert len(np.unique(said)) > leaves / 2
    assert (reader.child.numpy() >= np.arange(nodes)).all()


def test_values_at_a_threshold_go_left():
    """A threshold that float32 cannot hold is rounded down, so that no value changes sides."""
    features, values, random = draw(60, 1)
    forest = grow_forest(features, values, np.ones(60), 5, 79, 0)
    thresholds = np.concatenate([one.tree_.threshold for one in forest.estimators_])
    at = np.float32(thresholds[thresholds > 0])
    assert (at.astype(float) > thresholds[thresholds > 0]).any()
    close = np.repeat(np.concatenate([at, np.nextafter(at, np.float32(9))])[:, None], 9, axis=1)
    said = as_reader(forest, 79, 1)(torch.from_numpy(close)).numpy()[:, 0]
    assert np.allclose(said, forest.predict(close), atol=1e-6)


def test_a_damaged_table_neither_fails_nor_hangs():
    reader = TreeReader(3, 5, 1, median=False)
    reader.threshold.fill_(-1.0)
    reader.child.copy_(torch.tensor([4, 0, 0, 0, 4]).expand(3, 5))
    assert reader(torch.ones(2, 4)).shape == (2, 1)
    reader.child.copy_(torch.tensor([1, 0, 1, 2, 0]).expand(3, 5))
    assert torch.equal(reader(torch.ones(2, 4)), torch.zeros(2, 1))


def test_no_tree_is_deeper_than_the_reader_follows(monkeypatch):
    assert trees.DEPTH == DEPTH
    monkeypatch.setattr(trees, "DEPTH", 3)
    features, values, _ = draw(80, 1)
    forest = grow_forest(features, values, np.ones(80), 3, 79, 0)
    assert max(one.get_depth() for one in forest.estimators_) == 3
    monkeypatch.setattr("q2_aam.model.tree_reader.DEPTH", 3)
    said = as_reader(forest, 79, 1)(torch.from_numpy(features)).numpy()[:, 0]
    assert np.allclose(said, forest.predict(features), atol=1e-6)


def test_what_is_left_out_was_not_seen():
    features, _, random = draw(60, 1)
    groups = np.repeat(np.arange(12), 5)
    values = random.normal(size=(60, 1))
    kept, left_out = next(GroupKFold(5).split(values, groups=groups))
    values[left_out] += 1000
    for median in (False, True):
        answers = left_out_answers(features, values, np.ones(60), groups, 10, 99, 0, median)
        assert (answers[left_out] < 100).all()
        assert answers[kept].max() > 100
    assert left_out_answers(features, values, np.ones(60), np.zeros(60), 10, 99, 0, False) is None


@pytest.mark.parametrize(("samples", "tried"), [(100, 133), (2621, 100), (20_000, 20)])
def test_large_studies_try_fewer_features(samples, tried):
    features = np.zeros((samples, 400), dtype=np.float32)
    forest = grow_forest(features, np.zeros((samples, 1)), np.ones(samples), 1, 3, 0)
    assert forest.max_features == tried


def test_weights_of_samples_count():
    features = np.zeros((10, 2), dtype=np.float32)
    features[5:] = 1
    values, weights = np.arange(10.0)[:, None], np.ones(10)
    weights[9] = 11
    forest = grow_forest(features, values, weights, 3, 3, 0)
    assert np.allclose(forest.predict(features[[0, 9]]), [2, (5 + 6 + 7 + 8 + 99) / 15])


def test_the_share_of_the_trees_follows_what_was_left_out():
    random = np.random.default_rng(0)
    actual, weights = random.normal(size=(400, 2)), random.uniform(0.5, 2, 400)
    near, far = (actual + error * random.normal(size=actual.shape) for error in (0.1, 2.0))
    assert share_of_trees(actual, actual, far, weights) == 0.25
    assert share_of_trees(actual, far, actual, weights) == 0.75
    assert share_of_trees(actual, near, near, weights) == 0.5
    assert share_of_trees(actual, near, None, weights) == 0.5
    assert share_of_trees(actual, far, near, weights) > 0.74
    other = actual + 2.0 * random.normal(size=actual.shape)
    assert share_of_trees(actual, far, other, weights) == pytest.approx(0.5, abs=0.05)
    first = np.arange(400) < 200
    by_ridge, by_trees = (np.where(part[:, None], actual, far) for part in (~first, first))
    assert share_of_trees(actual, by_ridge, by_trees, first + 1e-6) > 0.74
    assert share_of_trees(actual, by_ridge, by_trees, ~first + 1e-6) < 0.26


@pytest.fixture(scope="module")
def large():
    return simulate_study(120, 30, 4, (40, 40))


@pytest.fixture(scope="module")
def stepped(large):
    """A target of steps, which no weighted sum of log abundances gives."""
    counts = large.counts.div(large.counts.sum(axis=1), axis=0)
    common = counts.columns[np.argsort(-(counts > 0).mean(axis=0).to_numpy())[:2]]
    steps = counts[common].gt(counts[common].median()).all(axis=1)
    return (10.0 * steps + large.ages / 24).rename("score").rename_axis("id")


def fit(aam, study, values, **settings):
    return aam.fit_regressor(
        study.table, qiime2.NumericMetadataColumn(values[study.counts.index]),
        sequences=study.sequences, **TINY_FIT | {"epochs": 1} | settings,
    )  # fmt: skip


def test_trees_follow_steps_that_the_other_readers_cannot(aam, large, stepped):
    errors = {}
    for number in (0, 60):
        model = fit(aam, large, stepped, trees=number).regressor
        found = aam.predict_regression(large.table, model, sequences=large.sequences)
        errors[number] = (found.predictions.view(pd.Series) - stepped).abs().mean()
    assert errors[60] < 0.8 * errors[0]


def test_the_log_and_the_artifact_say_how_many_trees_there_are(aam, large, stepped):
    some = large.select(large.counts.index[:30])
    for number in (0, 4):
        fitted = fit(aam, some, stepped, trees=number)
        config, arrays = model_of(fitted.regressor)
        assert config.target.trees == number
        held = {name for name in arrays if "tree" in name}
        assert bool(held) == bool(number)
        log = read_training_log(str(fitted.training_log.view(AAMTrainingLogDirectoryFormat)))
        (setting,) = (one for one in log.settings if one.name == "trees")
        assert setting.value == number
        said = " ".join(log.summary["model"]["description"])
        assert ("the tree reader " in said) == bool(number)
        if number:
            assert config.target.leaves == 15
            assert arrays["target_head.trees.threshold"].shape == (4, 29)
            assert 0.25 <= arrays["target_head.tree_share"][0] <= 0.75


def remembered(forward, said: list):
    def run(reader, features):
        said.append(forward(reader, features))
        return said[-1]

    return run


@pytest.mark.parametrize("loss", ["huber", "mae", "mse"])
def test_outliers_move_the_trees_only_where_the_loss_follows_them(aam, large, monkeypatch, loss):
    values = (large.ages / 24).rename("score").rename_axis("id")
    values[values.index[::15]] += 60
    model = fit(aam, large, values, target_loss=loss, target_scaling="none", trees=40).regressor
    said = []
    monkeypatch.setattr(TreeReader, "forward", remembered(TreeReader.forward, said))
    aam.predict_regression(large.table, model, sequences=large.sequences)
    usual = np.ones(120, dtype=bool)
    usual[::15] = False
    of_usual = torch.cat(said).numpy()[usual, 0]
    assert (of_usual.max() < 2) == (loss != "mse")


def test_who_errs_less_on_what_was_left_out_counts_more(aam, large, stepped):
    fractions = large.counts.div(large.counts.sum(axis=1), axis=0)
    weights = np.random.default_rng(0).normal(size=fractions.shape[1])
    even = (np.log1p(1e4 * fractions) @ weights).rename("score").rename_axis("id")
    shares = {}
    for name, values in (("steps", stepped), ("sums", even)):
        _, arrays = model_of(fit(aam, large, values, trees=30).regressor)
        shares[name] = float(arrays["target_head.tree_share"][0])
    assert shares["steps"] > 0.5 > shares["sums"]


def test_trees_cannot_give_a_range(aam, large, stepped, refused):
    refused(
        lambda: fit(aam, large, stepped, trees=5, target_loss="quantile"),
        "'trees' was given with the loss 'quantile'", "not a range",
    )  # fmt: skip


@pytest.fixture
def grown(monkeypatch):
    """How many samples each forest was grown on: two times one that is kept, and five folds."""
    sizes = []
    real = trees.grow_forest

    def watched(features, *given):
        sizes.append(len(features))
        return real(features, *given)

    monkeypatch.setattr(trees, "grow_forest", watched)
    return sizes


def test_trees_see_validation_samples_only_after_all_is_scored(aam, large, stepped, grown):
    fit(aam, large, stepped, validation_size=0.25)
    assert grown == [90, *5 * [72], 120, *5 * [96]]


def test_a_large_study_grows_its_trees_on_a_part_of_it(aam, large, stepped, grown, monkeypatch):
    monkeypatch.setattr(trees, "GROWN_ON", 50)
    fit(aam, large, stepped, validation_size=0.25)
    assert grown == [50, *5 * [72], 50, *5 * [96]]
