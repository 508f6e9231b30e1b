"""The tutorial of the README runs as it stands there, on a smaller study and with fewer epochs."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import biom
import pytest
import qiime2
import qiime2.plugins
from small_demo import compute_unifrac, write_small_demo

README = Path(__file__).parent.parent / "README.md"
LINES = 20


@pytest.fixture(scope="module")
def tutorial():
    """The only block of Python in the README."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    return code


@pytest.fixture
def with_unifrac(monkeypatch):
    """Stand in for q2-diversity-lib where it is not installed."""
    try:
        from qiime2.plugins import diversity_lib
    except ImportError:
        methods = SimpleNamespace(
            unweighted_unifrac=lambda table, tree: SimpleNamespace(
                distance_matrix=compute_unifrac(table, tree)
            )
        )
        diversity_lib = SimpleNamespace(methods=methods)
    monkeypatch.setattr(qiime2.plugins, "diversity_lib", diversity_lib, raising=False)


def test_the_tutorial_is_short(tutorial):
    assert len([line for line in tutorial.splitlines() if line.strip()]) <= LINES


def test_the_tutorial_runs(tutorial, with_unifrac, tmp_path, monkeypatch, capsys):
    write_small_demo(tmp_path, samples=30, asvs=60)
    quick, changed = re.subn(r"epochs=\d+", "epochs=2", tutorial)
    assert changed == 2
    (tmp_path / "tutorial.py").write_text(quick)
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path("tutorial.py")
    assert str(qiime2.Visualization.load("evaluation.qzv").type) == "Visualization"
    tested, trained = (
        set(table.view(biom.Table).ids())
        for table in (names["split"].test_table, names["split"].training_table)
    )
    shown = capsys.readouterr().out
    assert tested and all(name in shown for name in tested)
    child = names["child"].to_series()
    assert not set(child[list(tested)]) & set(child[list(trained)])
