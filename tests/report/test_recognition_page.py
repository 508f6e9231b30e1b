"""How reads were recognized: on the pages of evaluations, and on the page of a checked table."""

import numpy as np
import page_reading as pages
import pytest
from page_reading import Page, make_shares, make_study, write_study_page

from q2_aam.errors import AAMError
from q2_aam.report.recognition import write_recognition_page
from q2_aam.report.regression import join_numbers


def test_the_verdict_comes_first_and_everything_is_told(recognition_page):
    text = recognition_page.text
    assert text.index("Half of the reads are known.") < text.index("Trim them.") < 400
    recognition_page.assert_says("regressor of 'age'", "reverse complement 1", "embedding", "mixed")
    unrecognized = recognition_page.table("unrecognized")
    assert unrecognized["sequence"].tolist() == [letter * 36 for letter in "ACGTACG"]
    assert "\n" + "T" * 36 + "\n" in recognition_page.part("unrecognized-fasta", "</pre>")
    np.testing.assert_allclose(recognition_page.table("recognition").sum(axis=1), 1)
    # a bar of three parts for each sample, and a point for each length
    assert recognition_page.marks("recognition-by-sample", "rect") == 3 * 12
    assert recognition_page.marks("read-lengths", "symbol") == 3


def test_many_samples_are_counted(tmp_path):
    checked = pages.make_checked_table(make_shares([f"s{n}" for n in range(200)]))
    page = Page.written(tmp_path / "page", write_recognition_page, **checked)
    assert "Samples by the share of their reads" in page.text


def test_errors_are_shown_against_the_share_recognized(tmp_path):
    study = make_study(40)
    study["intervals"] = study["intervals"].join(make_shares(study["truth"].index))
    page = write_study_page(tmp_path / "page", study)
    assert "of a sample's reads are ASVs of the model" in page.text
    assert page.marks("error-by-recognition", "symbol") == 40
    table = page.table("predictions")
    np.testing.assert_allclose(table["embedding_only"], study["intervals"]["embedding_only"])


def test_where_all_is_recognized_a_sentence_is_enough(tmp_path):
    study = make_study(20)
    shares = {"same": 1.0, "overlapping": 0.0, "embedding_only": 0.0}
    study["intervals"] = study["intervals"].assign(**shares)
    page = write_study_page(tmp_path / "page", study)
    assert "100 % of a sample's reads are ASVs of the model" in page.text
    assert "most reads are not" not in page.text
    assert 'id="error-by-recognition"' not in page.source


def test_mistakes_are_counted_by_the_share_recognized(tmp_path):
    study = pages.make_classes(40, ["a", "b"], noise=2.0)
    study["recognition"] = make_shares(study["truth"].index)
    page = pages.write_classes_page(tmp_path / "page", study)
    assert "of a sample's reads are ASVs of the model" in page.text
    assert 'id="error-by-recognition"' in page.source
    assert "embedding_only" in page.table("predictions")


def test_shares_that_are_none_are_refused():
    study = make_study(5)
    study["intervals"] = study["intervals"].join(make_shares(study["truth"].index) * 2)
    with pytest.raises(AAMError, match="5 samples.*do not add up to 1"):
        join_numbers(**study)
