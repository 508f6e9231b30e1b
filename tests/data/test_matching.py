import numpy as np
import pytest

from q2_aam.data.matching import (
    EMBEDDING_ONLY,
    FEWEST_NUCLEOTIDES,
    OVERLAPPING,
    SAME,
    Vocabulary,
    match_sequences,
    merge_overlapping,
    reverse_complement,
)

RANDOM = np.random.default_rng(0)


def dna(size: int) -> str:
    return "".join(RANDOM.choice(list("ACGT"), size))


ASVS = [dna(150) for _ in range(6)]
VOCABULARY = Vocabulary(ASVS, np.array([1.0, 2, 3, 4, 5, 6]))


def mutated(sequence: str, places: list[int]) -> str:
    letters = list(sequence)
    for place in places:
        letters[place] = "ACGT"["ACGT".index(letters[place]) - 1]
    return "".join(letters)


def rows(match) -> list[dict[int, float]]:
    return [
        {int(column): round(float(row[0, column]), 6) for column in row.indices}
        for row in match.assignment
    ]


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (ASVS[2], SAME),
        (ASVS[2][50:], OVERLAPPING),
        (dna(40) + ASVS[2] + dna(300), OVERLAPPING),
        (ASVS[2][60:] + dna(60), OVERLAPPING),
    ],
)
@pytest.mark.parametrize("turn", [str, reverse_complement])
def test_a_read_of_an_asv_is_found_at_any_length_and_in_either_orientation(read, kind, turn):
    # beside reads that tell the orientation of the table
    match = match_sequences([turn(read), turn(ASVS[0]), turn(ASVS[1])], VOCABULARY)
    assert match.kind.tolist() == [kind, SAME, SAME]
    assert rows(match) == [{2: 1.0}, {0: 1.0}, {1: 1.0}]
    assert match.reversed.all() == (turn is reverse_complement)


@pytest.mark.parametrize(
    "read",
    [
        dna(150),
        ASVS[1][: FEWEST_NUCLEOTIDES - 1],
        mutated(ASVS[1], [75]),
        mutated(ASVS[1], list(range(0, 150, 10))),
        ASVS[2][:70] + ASVS[2][71:140],
        ASVS[1][:75] + dna(75),
        ASVS[1][: FEWEST_NUCLEOTIDES - 1] + dna(80),
        ASVS[0][:75] + "N" + ASVS[0][76:],
    ],
)
def test_what_fits_nothing_is_in_no_row(read):
    match = match_sequences([read, ASVS[0]], VOCABULARY)
    assert match.kind.tolist() == [EMBEDDING_ONLY, SAME]
    assert match.assignment[0].nnz == 0


def test_a_read_that_fits_several_is_shared_by_their_abundance():
    vocabulary = Vocabulary([ASVS[0], ASVS[0][:100] + dna(50), dna(150)], np.array([1.0, 3, 9]))
    match = match_sequences([ASVS[0][:100]], vocabulary)
    assert rows(match) == [{0: 0.25, 1: 0.75}]


def test_overlapping_reads_of_one_table_are_merged_into_the_longest():
    other = ASVS[0][:100] + dna(50)
    sequences = [ASVS[0], ASVS[0][:90], other, ASVS[1], ASVS[0][30:120], ASVS[2][:80]]
    shares = merge_overlapping(sequences, np.array([30.0, 9, 10, 5, 7, 2])).toarray()
    wanted = np.eye(6)
    wanted[1], wanted[4] = [0.75, 0, 0.25, 0, 0, 0], wanted[0]
    np.testing.assert_allclose(shares, wanted)


def test_merging_does_not_depend_on_the_order():
    sequences = [ASVS[0][i : i + 90] for i in range(0, 60, 7)] + ASVS[1:3]
    reads, order = np.arange(1.0, 12), RANDOM.permutation(11)
    shares = merge_overlapping(sequences, reads).toarray()
    shuffled = merge_overlapping([sequences[i] for i in order], reads[order]).toarray()
    np.testing.assert_array_equal(shares[np.ix_(order, order)], shuffled)
