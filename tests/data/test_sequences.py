import pytest

from q2_aam.data.sequences import sequences_of

DNA = "ACGTACGTACGTACGTACGTA"


def test_ids_that_are_dna_need_no_sequences():
    assert sequences_of([DNA, DNA.lower()], None) == [DNA, DNA]


def test_sequences_are_found_by_id_in_the_order_of_the_features():
    known = {"one": DNA, "two": DNA.replace("T", "U") + "n"}
    assert sequences_of(["two", "one"], known) == [DNA + "N", DNA]


def test_ids_that_are_not_dna_need_sequences(refused):
    ids = [f"{number:032x}" for number in range(9)] + [DNA]
    message = refused(
        lambda: sequences_of(ids, None),
        "9 feature ids of 10", ids[0], ids[4], "and 4 more", "'sequences'", "rep-seqs.qza",
    )  # fmt: skip
    assert ids[5] not in message


@pytest.mark.parametrize("name", ["CAT", "A" * 19, DNA + " ", f"k_{DNA}", ""])
def test_words_that_look_like_dna_are_not_taken_for_it(refused, name):
    refused(lambda: sequences_of([name], None), "1 feature id of 1", "not DNA")


def test_features_without_a_sequence_are_named(refused):
    refused(
        lambda: sequences_of(["a", "b", "c"], {"b": DNA, "x": DNA}),
        "2 features of 3", "'a'", "'c'", "2 ids", "'x'", "filter-features",
    )  # fmt: skip


@pytest.mark.parametrize("dna", ["ACGT", DNA + "-", DNA + "."])
def test_sequences_that_are_not_dna_are_named(refused, dna):
    refused(lambda: sequences_of(["a"], {"a": dna}), "1 sequence", "'a'", "unaligned")


@pytest.mark.parametrize("sequences", [None, {"x": DNA}])
@pytest.mark.parametrize("rank", ["k__Bacteria;p__P;g__G{}", "d__Bacteria;__;{}", "g__Genus{}"])
def test_a_collapsed_table_is_named_as_such(refused, sequences, rank):
    taxa = [rank.format(number) for number in range(40)]
    refused(lambda: sequences_of(taxa, sequences), "40 feature ids", "collapsed", "table of ASVs")
