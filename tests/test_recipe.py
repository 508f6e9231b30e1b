"""The conda recipe and the environment files say what setup.py, the package and each other say."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import q2_aam
from q2_aam.storage.model import BOX, read_boxed

PROJECT = Path(__file__).parent.parent
RECIPE = PROJECT / "recipe"
ENVIRONMENTS = PROJECT / "environment-files"
# Channel of QIIME 2 by the name of the distribution's environment
RELEASED = "https://packages.qiime2.org/qiime2"
DISTRIBUTIONS = {
    "qiime2-amplicon-2024.10": f"{RELEASED}/2024.10/amplicon/released",
    "qiime2-amplicon-2025.10": f"{RELEASED}/2025.10/amplicon/released",
    "qiime2-amplicon-2026.1": f"{RELEASED}/2026.1/amplicon/released",
    "rachis-qiime2-2026.4": f"{RELEASED}/2026.4/qiime2/released",
}
CONDA_NAMES = {"torch": "pytorch"}
# Package of a module, where the two differ
PACKAGES = {
    "PIL": "pillow", "biom": "biom-format",
    "matplotlib": "matplotlib-base", "q2_sample_classifier": "q2-sample-classifier",
    "q2_types": "q2-types", "skbio": "scikit-bio", "sklearn": "scikit-learn",
    "torch": "pytorch", "vl_convert": "vl-convert-python",
}  # fmt: skip
# What a QIIME 2 distribution owns and setup.py leaves to it
OWNED = {
    "biom-format", "jinja2", "markupsafe", "matplotlib-base", "numpy", "pandas", "pillow",
    "q2-sample-classifier", "q2-types", "q2templates", "qiime2", "scikit-bio", "scikit-learn",
    "scipy",
}  # fmt: skip


@pytest.fixture(scope="module")
def package():
    """What setup.py says, as conda-build reads it: by running it."""
    arguments = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **given: arguments.update(given))
        runpy.run_path(str(PROJECT / "setup.py"), run_name="__main__")
    return arguments


@pytest.fixture(scope="module")
def recipe(package):
    """meta.yaml as conda-build renders it."""

    def load_setup_py_data(setup_file, from_recipe_dir):
        assert from_recipe_dir
        assert (RECIPE / setup_file).resolve() == PROJECT / "setup.py"
        return package

    text = jinja2.Template((RECIPE / "meta.yaml").read_text(), undefined=jinja2.StrictUndefined)
    return yaml.safe_load(text.render(load_setup_py_data=load_setup_py_data, PYTHON="python"))


def requirements(lines) -> dict[str, SpecifierSet]:
    """Read requirements, of pip or conda, as versions by name."""
    return {one.name: one.specifier for one in map(Requirement, lines)}


class Environment:
    """An environment file, read as conda reads it: what conda installs, and what pip adds."""

    def __init__(self, distribution: str):
        self.distribution = distribution
        self.path = ENVIRONMENTS / f"q2-aam-{distribution}.yml"
        self.content = yaml.safe_load(self.path.read_text())
        *conda, last = self.content["dependencies"]
        assert conda[-1] == "pip", "conda wants pip named before what it installs"
        self.conda = dict(re.fullmatch(r"([\w-]+)([>=].*)?", one).groups() for one in conda)
        *added, own = last["pip"]
        assert own == ".."
        self.added = requirements(added)


@pytest.fixture(params=sorted(DISTRIBUTIONS))
def environment(request):
    return Environment(request.param)


def test_the_recipe_has_the_version_and_requires_what_setup_requires(recipe, package):
    assert str(recipe["package"]["version"]) == q2_aam.__version__
    run = requirements(recipe["requirements"]["run"])
    needed = requirements(package["install_requires"])
    assert {name: run.get(CONDA_NAMES.get(name, name)) for name in needed} == needed
    assert run["python"] == SpecifierSet(package["python_requires"])
    for name, bounds in run.items():
        assert [one.operator for one in bounds] == [">="], name


def test_what_the_package_imports_is_required(recipe, package):
    imported = set()
    for path in (PROJECT / "q2_aam").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    imported -= set(sys.stdlib_module_names) | {"q2_aam"}
    imported = {PACKAGES.get(name, name) for name in imported}
    assert "qiime2" in imported
    assert imported <= set(requirements(recipe["requirements"]["run"]))
    ours = {CONDA_NAMES.get(name, name) for name in requirements(package["install_requires"])}
    assert imported <= ours | OWNED
    assert not ours & OWNED


def test_the_recipe_takes_the_tests_along_and_runs_them(recipe, package):
    assert recipe["test"]["source_files"] == ["tests"]
    assert any("pytest tests" in command for command in recipe["test"]["commands"])
    assert set(package["extras_require"]["test"]) <= set(recipe["test"]["requires"])
    assert (RECIPE / recipe["source"]["path"] / recipe["about"]["license_file"]).exists()


def test_a_wheel_holds_the_bundled_encoder(tmp_path):
    command = [sys.executable, "setup.py", "-q", "build", "-b", tmp_path / "build"]
    command += ["build_py", "-d", tmp_path / "wheel"]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    built = tmp_path / "wheel" / "q2_aam" / "encoders"
    here = {path.name for path in BOX.iterdir() if path.name != "__pycache__"}
    assert {path.name for path in built.iterdir()} == here
    assert read_boxed(built)[0] == read_boxed()[0]


def test_there_is_an_environment_file_for_each_distribution():
    readme = (PROJECT / "README.md").read_text("utf-8")
    names = [path.name for path in ENVIRONMENTS.iterdir()]
    assert set(names) == {f"q2-aam-{distribution}.yml" for distribution in DISTRIBUTIONS}
    # The pattern of QIIME 2's library
    pattern = re.compile(r"q2-aam-(qiime2|rachis)-[a-z0-9]+-\d{4}\.\d{1,2}\.yml")
    assert [name for name in names if pattern.fullmatch(name) and name in readme] == names


def test_an_environment_has_the_qiime_2_that_the_recipe_requires(environment, recipe):
    # QIIME 2's library names the environment itself
    assert set(environment.content) == {"channels", "dependencies"}
    own = DISTRIBUTIONS[environment.distribution]
    assert sorted(environment.content["channels"]) == sorted([own, "conda-forge", "bioconda"])
    of_qiime = {name for name in environment.conda if re.match("q2|qiime2$", name)}
    epoch = environment.distribution.split("-")[-1]
    assert {environment.conda[name] for name in of_qiime} == {f"={epoch}"}
    required = requirements(recipe["requirements"]["run"] + recipe["test"]["requires"])
    assert {name for name in required if re.match("q2|qiime2$", name)} <= of_qiime
    # the demo's commands
    assert {"q2-metadata", "q2-diversity-lib"} <= of_qiime


def test_an_environment_installs_q2_aam_and_keeps_what_the_distribution_has(environment, package):
    assert (environment.path.parent / "..").resolve() == PROJECT
    needed = requirements(package["install_requires"])
    kept = {name: str(environment.added[name]) for name in set(environment.added) - set(needed)}
    assert kept.pop("setuptools", "<81") == "<81"
    assert all(version.startswith("==") for version in kept.values()), kept
    for name in ("numpy", "click"):
        assert f"={environment.conda[name]}" == kept[name], "conda and pip must agree"
    assert environment.conda["pytorch"] == str(needed.pop("torch"))
    assert {name: environment.added.get(name) for name in needed} == needed


def test_the_newest_environment_of_the_tests_is_the_newest_distribution():
    lines = (RECIPE / "newest" / "constraints.txt").read_text().splitlines()
    tested = requirements(line for line in lines if line and not line.startswith("#"))
    newest = max(DISTRIBUTIONS, key=lambda name: [*map(int, name.split("-")[-1].split("."))])
    assert str(tested["rachis"]) == f"=={newest.split('-')[-1]}.0"
    added = Environment(newest).added
    assert all(tested[name] == added[name] for name in ("numpy", "click"))


def test_the_entry_in_the_library_of_qiime_2_has_the_keys_that_it_asks_for():
    entry = yaml.safe_load((PROJECT / "docs" / "q2-aam.yml").read_text())
    assert set(entry) == {"owner", "name", "branch", "docs"}
    assert entry["name"] == "q2-aam"
    branch, _, path = entry["docs"].partition("/blob/")[2].partition("/")
    assert branch == entry["branch"]
    assert (PROJECT / path).is_file()
