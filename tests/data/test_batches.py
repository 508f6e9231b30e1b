import numpy as np
import pytest
from simulated_study import simulate_study

from q2_aam.data.batches import build_batch, epoch_order
from q2_aam.data.distances import Distances
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table


@pytest.fixture(scope="module")
def studies():
    one, two = (simulate_study(12, 30, seed, (40, 60), ids_are_dna=True) for seed in (0, 1))
    random = np.random.default_rng(0)
    distances = []
    for study in (one, two):
        rows = random.permutation(15)[: len(study.counts)]
        distances.append(Distances(random.random((15, 15), dtype=np.float32), rows))
    tables = [read_table(study.biom) for study in (one, two)]
    return build_studies(tables, None, 60, 64, distances)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10, 11, 100])
def test_an_epoch_holds_every_sample_once(batch_size):
    samples = [np.arange(3, 13), np.array([], dtype=np.int64), np.array([5, 2, 9])]
    seen = [[], [], []]
    for study, part in epoch_order(samples, batch_size, seed=4, epoch=2):
        assert 1 <= len(part) <= batch_size
        seen[study].extend(part.tolist())
    assert [sorted(part) for part in seen] == [sorted(part.tolist()) for part in samples]


def test_batches_of_a_study_are_of_even_size():
    sizes = [len(part) for _, part in epoch_order([np.arange(33)], 32, 0, 0)]
    assert sorted(sizes) == [16, 17]


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        parts = epoch_order([np.arange(20), np.arange(9)], 4, seed, epoch)
        return [(study, part.tolist()) for study, part in parts]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


@pytest.mark.parametrize("study", [0, 1])
def test_a_batch_holds_each_distinct_asv_once_and_gives_the_samples_back(studies, study):
    samples = np.array([7, 0, 3, 11])
    batch = build_batch(studies, study, samples)
    assert len(set(batch.asvs)) == len(batch.asvs)
    rebuilt = np.zeros((len(samples), len(studies.asvs)), dtype=np.float32)
    for row, (slots, abundances) in enumerate(zip(batch.index, batch.abundances, strict=True)):
        filled = abundances > 0
        rebuilt[row, batch.asvs[slots[filled]]] = abundances[filled]
    assert (rebuilt == studies.studies[study].abundances[samples].toarray()).all()
    longest = studies.asvs.lengths[batch.asvs].max()
    assert (batch.tokens == studies.asvs.tokens[batch.asvs][:, : 1 + longest]).all()


def test_the_distances_of_a_batch_belong_to_its_samples_in_order(studies):
    samples = np.array([9, 2, 4])
    one = studies.studies[1].distances
    block = build_batch(studies, 1, samples).distances
    for row, left in enumerate(samples):
        for column, right in enumerate(samples):
            assert block[row, column] == one.matrix[one.rows[left], one.rows[right]]


def test_tokens_can_be_left_out(studies):
    assert build_batch(studies, 0, np.array([1]), tokens=False).tokens is None
