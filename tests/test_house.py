"""The rules of the house: import directions, sizes, what may not be imported or called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import MUTATIONS

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "q2_aam"
FILES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [*FILES, *PROJECT.glob("benchmarks/**/*.py"), *PROJECT.glob("recipe/**/*.py")]
LONGEST_FUNCTION, MOST_FORWARDED = 60, 7
# Parts of the package from the bottom up; each may import those of the lines above its own.
FLOORS = [
    {"version", "errors", "encoders", "demo_data"},
    {"config"},
    {"data", "model", "parameters", "examples"},
    {"storage", "conformal"},
    {"types", "inference"},
    {"importance", "training", "report"},
    {"actions"},
    {"plugin_setup"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
QIIME2 = {"qiime2", "q2_types", "q2templates", "q2_sample_classifier"}
HEAVY = {"torch", "accelerate", "safetensors.torch", "tensorboard", "vl_convert"}

# What runs code from a file, or a command from a text.
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy",
}  # fmt: skip
FORBIDDEN_NAMES = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.save", "torch.serialization.load",
    "torch.serialization.save", "torch.jit.load", "torch.hub.load", "os.system", "os.popen",
    "yaml.load", "yaml.unsafe_load", "shutil.unpack_archive", "subprocess.getoutput",
}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "to_pickle", "read_pickle"}
FORBIDDEN_ARGUMENTS = {"allow_pickle", "shell"}


def nodes_of(path: Path):
    return ast.walk(ast.parse(path.read_text("utf-8")))


def problems(find, files=FILES) -> list[str]:
    """Collect what a finder says of every file."""
    return [f"{path.relative_to(PROJECT)}: {what}" for path in files for what in find(path)]


def part_of(path: Path) -> str:
    """Name the part of the package that a file belongs to; ``version`` is its __init__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "version" if first == "__init__" else first


def imports_of(nodes, path: Path):
    """Yield what a name is bound to, however it is imported, and the name: "torch.nn", "nn"."""
    package = ["q2_aam", *path.relative_to(PROJECT).parts[1:-1]]
    for node in nodes:
        if isinstance(node, ast.Import):
            for one in node.names:
                yield one.name, one.asname or one.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((f"{module}.{one.name}", one.asname or one.name) for one in node.names)


def imported_parts(nodes, path: Path) -> set[str]:
    """Name the parts of the package that a file imports, at its top or anywhere inside."""
    names = [name.split(".") for name, _ in imports_of(nodes, path)]
    ours = [name[1] if len(name) > 1 else "" for name in names if name[0] == "q2_aam"]
    return {part if part in FLOOR else "version" for part in ours}


def test_imports_go_down_only():
    def upward(path):
        own = part_of(path)
        found = imported_parts(nodes_of(path), path) - {own}
        return {part for part in found if FLOOR[part] >= FLOOR[own]}

    assert not problems(upward)


@pytest.mark.parametrize(
    ("code", "place", "found"),
    [
        ("from .. import training", "data/table.py", {"training"}),
        ("def f():\n    from ..model.network import Network", "data/table.py", {"model"}),
        ("import q2_aam.report.page as page", "storage/model.py", {"report"}),
        ("from q2_aam import actions", "types.py", {"actions"}),
        ("from .data.study import Studies\nimport numpy", "inference.py", {"data"}),
        ("from .. import __version__", "training/logger.py", {"version"}),
    ],
)
def test_imports_are_found_however_they_are_written(code, place, found):
    assert imported_parts(ast.walk(ast.parse(code)), PACKAGE / place) == found


def test_functions_are_short_and_forward_little():
    def too_much(path):
        for one in nodes_of(path):
            if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            body = one.body[1:] if ast.get_docstring(one) else one.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if lines > LONGEST_FUNCTION:
                yield f"{one.name} has {lines} lines"
            own = {argument.arg for argument in one.args.args + one.args.kwonlyargs}
            for call in ast.walk(one):
                if isinstance(call, ast.Call):
                    given = [*call.args, *(keyword.value for keyword in call.keywords)]
                    number = sum(isinstance(value, ast.Name) and value.id in own for value in given)
                    if number > MOST_FORWARDED:
                        yield f"{one.name} forwards {number} of its arguments"

    assert not problems(too_much)


def test_files_have_names_that_say_something():
    assert not {path.stem for path in FILES} & {"utils", "util", "helpers", "misc"}


def forbidden(nodes):
    """Find what could run code from a file, or a command from a text."""
    nodes = list(nodes)
    bound = {}
    for name, short in imports_of(nodes, PACKAGE / "any.py"):
        bound[short] = short if name.startswith(f"{short}.") else name
        if name.split(".")[0] in FORBIDDEN_MODULES or name in FORBIDDEN_NAMES:
            yield name

    def whole_name(node) -> str:
        if isinstance(node, ast.Attribute):
            return f"{whole_name(node.value)}.{node.attr}"
        return bound.get(node.id, node.id) if isinstance(node, ast.Name) else "?"

    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            name = whole_name(node).removeprefix("builtins.")
            if name in FORBIDDEN_NAMES or name.split(".")[-1] in FORBIDDEN_METHODS:
                yield name
        elif isinstance(node, ast.keyword) and getattr(node.value, "value", None) is not False:
            yield from {node.arg} & FORBIDDEN_ARGUMENTS


def test_row_4_nothing_can_run_code_from_a_file():
    assert not problems(lambda path: forbidden(nodes_of(path)), SOURCES)


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (True, [
            "import pickle", "from joblib import load", "import _pickle as p", "eval('1')",
            "from yaml import load", "import torch\ntorch.load(0)", "import torch as t\nt.load(0)",
            "from torch import load as read", "import torch.nn\ntorch.hub.load('x')", "run = exec",
            "import torch.serialization as s\ns.load('x')", "import os as o\no.popen('ls')",
            "from os import system as run", "import builtins\nbuiltins.eval('1')", "f(shell=flag)",
            "__import__('os')", "pandas.read_pickle('x')", "np.load('x', allow_pickle=True)",
            "archive.extractall('x')",
        ]),
        (False, [
            "network.eval()", "np.load('x', allow_pickle=False)", "import json\njson.load(file)",
            "import re\nre.compile('x')", "getattr(config, name)", "import torch\ntorch.compile(n)",
        ]),
    ],
)  # fmt: skip
def test_forbidden_calls_are_found_and_harmless_ones_are_not(found, codes):
    for code in codes:
        assert bool(list(forbidden(ast.walk(ast.parse(code))))) == found, code


@pytest.mark.parametrize(
    ("parts", "absent"),
    [
        ({"config", "data", "model", "storage", "inference", "importance", "training"}, QIIME2),
        ({"report"}, {"torch", "accelerate"}),
        ({"plugin_setup", "actions", "parameters", "examples"}, HEAVY | {"altair"}),
        ({"config", "data", "storage", "types"}, HEAVY | {"altair"}),
    ],
)
def test_parts_can_be_imported_without(parts, absent):
    modules = [
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        for path in FILES
        if part_of(path) in parts
    ]
    assert len(modules) > len(parts) / 2
    code = "import importlib, sys\n"
    # not None in sys.modules: SciPy takes a module that is named there for one that it has
    code += "class Absent:\n    def find_spec(name, *_):\n"
    code += f"        if name in {absent}: raise ModuleNotFoundError(name)\n"
    code += "sys.meta_path.insert(0, Absent)\n"
    code += f"for name in {modules}: importlib.import_module(name)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


def test_every_mutation_fits_the_source_at_one_place():
    for one in MUTATIONS:
        assert (PROJECT / one.file).read_text("utf-8").count(one.old) == 1, one
        assert (PROJECT / one.test.split("::")[0]).exists(), one
