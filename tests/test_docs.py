"""What README, docs and demo say is so: commands, parameters, links, tests, figures, code."""

import re
import runpy
import shlex
from pathlib import Path
from shutil import copy

import biom
import click
import pytest
import qiime2
from q2cli.__main__ import qiime
from qiime2.sdk import PluginManager
from qiime2.sdk.util import parse_primitive
from small_demo import write_small_demo

PROJECT = Path(__file__).parent.parent
README, DOCS = PROJECT / "README.md", PROJECT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
DEMO = PROJECT / "recipe" / "demo" / "demo.sh"
MOST_WORDS, MOST_LINES = 1500, 30
# Of q2cli itself, beside an action's own
COMMON = {
    *("--help", "--verbose", "--citations", "--output-dir"),
    *("--parallel", "--parallel-config", "--use-cache", "--recycle-pool"),
}
OF_TORCHRUN = {"--nnodes", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint"}


def commands_in(path: Path) -> list[list[str]]:
    """Read the calls of actions in the blocks of a page, or in a script."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
        text = "\n".join(block for language, block in blocks if not language)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    found = [re.match(r"\s*(?:run )?qiime (.*)", line) for line in lines]
    calls = [shlex.split(one.group(1), comments=True) for one in found if one]
    return [call for call in calls if len(call) > 2 and call[0] != "tools"]


def python_in(path: Path) -> list[str]:
    """Read the blocks of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)


def options_of(action) -> dict[str, click.Option]:
    """Return the options of an action by all of their names, as q2cli has them."""
    context, plugin = click.Context(qiime), action.plugin_id.replace("_", "-")
    command = qiime.get_command(context, plugin).get_command(context, action.id.replace("_", "-"))
    return {
        name: option
        for option in command.get_params(context)
        for name in (*option.opts, *option.secondary_opts, *getattr(option, "q2_extra_opts", ()))
    }


def faults(call: list[str]) -> list[str]:
    """Name what q2cli would refuse in a call."""
    plugin, name, *rest = call
    installed = {one.replace("_", "-"): found for one, found in PluginManager().plugins.items()}
    if plugin not in installed:
        return []  # not in every environment of the tests
    actions = installed[plugin].actions
    if name.replace("-", "_") not in actions:
        return [f"{plugin} has no action {name}"]
    action = actions[name.replace("-", "_")]
    options, given = options_of(action), {}
    for word in rest:
        if word.startswith("--"):
            given[word] = last = []
        else:
            last.append(word)
    found = [f"{name}: no option {one}" for one in set(given) - set(options) - COMMON]
    needed = {one for one, option in options.items() if option.required} - set(given)
    if "--m-groups-file" in options and not given.keys() & {"--m-groups-file", "--help"}:
        needed.add("--m-groups-file")  # "wherever samples share one"
    if given.keys() & {"--output-dir", "--citations"}:
        needed = {one for one in needed if not one.startswith("--o-")}
    found += [f"{name}: {one} is missing" for one in needed]
    for one in set(given) & set(options):
        values, parameter = given[one], getattr(options[one], "q2_name", None)
        if one.startswith("--p-") and values:
            qiime_type = action.signature.parameters[parameter].qiime_type
            try:
                parse_primitive(qiime_type, values if len(values) > 1 else values[0])
            except ValueError as error:
                found.append(f"{name}: {one}: {error}")
    return found


@pytest.mark.parametrize("path", [*PAGES, DEMO], ids=lambda one: one.name)
def test_every_command_can_be_called(path):
    calls = commands_in(path)
    assert len(calls) > {README: 1, DEMO: 10, DOCS / "tutorial.md": 10}.get(path, -1)
    assert [fault for call in calls for fault in faults(call)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda one: one.name)
def test_actions_and_parameters_named_in_sentences_exist(path):
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", text)
    named = {word for span in spans if not re.match("python|conda", span) for word in span.split()}
    plugins = [PluginManager().plugins[name].actions for name in ("aam", "sample-classifier")]
    actions = [action for one in plugins for name, action in one.items() if name[0] != "_"]
    options = {option for action in actions for option in options_of(action)}
    options |= COMMON | OF_TORCHRUN
    assert {one for one in named if one.startswith("--")} <= options
    verbs = "pretrain|fit|predict|evaluate|embed|split|check|load|find|summarize|regress|classify"
    names = {action.id.replace("_", "-") for action in actions}
    assert {one for one in named if re.fullmatch(rf"({verbs})-[a-z-]*[a-z]", one)} <= names


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("aam regress-sample --i-table t.qza", "no action"),
        ("aam predict-distances --i-tabel t.qza --o-distance-matrix d.qza", "no option --i-tabel"),
        ("aam feature-importance --i-table t.qza --o-importance i.qza", "--i-model is missing"),
        ("aam embed-samples --i-table t.qza --i-model m.qza", "--o-embeddings is missing"),
        ("aam embed-samples --i-table t --i-model m --output-dir o --p-dimensions x", "dimensions"),
    ],
)
def test_a_wrong_command_is_seen(call, fault):
    assert any(fault in one for one in faults(call.split()))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_from_a_short_readme_to_every_page(path):
    text, readme = path.read_text("utf-8"), README.read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not re.findall(r"\{\{.*?\}\}", text, re.S), "no figure is left open"
    assert path == README or f"docs/{path.name}" in readme
    assert len(readme.split()) <= MOST_WORDS


def test_the_tests_that_pages_name_are_there():
    text = (DOCS / "behaviors.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S[^|]*) \| [^|]* \| (`[^|]*) \|$", text, re.MULTILINE)
    assert len(rows) > 40
    for row, tests in rows:
        named = re.findall(r"`([a-z_/]+\.py)::([a-z0-9_]+)`", tests)
        assert named, row
        for path, name in named:
            source = (PROJECT / "tests" / path).read_text("utf-8")
            assert re.search(rf"^def {name}\w*\(", source, re.MULTILINE), f"{row}: {path}::{name}"
    named = re.findall(r"`([a-z_]+/test_[a-z_]+\.py)`", (DOCS / "security.md").read_text("utf-8"))
    assert len(named) > 5
    assert not [path for path in named if not (PROJECT / "tests" / path).is_file()]


def test_results_of_a_bad_release_are_found(tmp_path, monkeypatch, capsys):
    (code,) = python_in(DOCS / "releasing.md")
    copy(PROJECT / "tests" / "golden" / "version-1" / "regressor.qza", tmp_path / "ours.qza")
    copy(PROJECT / "q2_aam" / "demo_data" / "table.qza", tmp_path / "imported.qza")
    monkeypatch.chdir(tmp_path)
    for version, printed in (("0.1.0", "ours.qza\n"), ("0.1.1", "")):
        (tmp_path / "recall.py").write_text(code.replace('"0.1.0"', f'"{version}"'))
        runpy.run_path("recall.py")
        assert capsys.readouterr().out == printed


def test_the_python_of_the_tutorial_is_short_and_runs(tmp_path, monkeypatch, capsys):
    of_a_number, of_a_class = python_in(DOCS / "tutorial.md")
    code = of_a_number + of_a_class
    assert len([line for line in code.splitlines() if line.strip()]) <= MOST_LINES
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
