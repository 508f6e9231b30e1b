import io

import numpy as np
import pandas as pd
import pytest

from q2_aam.types import AAMEmbeddingsFormat, PredictionIntervalsFormat

read_intervals, write_intervals = PredictionIntervalsFormat.read, PredictionIntervalsFormat.write
read_embeddings, write_table = AAMEmbeddingsFormat.read, AAMEmbeddingsFormat.write

INTERVAL, SHARES = "id\tlower\tupper", "\tsame\toverlapping\tembedding_only"


@pytest.mark.parametrize(
    ("write", "read", "columns"),
    [
        (write_intervals, read_intervals, ["lower", "upper"]),
        (write_intervals, read_intervals, ["lower", "upper", "clades_only"]),
        (write_table, read_embeddings, ["branch 1", "branch 2"]),
    ],
)
def test_tables_read_back_and_ids_stay_text(write, read, columns):
    numbers = [[-2.0, 1 / 3, 1.0], [1e-30, 5.0, 1.0]]
    frame = pd.DataFrame(numbers, ["0001", "NA"])[range(len(columns))].set_axis(columns, axis=1)
    file = io.StringIO()
    write(file, frame)
    file.seek(0)
    pd.testing.assert_frame_equal(read(file), frame, check_names=False)


def test_a_large_table_reads_back():
    """Large files are parsed in pieces; each must have the types of the first."""
    values = np.random.default_rng(0).random((1200, 512), dtype=np.float32)
    ids = [f"{number:06d}" for number in range(len(values))]
    file = io.StringIO()
    write_table(file, pd.DataFrame(values, ids, [f"branch {n}" for n in range(512)]))
    file.seek(0)
    found = read_embeddings(file)
    assert found.index.tolist() == ids
    assert (found.to_numpy().astype(np.float32) == values).all()


@pytest.mark.parametrize(
    ("read", "text", "parts"),
    [
        (read_embeddings, "", ["no columns"]),
        (read_embeddings, "id\nx\n", ["'id'", "at least one dimension"]),
        (read_embeddings, "sample\ta\nx\t1\n", ["'sample', 'a'", "not 'id'"]),
        (read_embeddings, "id\ta\n", ["not a table of numbers"]),
        (read_embeddings, "id\ta\tb\nx\t1\n", ["2 numbers in their first line", "1 in the others"]),
        (read_embeddings, "id\ta\nx\t1\t2\n", ["1 number in their first line", "2 in the others"]),
        (read_embeddings, "id\ta\nx\t1\ny\t1\t2\n", ["not a table of numbers"]),
        (read_embeddings, "id\ta\tb\nx\t1\t2\ny\t1\n", ["not a table of numbers"]),
        (read_embeddings, "id\ta\nx\tone\n", ["not a table of numbers"]),
        (read_embeddings, "id\ta\nx\t\n", ["not a table of numbers"]),
        (read_embeddings, "id\ta\nx\tinf\n", ["1 id", "not finite", "'x'"]),
        (read_embeddings, "id\ta\ta\nx\t1\t2\n", ["1 dimension", "appear twice", "'a'"]),
        (read_embeddings, "id\ta\nx\t1\nx\t2\n", ["1 id", "appear twice", "'x'"]),
        (read_intervals, "", ["no columns"]),
        (read_intervals, "id\tlow\thigh\na\t1\t2\n", ["'low'", "lower, upper"]),
        (read_intervals, f"{INTERVAL}\na\t3\t2\nb\t1\t2\n", ["1 id", "lower ≤ upper", "'a'"]),
        (read_intervals, f"{INTERVAL}\na\tnan\t2\n", ["not a table of numbers"]),
        (read_intervals, f"{INTERVAL}\na\t1\t2\na\t1\t2\n", ["appear twice", "'a'"]),
        (read_intervals, f"{INTERVAL}\xff\na\t1\t2\n", ["not a table of numbers", "utf-8"]),
        (read_intervals, f"{INTERVAL}\na\xff\t1\t2\n", ["not a table of numbers", "utf-8"]),
        (read_intervals, f"{INTERVAL}{SHARES}\na\t1\t2\t1.5\t0\t0\n", ["1 id", "outside 0 to 1"]),
    ],
)
def test_bad_tables_are_refused(refused, read, text, parts):
    lines = io.TextIOWrapper(io.BytesIO(text.encode("latin-1")), "utf-8")
    refused(lambda: read(lines), *parts)
