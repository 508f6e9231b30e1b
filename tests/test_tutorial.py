"""The Python of the tutorial runs as it stands there, on a smaller study."""

import re
import runpy
from pathlib import Path

import biom
import pytest
import qiime2
from small_demo import write_small_demo

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
LINES = 30


@pytest.fixture(scope="module")
def code():
    """All blocks of Python, in their order."""
    blocks = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 2, "a number and a class"
    return "".join(blocks)


def test_the_tutorial_is_short(code):
    assert len([line for line in code.splitlines() if line.strip()]) <= LINES


def test_the_tutorial_runs(code, tmp_path, monkeypatch, capsys):
    write_small_demo(tmp_path, samples=30, asvs=60)
    (tmp_path / "tutorial.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path("tutorial.py")
    for page in ("evaluation", "delivery"):
        assert str(qiime2.Visualization.load(f"{page}.qzv").type) == "Visualization"
    tested, trained = (
        set(table.view(biom.Table).ids())
        for table in (names["split"].test_table, names["split"].training_table)
    )
    shown = capsys.readouterr().out
    assert tested
    assert all(shown.count(name) >= 2 for name in tested), "predictions and probabilities"
    child = names["child"].to_series()
    assert not set(child[list(tested)]) & set(child[list(trained)])
