import numpy as np
import pytest

from q2_aam.actions.labelled_samples import Labelled, split_labels
from q2_aam.data.table import read_table


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle_training_and_validation(study, seed):
    groups = study.subjects.to_dict()
    labelled = Labelled(read_table(study.biom), study.ages, groups)
    labels = split_labels(labelled, labelled.samples, 0.3, seed)
    ids = np.array(labelled.samples.sample_ids)
    training, validation = (
        {groups[name] for name in ids[part]} for part in (labels.training, labels.validation)
    )
    assert training
    assert validation
    assert not training & validation
    assert sorted([*labels.training, *labels.validation]) == list(range(20))
    assert (labels.values == study.ages[ids]).all()
    for place, name in enumerate(ids):
        alike = {groups[other] for other in ids[labels.groups == labels.groups[place]]}
        assert alike == {groups[name]}


def test_without_groups_each_sample_is_its_own(study):
    labelled = Labelled(read_table(study.biom), study.ages, None)
    labels = split_labels(labelled, labelled.samples, 0.3, 0)
    assert len(set(labels.groups)) == 20
    assert len(labels.validation) == 6
