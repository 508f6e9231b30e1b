import numpy as np
import pandas as pd
import pytest
from q2_aam.actions.labelled_samples import Labelled, split_labelled

from q2_aam.data.table import read_table


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle_training_and_validation(study, seed):
    groups = study.subjects.to_dict()
    labelled = Labelled(read_table(study.biom), study.ages, groups, None, None)
    split = split_labelled(labelled, 0.3, seed)
    ids = np.array(labelled.samples.sample_ids)
    training, validation = (
        {groups[name] for name in ids[part]} for part in (split.training, split.validation)
    )
    assert training
    assert validation
    assert not training & validation
    assert sorted([*split.training, *split.validation]) == list(range(20))
    for place, name in enumerate(ids):
        alike = {groups[other] for other in ids[split.groups == split.groups[place]]}
        assert alike == {groups[name]}


def test_without_groups_each_sample_is_its_own(study):
    split = split_labelled(Labelled(read_table(study.biom), study.ages, None, None, None), 0.3, 0)
    assert len(set(split.groups)) == 20
    assert len(split.validation) == 6


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_held_out_alike(study, seed):
    diets = pd.Series(["bread"] * 10 + ["milk"] * 6 + ["soup"] * 4, study.counts.index)
    split = split_labelled(Labelled(read_table(study.biom), diets, None, None, None), 0.5, seed)
    assert diets.iloc[split.validation].value_counts().to_dict() == {
        "bread": 5, "milk": 3, "soup": 2,
    }  # fmt: skip
