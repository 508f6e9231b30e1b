"""The fuzz target runs in ``make test-hard`` where atheris is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 300


@pytest.mark.hard
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed (extra 'fuzz'; it is not built for every Python)",
)
def test_no_bytes_make_a_reader_fail(tmp_path):
    seconds = int(os.environ.get("Q2_AAM_FUZZ_SECONDS", SECONDS))
    target = Path(__file__).parent / "fuzz_reader.py"
    finished = subprocess.run(
        [
            sys.executable, "-W", "ignore", str(target), str(tmp_path / "corpus"),
            f"-max_total_time={seconds}", f"-artifact_prefix={tmp_path}/",
        ],
        check=False, capture_output=True, text=True, timeout=seconds + 300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "Done" in finished.stderr
