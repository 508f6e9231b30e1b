import io

import numpy as np
import pandas as pd
import pytest

from q2_aam.storage.embeddings import read_embeddings, write_embeddings


def test_embeddings_read_back_and_ids_stay_text():
    values = np.array([[0.1, 1e-30], [-2.0, 1 / 3]], dtype=np.float32)
    frame = pd.DataFrame(values, ["0001", "NA"], ["branch 1", "branch 2"])
    file = io.StringIO()
    write_embeddings(file, frame)
    file.seek(0)
    found = read_embeddings(file)
    assert found.index.tolist() == ["0001", "NA"]
    assert found.columns.tolist() == ["branch 1", "branch 2"]
    assert (found.to_numpy().astype(np.float32) == values).all()


def test_a_large_table_reads_back():
    """Large files are parsed in pieces; each must have the types of the first."""
    values = np.random.default_rng(0).random((1200, 512), dtype=np.float32)
    ids = [f"{number:06d}" for number in range(len(values))]
    file = io.StringIO()
    write_embeddings(file, pd.DataFrame(values, ids, [f"branch {n}" for n in range(512)]))
    file.seek(0)
    found = read_embeddings(file)
    assert found.index.tolist() == ids
    assert (found.to_numpy().astype(np.float32) == values).all()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no columns"]),
        ("id\nx\n", ["'id'", "at least one dimension"]),
        ("sample\ta\nx\t1\n", ["'sample', 'a'", "not 'id'"]),
        ("id\ta\n", ["not a table of numbers"]),
        ("id\ta\tb\nx\t1\n", ["2 dimensions in their first line", "1 in the others"]),
        ("id\ta\nx\t1\t2\n", ["1 dimension in their first line", "2 in the others"]),
        ("id\ta\nx\t1\ny\t1\t2\n", ["not a table of numbers"]),
        ("id\ta\tb\nx\t1\t2\ny\t1\n", ["not a table of numbers"]),
        ("id\ta\nx\tone\n", ["not a table of numbers"]),
        ("id\ta\nx\t\n", ["not a table of numbers"]),
        ("id\ta\nx\tinf\n", ["1 id", "not finite", "'x'"]),
        ("id\ta\ta\nx\t1\t2\n", ["1 dimension", "appear twice", "'a'"]),
        ("id\ta\nx\t1\nx\t2\n", ["1 id", "appear twice", "'x'"]),
    ],
)
def test_bad_embeddings_are_refused(refused, text, parts):
    refused(lambda: read_embeddings(io.StringIO(text)), *parts)
