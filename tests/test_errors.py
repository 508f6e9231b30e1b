from q2_aam.errors import counted, examples


def test_examples_show_five_on_one_line_and_numbers_agree_with_their_nouns():
    assert examples("abc") == "'a', 'b', 'c'"
    assert examples(range(5)) == "'0', '1', '2', '3', '4'"
    assert examples(["A" * 64, "C" * 65]) == f"'{'A' * 64}', '{'C' * 40}…'"
    assert examples(range(1205)).endswith("'4' and 1,200 more")
    assert "\n" not in examples(["two\nlines"])
    assert counted(1, "sample") == "1 sample"
    assert counted(1200, "sample") == "1,200 samples"
    assert counted(2, "matrix", "matrices") == "2 matrices"
