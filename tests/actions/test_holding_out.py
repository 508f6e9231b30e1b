"""Samples to fit on and samples to predict: whole groups, all classes, true values."""

from types import SimpleNamespace

import pandas as pd
import pytest
import qiime2
from simulated_study import by_age, column_of, values_of

from q2_aam.actions.split import make_folds

IDS = tuple(f"s{number:02d}" for number in range(30))
IN_THREES = {name: f"g{number // 3}" for number, name in enumerate(IDS)}


@pytest.mark.parametrize("seed", range(3))
def test_split_samples_keeps_groups_together_and_every_class_on_both_sides(aam, study, seed):
    column, child = by_age(study, (12,), ("young", "old")), study.subjects
    found = aam.split_samples(
        study.table, column_of(column), groups=column_of(child), random_seed=seed, test_size=0.3
    )
    parts = [table.view(pd.DataFrame) for table in found[:2]]
    kept, held = (set(part.index) for part in parts)
    assert kept | held == set(study.counts.index)
    assert not set(child[list(kept)]) & set(child[list(held)])
    assert set(column[list(kept)]) == set(column[list(held)]) == {"young", "old"}
    assert 4 <= len(held) <= 8
    for part in parts:
        assert (part.sum() > 0).all()
        assert (part == study.counts.loc[part.index, part.columns]).all().all()


def test_true_targets_are_those_of_the_tables_and_are_metadata(aam, study):
    for values in (study.ages, by_age(study, (12,), ("1", "2"))):
        found = aam.split_samples(study.table, column_of(values), test_size=0.3)
        for table, targets in ((found[0], found[2]), (found[1], found[3])):
            assert str(targets.type) == "SampleData[TrueTargets]"
            read = values_of(targets)
            assert sorted(read.index) == sorted(table.view(pd.DataFrame).index)
            assert (read.astype(str) == values[read.index].astype(str)).all()
    truth = found.test_targets.view(qiime2.Metadata)
    assert list(truth.columns) == ["diet"]


def samples_of(groups=None, classes=None) -> SimpleNamespace:
    """Stand in for training samples: of their ids, groups and classes alone."""
    samples = SimpleNamespace(sample_ids=IDS)
    return SimpleNamespace(samples=samples, groups=groups, classes=classes, covariates=None)


@pytest.mark.parametrize("folds", [0, 2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_groups_never_straddle(folds, seed):
    parts = make_folds(samples_of(IN_THREES), folds, 0.2, seed)
    assert len(parts) == max(folds, 1)
    for kept, held in parts:
        assert sorted(kept + held) == list(IDS)
        assert not {IN_THREES[name] for name in kept} & {IN_THREES[name] for name in held}
    assert not folds or sorted(name for _, held in parts for name in held) == list(IDS)


def test_folds_have_all_classes_alike_and_depend_on_ids_alone():
    classes = {name: "rare" if number % 5 == 0 else "common" for number, name in enumerate(IDS)}
    given = samples_of(classes=classes)
    parts = make_folds(given, 3, 0.2, 0)
    assert [sum(classes[name] == "rare" for name in held) for _, held in parts] == [2, 2, 2]
    given.samples.sample_ids = IDS[::-1]
    assert make_folds(given, 3, 0.2, 0) == parts
    assert make_folds(given, 3, 0.2, 1) != parts


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_class_is_spread_over_folds_or_refused_with_the_reason(refused, seed):
    """Five samples in two subjects: a fold that holds both would never have seen the class."""
    classes = {name: "C" if number < 5 else "AB"[number % 2] for number, name in enumerate(IDS)}
    groups = IN_THREES | {IDS[4]: "g1"}
    parts = ("1 class would have fewer than 3", "in fold", "'C: 5 samples in 2 groups", "remain")
    refused(lambda: make_folds(samples_of(groups, classes), 5, 0.2, seed), *parts)
    classes[IDS[5]] = "C"  # now of three subjects, two samples each
    groups = IN_THREES | dict(zip(IDS[:6], "xxyyzz", strict=True))
    for kept, _ in make_folds(samples_of(groups, classes), 3, 0.2, seed):
        assert sum(classes[name] == "C" for name in kept) >= 3
