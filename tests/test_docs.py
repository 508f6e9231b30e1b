"""What README, docs and demo say is so: commands, parameters, links, tests, figures, code."""

import re
import runpy
import shlex
from pathlib import Path
from shutil import copy

import biom
import pytest
import qiime2
from qiime2.core.type.util import is_metadata_column_type, is_metadata_type
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


def options_of(action) -> tuple[dict[str, object], set[str]]:
    """Name the options of an action with the types of its parameters, and those that it needs."""
    signature, options, needed = action.signature, {}, set()
    for name, spec in (signature.inputs | signature.parameters | signature.outputs).items():
        metadata = is_metadata_type(spec.qiime_type)
        if name in signature.parameters and not metadata:
            first = f"--p-{name}"
            options[first] = spec.qiime_type
        else:
            kind = "i" if name in signature.inputs else "m" if metadata else "o"
            first = f"--{kind}-{name}" + "-file" * metadata
            options[first] = None
            if metadata and is_metadata_column_type(spec.qiime_type):
                options[f"--m-{name}-column"] = None
        if name not in signature.outputs and not spec.has_default():
            needed.add(first)
    dashes = {name.replace("_", "-"): qiime_type for name, qiime_type in options.items()}
    return dashes, {name.replace("_", "-") for name in needed}


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
    (options, needed), given = options_of(action), {}
    for word in rest:
        if word.startswith("--"):
            given[word] = last = []
        else:
            last.append(word)
    found = [f"{name}: no option {one}" for one in set(given) - set(options) - COMMON]
    if "--m-groups-file" in options and "--help" not in given:  # "wherever samples share one"
        needed = needed | {"--m-groups-file"}
    found += [f"{name}: {one} is missing" for one in needed - set(given)]
    outputs = {one for one in options if one.startswith("--o-")}
    if not given.keys() & {"--output-dir", "--citations"} and not outputs <= set(given):
        found.append(f"{name}: {outputs - set(given)} have no place")
    for one, values in given.items():
        if options.get(one) is not None and values:
            try:
                parse_primitive(options[one], values if len(values) > 1 else values[0])
            except ValueError as error:
                found.append(f"{name}: {one}: {error}")
    return found


@pytest.mark.parametrize("path", [*PAGES, DEMO], ids=lambda one: one.name)
def test_every_command_can_be_called(path):
    assert [fault for call in commands_in(path) for fault in faults(call)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda one: one.name)
def test_actions_and_parameters_named_in_sentences_exist(path):
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", text)
    named = {word for span in spans if not re.match("python|conda", span) for word in span.split()}
    plugins = [PluginManager().plugins[name].actions for name in ("aam", "sample-classifier")]
    actions = [action for one in plugins for action in one.values()]
    options = {option for action in actions for option in options_of(action)[0]}
    options |= COMMON | OF_TORCHRUN
    assert {one for one in named if one.startswith("--")} <= options
    verbs = "pretrain|fit|predict|evaluate|embed|split|check|load|find|summarize|regress|classify"
    names = {action.id.replace("_", "-") for action in actions}
    assert {one for one in named if re.fullmatch(rf"({verbs})-[a-z-]*[a-z]", one)} <= names


def test_the_commands_are_found():
    assert {call[1] for call in commands_in(README)} >= {"regress-samples", "predict-regression"}
    assert len(commands_in(DEMO)) > 10
    assert len(commands_in(DOCS / "tutorial.md")) > 10


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("aam regress-sample --i-table t.qza", "no action"),
        ("aam predict-distances --i-tabel t.qza --o-distance-matrix d.qza", "no option --i-tabel"),
        ("aam feature-importance --i-table t.qza --o-importance i.qza", "--i-model is missing"),
        ("aam embed-samples --i-table t.qza --i-model m.qza", "have no place"),
        ("aam embed-samples --i-table t --i-model m --output-dir o --p-dimensions x", "dimensions"),
    ],
)
def test_a_wrong_command_is_seen(call, fault):
    assert any(fault in one for one in faults(call.split()))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_no_figure_is_left_open(path):
    text = path.read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not re.findall(r"\{\{.*?\}\}", text, re.S)


def test_the_readme_is_short_and_leads_to_every_page():
    text = README.read_text("utf-8")
    assert len(text.split()) <= MOST_WORDS
    assert not [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in text]


def test_the_table_of_behaviors_names_tests_that_are_there():
    text = (DOCS / "behaviors.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S[^|]*) \| [^|]* \| (`[^|]*) \|$", text, re.MULTILINE)
    assert len(rows) > 40
    for row, tests in rows:
        named = re.findall(r"`([a-z_/]+\.py)::([a-z0-9_]+)`", tests)
        assert named, row
        for path, name in named:
            source = (PROJECT / "tests" / path).read_text("utf-8")
            assert re.search(rf"^def {name}\w*\(", source, re.MULTILINE), f"{row}: {path}::{name}"


def test_security_names_tests_that_are_there():
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
