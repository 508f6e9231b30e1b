from q2_aam.errors import AAMError, counted, examples, no_shared_ids


def test_examples_show_five_and_count_the_rest():
    assert examples("abc") == "'a', 'b', 'c'"
    assert examples(range(5)) == "'0', '1', '2', '3', '4'"
    assert examples(["A" * 64, "C" * 65]) == f"'{'A' * 64}', '{'C' * 40}…'"
    assert examples(range(1205)).endswith("'4' and 1,200 more")


def test_examples_stay_on_one_line():
    assert "\n" not in examples(["two\nlines"])


def test_numbers_agree_with_their_nouns():
    assert counted(1, "sample") == "1 sample"
    assert counted(1200, "sample") == "1,200 samples"
    assert counted(2, "matrix", "matrices") == "2 matrices"


def test_an_error_of_ids_is_short_and_one_of_ours():
    error = no_shared_ids("The table", [str(n) for n in range(9999)], "the tree", ["x"] * 9999)
    assert isinstance(error, AAMError)
    assert len(str(error).splitlines()) == 4
    assert "9,999 ids" in str(error)
