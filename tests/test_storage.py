"""What is stored: tables of numbers, and the bundled encoder."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from simulated_study import model_of

from q2_aam.storage.model import BOX, BUNDLED, read_boxed
from q2_aam.types import AAMEmbeddingsFormat, PredictionIntervalsFormat

read_intervals, read_embeddings = PredictionIntervalsFormat.read, AAMEmbeddingsFormat.read
INTERVAL, SHARES = "id\tlower\tupper", "\tsame\toverlapping\tembedding_only"


@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    [
        (PredictionIntervalsFormat, 2, ["lower", "upper"]),
        (PredictionIntervalsFormat, 2, ["lower", "upper", "clades_only"]),
        # large files are parsed in pieces; each must have the types of the first
        (AAMEmbeddingsFormat, 1200, [f"branch {n}" for n in range(512)]),
    ],
)
def test_tables_read_back_and_ids_stay_text(kind, rows, columns):
    ids = ["NA", *(f"{number:06d}" for number in range(1, rows))]
    numbers = np.random.default_rng(0).random((rows, len(columns))).cumsum(axis=1)
    if rows == 2:
        numbers[:, 2:] = 1.0
    frame, file = pd.DataFrame(numbers * [1e-30, 1][rows > 2], ids, columns), io.StringIO()
    kind.write(file, frame)
    file.seek(0)
    pd.testing.assert_frame_equal(kind.read(file), frame, check_names=False)


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


def test_the_bundled_encoder_is_an_artifact_that_names_its_version(aam, capsys):
    encoder = aam.load_encoder().encoder  # which writes no model that is not whole
    assert str(encoder.type) == "AAMEncoder"
    config, arrays = model_of(encoder)
    boxed, of_box = read_boxed()
    assert config == boxed
    assert (config.distance_state, config.asv_tips) == ("trained", True)
    assert all(np.array_equal(arrays[name], array) for name, array in of_box.items())
    assert BUNDLED in capsys.readouterr().out
    recorded = (encoder._archiver.provenance_dir / "action" / "action.yaml").read_text()
    assert re.search(r"version: '?1'?\n", recorded)
    assert "mcdonald" in (encoder._archiver.provenance_dir / "citations.bib").read_text().lower()
    assert (BOX / "README.md").read_text(encoding="utf-8").count("CC BY-SA 3.0") == 1
    assert sum(path.stat().st_size for path in BOX.iterdir()) < 12e6
