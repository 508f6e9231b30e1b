"""`benchmarks/gpu.sh` runs from start to end, here with tiny sizes, and reports whatever fails."""

import json
import os
import subprocess
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="only a clone has benchmarks")
# what QIIME 2 brings, and a machine that only trains lacks
BLOCKED = ("qiime2", "biom", "skbio", "q2_types", "sklearn", "altair")


def run(tmp_path, parts: str, budget: int):
    """Run parts of the script where nothing of QIIME 2 can be imported."""
    site = tmp_path / "site"
    site.mkdir()
    for name in BLOCKED:
        (site / f"{name}.py").write_text("raise ImportError('this machine has none')")
    environment = os.environ | {
        "PARTS": parts, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(site),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", str(BENCHMARKS / "gpu.sh"), str(tmp_path / "out"), str(budget)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert done.stdout == (tmp_path / "out" / "table.md").read_text()
    return content, done.stdout


def test_21_4_parts_measure_without_what_qiime_2_brings_or_are_said_to_fail(tmp_path):
    content, table = run(tmp_path, "speed-768:1 agreement:100 no-such-part:60", 200)
    assert content["parts"]["agreement"]["status"] == 0, content["parts"]["agreement"]["log"]
    by_precision = {
        (one["size"], one["contender"], one["precision"]): one for one in content["results"]
    }
    assert not any("error" in one for one in by_precision.values())
    for size in (128, 768):
        assert by_precision[size, "ours", "fp32"]["embeddings_max"] == 0
        assert 0 < by_precision[size, "ours", "bf16"]["embeddings_norm"] < 0.3
    assert "| 768 | ours | bf16 |" in table
    assert content["parts"]["no-such-part"]["status"] == 1
    assert content["parts"]["speed-768"]["status"] in (124, 137)
    assert "failed (1): KeyError: 'no-such-part'" in table
    assert "stopped: its time was over" in table


@pytest.mark.hard
def test_21_4_all_parts_measure(tmp_path):
    content, _ = run(tmp_path, "speed-768:3 speed-128:3 lengths:4 agreement:1", 1300)
    failed = {name: part["log"] for name, part in content["parts"].items() if part["status"]}
    assert not failed
    assert not [one for one in content["results"] if "error" in one]
