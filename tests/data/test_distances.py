import io
import os

import numpy as np
import pytest
from simulated_study import matrix_text

from q2_aam.data import distances
from q2_aam.data.distances import Distances, parse_distances, read_distances
from q2_aam.errors import AAMError

GOOD = "\ta\tb\tc\na\t0\t0.5\t0.25\nb\t0.5\t0\t1\nc\t0.25\t1\t0\n"
VALUES = [[0, 0.5, 0.25], [0.5, 0, 1], [0.25, 1, 0]]


def parse(text: str):
    return parse_distances(io.StringIO(text))


@pytest.fixture(params=[512, 2, 1], autouse=True)
def rows_at_once(request, monkeypatch):
    """Read matrices in one part, and in several."""
    monkeypatch.setattr(distances, "_ROWS_AT_ONCE", request.param)


@pytest.mark.parametrize(
    "text",
    [
        GOOD, GOOD.rstrip("\n"), GOOD + "\n", GOOD.replace("\n", "\r\n"),
        "# made by some program\n\n" + GOOD, GOOD.replace("0.25", "2.5e-1"),
        GOOD.replace("\tb\tc", "\t b \tc").replace("\nb\t", "\n b \t"),
    ],
)  # fmt: skip
def test_good_matrices_are_read(text):
    ids, matrix = parse(text)
    assert ids == ["a", "b", "c"]
    assert matrix.dtype == np.float32
    assert matrix.tolist() == VALUES
    assert not matrix.flags.writeable


@pytest.mark.parametrize("names", [["0001", "1", "01"], ["NA", "nan", "1e3"], ["#x", '"q', "None"]])
def test_ids_stay_text(names):
    ids, matrix = parse(matrix_text(names, VALUES))
    assert ids == names
    assert matrix.tolist() == VALUES


def test_rounding_of_text_is_not_asymmetry_and_the_diagonal_is_not_looked_at():
    text = GOOD.replace("b\t0.5\t", "b\t0.5000001\t").replace("\t1\n", "\t1.000001\n")
    assert parse(text.replace("a\t0\t", "a\tnan\t"))[0] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no header"]),
        ("# only\n# comments\n", ["no header"]),
        ("\ta\ta\na\t0\t0\na\t0\t0\n", ["distinct sample ids"]),
        ("\ta\tb\n", ["not a table"]),
        (GOOD.replace("c\t0.25\t1\t0\n", ""), ["3 column ids", "2 row ids", "same order"]),
        (GOOD + "d\t0.25\t1\t0\n", ["3 column ids", "4 row ids", "same order"]),
        (GOOD.replace("\nc\t", "\nd\t"), ["same ids in the same order"]),
        (GOOD.replace("b\t0.5\t0\t1", "b\t0.5\t0\t1\t1"), ["not a table"]),
        (GOOD.replace("b\t0.5\t0\t1", "b\t0.5\t0"), ["NaN", "b – c"]),
        (GOOD.replace("\t0.5\t", "\tNaN\t"), ["NaN", "a – b", "unweighted-unifrac"]),
        (GOOD.replace("0.5", "1.5"), ["outside [0, 1]", "a – b: 1.5"]),
        (GOOD.replace("b\t0.5", "b\t0.4"), ["asymmetric", "a – b: 0.5"]),
    ],
)
def test_bad_matrices_are_refused(refused, text, parts):
    refused(lambda: parse(text), *parts)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A matrix in a file that counts as large, and a folder to convert it into."""
    monkeypatch.setattr(distances, "LARGEST_UNCONVERTED", 10)
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / "runs"))
    path = tmp_path / "distance-matrix.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())  # as Windows writes
    return path


def test_a_large_matrix_is_converted_once_and_mapped(large, tmp_path, monkeypatch):
    ids, matrix = read_distances(large)
    assert isinstance(matrix, np.memmap)
    assert (ids, matrix.tolist()) == (["a", "b", "c"], VALUES)
    monkeypatch.setattr(distances, "parse_distances", lambda *given: pytest.fail("parsed again"))
    again = read_distances(large)
    assert (again[0], again[1].tolist()) == (ids, VALUES)
    of_samples = Distances(again[1], np.array([2, 0]))
    assert of_samples.block(np.array([0, 1])).tolist() == [[0, 0.25], [0.25, 0]]
    assert of_samples.digest == (tmp_path / "runs" / "matrices").glob("*.f32").__next__().stem


def test_another_content_is_another_matrix(large):
    one = read_distances(large)[1]
    large.write_text(GOOD.replace("0.25", "0.75"))
    other = read_distances(large)[1]
    assert (one[0, 2], other[0, 2]) == (0.25, 0.75)
    assert Distances(one, np.arange(3)).digest != Distances(other, np.arange(3)).digest


def test_a_bad_matrix_leaves_nothing(large, tmp_path):
    large.write_text(GOOD.replace("0.25", "nan"))
    with pytest.raises(AAMError, match="NaN"):
        read_distances(large)
    assert not list((tmp_path / "runs" / "matrices").iterdir())


@pytest.mark.parametrize("spoil", ["no folder", "cut"])
def test_where_none_can_be_kept_it_is_read_into_memory(large, tmp_path, spoil):
    if spoil == "no folder":
        (tmp_path / "runs").write_text("a file")
    else:
        read_distances(large)
        (converted,) = (tmp_path / "runs" / "matrices").glob("*.f32")
        converted.write_bytes(converted.read_bytes()[:-4])
    ids, matrix = read_distances(large)
    assert not isinstance(matrix, np.memmap)
    assert (ids, matrix.tolist()) == (["a", "b", "c"], VALUES)


def test_matrices_not_used_for_long_are_dropped(large, tmp_path):
    kept = tmp_path / "runs" / "matrices"
    read_distances(large)
    for path in kept.iterdir():
        os.utime(path, (0, 0))
    large.write_text(GOOD.replace("0.25", "0.75"))
    read_distances(large)
    assert len(list(kept.iterdir())) == 2  # the values and the ids of the new one
