import io

import pandas as pd
import pytest

from q2_aam.storage.intervals import read_intervals, write_intervals


def test_intervals_read_back_and_ids_stay_text():
    frame = pd.DataFrame({"lower": [0.1, -2.0], "upper": [1 / 3, 5.0]}, index=["0001", "NA"])
    file = io.StringIO()
    write_intervals(file, frame)
    file.seek(0)
    found = read_intervals(file)
    assert found.index.tolist() == ["0001", "NA"]
    assert found["upper"].tolist() == [1 / 3, 5.0]


@pytest.mark.parametrize("columns", [["same", "overlapping", "embedding_only"], ["clades_only"]])
def test_shares_of_reads_read_back_and_lie_in_0_to_1(refused, columns):
    bounds = pd.DataFrame({"lower": [0.0], "upper": [1.0]}, index=["a"])
    for share in (1.0, 1.5):
        file = io.StringIO()
        write_intervals(file, bounds.assign(**dict.fromkeys(columns, share)))
        file.seek(0)
        if share == 1.0:
            assert list(read_intervals(file)) == ["lower", "upper", *columns]
        else:
            refused(lambda file=file: read_intervals(file), "shares of reads outside 0 to 1", "'a'")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["not a table"]),
        ("id\tlow\thigh\na\t1\t2\n", ["'low'", "lower, upper"]),
        ("id\tlower\tupper\na\t3\t2\nb\t1\t2\n", ["1 id", "lower ≤ upper", "'a'"]),
        ("id\tlower\tupper\na\tnan\t2\n", ["1 id", "lower ≤ upper", "'a'"]),
        ("id\tlower\tupper\na\t1\t2\na\t1\t2\n", ["appear twice", "'a'"]),
        ("id\tlower\tupper\na\tone\t2\n", ["not a table"]),
        ("id\tlower\tupper\na\t\t2\n", ["not a table"]),
    ],
)
def test_bad_intervals_are_refused(refused, text, parts):
    refused(lambda: read_intervals(io.StringIO(text)), *parts)
