"""The rules of the house: import directions, sizes, what may not be imported or called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "q2_aam"
FILES = sorted(PACKAGE.rglob("*.py"))
LARGEST_FUNCTION = 60

# What each part may import of the package; imports go down only.
_BOTTOM = {"config", "errors"}
_CORE = _BOTTOM | {"data", "model", "storage", "version"}
ALLOWED = {
    "version": set(),
    "errors": set(),
    "config": {"errors"},
    "data": _BOTTOM,
    "model": _BOTTOM,
    "storage": _BOTTOM | {"data", "model"},
    "types": _CORE,
    "conformal": _BOTTOM | {"data"},
    "inference": _CORE,
    "occlusion": _CORE | {"inference"},
    "training": _CORE | {"inference", "conformal"},
    "report": _CORE | {"types", "conformal"},
    "parameters": _BOTTOM,
    "actions": _CORE
    | {"types", "conformal", "inference", "occlusion", "training", "report", "parameters"},
    "examples": _BOTTOM,
    "plugin_setup": {"types", "actions", "parameters", "examples", "version"},
    "encoders": set(),
    "demo_data": set(),
}
CORE = ["config", "data", "model", "training", "storage", "inference", "occlusion"]


def part_of(path: Path) -> str:
    """Name the part of the package that a file belongs to; ``version`` is its __init__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "version" if first == "__init__" else first


def imported_parts(tree: ast.AST, path: Path) -> set[str]:
    """Name the parts of the package that a file imports, at its top or anywhere inside."""
    package = ["q2_aam", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = start + (node.module.split(".") if node.module else [])
            names = [[*module, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "q2_aam":
                known = len(name) > 1 and name[1] in ALLOWED
                found.add(name[1] if known else "version")
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def problems(find):
    """Collect what a finder says of every file."""
    return [f"{path.relative_to(PACKAGE)}: {what}" for path in FILES for what in find(path)]


def test_every_part_has_its_place():
    assert {part_of(path) for path in FILES} <= set(ALLOWED)


def test_imports_go_down_only():
    def upward(path):
        own = part_of(path)
        return imported_parts(parsed(path), path) - ALLOWED[own] - {own}

    assert not problems(upward)


@pytest.mark.parametrize(
    ("code", "place", "found"),
    [
        ("from ..training import trainer", "data/table.py", {"training"}),
        ("from .. import training", "data/table.py", {"training"}),
        ("def f():\n    from ..model.network import Network", "data/table.py", {"model"}),
        ("import q2_aam.report.page", "storage/model.py", {"report"}),
        ("from q2_aam import actions", "types/_types.py", {"actions"}),
        ("from .data.study import Studies", "inference.py", {"data"}),
        ("from .. import __version__", "training/logger.py", {"version"}),
        ("from .study import Study\nimport numpy", "data/batches.py", {"data"}),
    ],
)
def test_imports_are_found_however_they_are_written(code, place, found):
    assert imported_parts(ast.parse(code), PACKAGE / place) == found


def lines_of_code(function) -> int:
    """Count the lines behind the signature and the docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    def long(path):
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = lines_of_code(node)
                if lines > LARGEST_FUNCTION:
                    yield f"{node.name} has {lines} lines"

    assert not problems(long)


def test_no_two_test_files_share_a_name():
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}  # pytest would refuse all


def test_no_file_is_called_utils():
    assert not [path for path in FILES if path.stem in ("utils", "util", "helpers", "misc")]


FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy",
}  # fmt: skip
FORBIDDEN_BUILTINS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {
    "torch.load", "torch.save", "torch.serialization.load", "torch.serialization.save",
    "torch.jit.load", "torch.hub.load", "os.system", "os.popen", "pandas.read_pickle",
    "yaml.load", "yaml.unsafe_load", "shutil.unpack_archive", "subprocess.getoutput",
}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "to_pickle", "read_pickle"}
FORBIDDEN_TRUE_ARGUMENTS = {"allow_pickle", "shell"}
SOURCES = [*FILES, *(PACKAGE.parent / "benchmarks").rglob("*.py")]
SOURCES += [*(PACKAGE.parent / "recipe").rglob("*.py"), PACKAGE.parent / "setup.py"]


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Map every name that imports bind to what it stands for."""
    names = {"builtins": "builtins"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def whole_name(node: ast.AST, names: dict[str, str]) -> str:
    """Write out what a name or an attribute stands for, such as ``torch.load``."""
    if isinstance(node, ast.Attribute):
        base = whole_name(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def forbidden(tree: ast.AST):
    """Find what could run code from a file, or a command from a text."""
    names = imported_names(tree)
    bad = FORBIDDEN_NAMES | {f"builtins.{name}" for name in FORBIDDEN_BUILTINS}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{name}" for name in modules]
            yield from (
                name for name in modules if name.split(".")[0] in FORBIDDEN_MODULES or name in bad
            )
        read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        if read and node.id in FORBIDDEN_BUILTINS:
            yield node.id
        if isinstance(node, ast.Attribute):
            name = whole_name(node, names)
            if name in bad or node.attr in FORBIDDEN_METHODS:
                yield name or node.attr
        if isinstance(node, ast.Call) and whole_name(node.func, names) == "getattr":
            wanted = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if f"{whole_name(node.args[0], names)}.{wanted}" in bad:
                yield f"getattr {wanted}"
        if isinstance(node, ast.keyword) and node.arg in FORBIDDEN_TRUE_ARGUMENTS:
            harmless = isinstance(node.value, ast.Constant) and node.value.value is False
            if not harmless:
                yield node.arg


def test_row_4_nothing_can_run_code_from_a_file():
    found = [f"{path.name}: {what}" for path in SOURCES for what in forbidden(parsed(path))]
    assert not found
    assert len(SOURCES) > 100


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from joblib import load", "import torch\ntorch.load('x')",
        "from torch import load", "eval('1')", "run = exec", "np.load('x', allow_pickle=True)",
        "subprocess.run('ls', shell=True)", "archive.extractall('x')", "f(shell=flag)",
        "import torch as t\nt.load('x')", "from torch import load as read", "import _pickle as p",
        "from os import system as run", "import os as o\no.popen('ls')", "getattr(__builtins__, x)"
        "\n__import__('os')", "import torch\ngetattr(torch, 'load')('x')",
        "import builtins\nbuiltins.eval('1')", "import torch.serialization as s\ns.load('x')",
        "import pandas\npandas.read_pickle('x')", "from yaml import load",
    ],
)  # fmt: skip
def test_forbidden_calls_are_found(code):
    assert list(forbidden(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "network.eval()", "np.load('x', allow_pickle=False)", "import json\njson.load(file)",
        "import re\nre.compile('x')", "getattr(config, name)", "torch.compile(network)",
    ],
)  # fmt: skip
def test_harmless_calls_are_not(code):
    assert not list(forbidden(ast.parse(code)))


@pytest.mark.parametrize("folder", ["actions", "types"])
def test_annotations_stay_types_where_qiime2_reads_them(folder):
    for path in (PACKAGE / folder).glob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "__future__", path


def test_torch_is_not_imported_at_the_top_of_what_qiime2_loads():
    heavy = {"torch", "accelerate", "altair", "vl_convert", "safetensors.torch"}
    for part in ("plugin_setup", "parameters", "examples", "actions", "types", "storage", "data"):
        for path in FILES:
            if part_of(path) != part:
                continue
            for node in parsed(path).body:
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module]
                assert not {name.split(".")[0] for name in names} & heavy, path


def run_python(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_plugin_is_set_up_without_torch_or_charts():
    out = run_python(
        "import sys, q2_aam.plugin_setup\nprint(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = set(out.split())
    assert "qiime2" in loaded
    assert not loaded & {"torch", "accelerate", "altair", "vl_convert", "tensorboard"}


def test_the_training_core_runs_without_qiime2():
    modules = [
        ".".join(["q2_aam", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path in FILES
        if part_of(path) in CORE and path.stem != "__init__"
    ]
    assert len(modules) > 20
    out = run_python(
        "import sys, importlib\n"
        "for name in ('qiime2', 'q2_types', 'q2templates', 'q2_sample_classifier'):\n"
        "    sys.modules[name] = None\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "print('torch' in sys.modules)"
    )
    assert out.strip() == "True"
