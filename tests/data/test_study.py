import biom
import numpy as np
import pytest
import scipy.sparse
from simulated_study import simulate_study

from q2_aam.config.model import KNOWN_ASVS
from q2_aam.data.distances import Distances
from q2_aam.data.study import Study, asv_tokens, build_batch, build_studies, epoch_order
from q2_aam.data.table import SampleTable, read_table
from q2_aam.data.tokens import START, UNKNOWN, tokenize, tokenize_asvs
from q2_aam.data.vocabulary import prevalent_asvs, read_vocabulary

A, C, G, T = ("A" * 20, "C" * 20, "G" * 20, "T" * 20)


def biom_table(counts, samples) -> biom.Table:
    counts = np.asarray(counts, dtype=float)
    return biom.Table(counts, [f"f{row}" for row in range(len(counts))], list(samples))


def sample_table(counts, features) -> SampleTable:
    counts = scipy.sparse.csr_matrix(np.asarray(counts, dtype=float))
    return SampleTable(tuple(f"s{n}" for n in range(counts.shape[0])), tuple(features), counts)


def test_samples_are_sorted_and_features_that_none_holds_are_left_out():
    read = read_table(biom_table([[1, 2, 3], [0, 0, 0], [0, 0, 4]], "cab"))
    assert read.sample_ids == ("a", "b", "c")
    assert read.feature_ids == ("f0", "f2")
    assert read.counts.toarray().tolist() == [[2, 0], [3, 4], [1, 0]]
    some = read.select(["c", "a"])
    assert (some.sample_ids, some.feature_ids) == (("a", "c"), ("f0",))
    assert some.counts.toarray().tolist() == [[2], [1]]


@pytest.mark.parametrize(("count", "part"), [(-1, "negative"), (np.nan, "not finite")])
def test_bad_tables_are_refused(refused, count, part):
    table = biom_table([[1, count]], "ab")
    refused(lambda: read_table(table), part, "1 count in the table is", "read counts")


def test_tokens_begin_with_start_and_end_with_padding():
    tokens, lengths = tokenize(["ACGT", "TT", "GANTC", "RYSWKM"])
    assert tokens.dtype == np.uint8
    assert lengths.tolist() == [4, 2, 5, 6]
    assert (tokens[:, 0] == START).all()
    unknown = [UNKNOWN] * 6
    wanted = [[1, 2, 3, 4, 0, 0], [4, 4, 0, 0, 0, 0], [3, 1, UNKNOWN, 4, 2, 0], unknown]
    assert tokens[:, 1:].tolist() == wanted


def test_distinct_sequences_are_asvs_whatever_their_order():
    sequences = ["TTG", "ACGTA", "ACGTC", "NNN", "ACG", "TTG"]
    asvs, index = tokenize_asvs(sequences, limit=4)
    assert index.tolist() == [3, 1, 1, 2, 0, 3]
    assert (len(asvs), asvs.shortened, asvs.joined, asvs.unknown) == (4, 2, 1, 3)
    assert not asvs.tokens.flags.writeable
    assert not index.flags.writeable
    other, backwards = tokenize_asvs(sequences[::-1], limit=4)
    assert (asvs.tokens == other.tokens).all()
    assert index.tolist() == backwards[::-1].tolist()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_most_abundant_are_kept_and_ties_go_to_the_first_sequence(order):
    features = [[A, C, G, T][place] for place in order]
    counts = np.array([[5, 5, 5, 5], [1, 2, 2, 2], [4, 0, 2, 4], [0, 0, 1, 0]])[:, order]
    studies = build_studies([sample_table(counts, features)], None, 20, 2)
    found = studies.studies[0].abundances.toarray()
    wanted = [[0.25, 0.25, 0, 0], [0, 2 / 7, 2 / 7, 0], [0.4, 0, 0, 0.4], [0, 0, 1, 0]]
    assert np.allclose(found, wanted)
    assert studies.cut_samples == 3
    assert studies.cut_share == pytest.approx(0.5)


def test_studies_share_their_asvs_and_features_of_one_sequence_are_merged():
    known = {"g": G, "a": A, "a too": A, "t": T}
    tables = [sample_table([[1, 2, 1]], ["g", "a", "a too"]), sample_table([[2, 2]], ["t", "a"])]
    studies = build_studies(tables, known, 20, 9)
    assert len(studies.asvs) == 3
    first, second = (study.abundances.toarray().tolist() for study in studies.studies)
    assert first == [[0.75, 0.25, 0]]
    assert second == [[0.5, 0, 0.5]]


def test_the_vocabulary_of_a_model_is_what_was_stored_whatever_the_width(refused):
    asvs, _ = tokenize_asvs(["ACG", "ACGT", "GGN", "TT"], limit=9)

    def read(rows, width):
        means = np.linspace(0.1, 0.5, len(rows), dtype=np.float32)
        tokens = np.pad(asvs.tokens[rows], ((0, 0), (0, width - asvs.tokens.shape[1])))
        model = {KNOWN_ASVS: tokens, "target_head.scaling.vocabulary.mean": means}
        return read_vocabulary(model)

    for width in (5, 12):
        vocabulary = read([3, 0, 2], width)
        assert vocabulary.sequences == ["TT", "ACG", "GGN"]
        assert (np.diff(vocabulary.abundance) > 0).all()
    refused(lambda: read([1, 1, 2], 6), "1 ASV twice", "damaged")


def test_prevalent_asvs_are_those_of_the_samples_given_and_no_more_than_the_limit(monkeypatch):
    counts = np.zeros((250, 3))
    counts[:, 0], counts[:2, 1], counts[:3, 2] = 1, 1, 1
    study = Study(tuple(map(str, range(250))), scipy.sparse.csr_matrix(counts))
    assert prevalent_asvs(study, np.arange(250)).tolist() == [0, 2]  # at least 1 % of samples
    assert prevalent_asvs(study, np.array([0, 1])).tolist() == [0, 1, 2]
    assert prevalent_asvs(study, np.array([9])).tolist() == [0]
    monkeypatch.setattr("q2_aam.data.vocabulary.MOST_KNOWN", 1)
    assert prevalent_asvs(study, np.arange(250)).tolist() == [0]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10, 11, 100])
def test_an_epoch_holds_every_sample_once_in_batches_of_even_size(batch_size):
    samples = [np.arange(3, 13), np.array([], dtype=np.int64), np.array([5, 2, 9])]
    seen, sizes = [[], [], []], [[], [], []]
    for study, part in epoch_order(samples, batch_size, seed=4, epoch=2):
        assert 1 <= len(part) <= batch_size
        seen[study].extend(part.tolist())
        sizes[study].append(len(part))
    assert [sorted(part) for part in seen] == [sorted(part.tolist()) for part in samples]
    assert all(max(one) - min(one) <= 1 for one in sizes if one)
    orders = [  # of seed and epoch
        [part.tolist() for _, part in epoch_order(samples, batch_size, *at)]
        for at in ((4, 2), (4, 2), (4, 3), (1, 2))
    ]
    assert orders[0] == orders[1]
    assert orders[0] not in orders[2:]


@pytest.fixture(scope="module")
def studies():
    both = [simulate_study(12, 30, seed, (40, 60), ids_are_dna=True) for seed in (0, 1)]
    random = np.random.default_rng(0)
    distances = [
        Distances(random.random((15, 15), dtype=np.float32), random.permutation(15)[:12])
        for _ in both
    ]
    return build_studies([read_table(study.biom) for study in both], None, 60, 64, distances)


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
    tokens, longest = asv_tokens(studies.asvs, batch.asvs), studies.asvs.lengths[batch.asvs].max()
    assert (tokens == studies.asvs.tokens[batch.asvs][:, : 1 + longest]).all()
    one = studies.studies[study].distances
    rows = one.rows[samples]
    assert (batch.distances == one.matrix[rows][:, rows]).all()
