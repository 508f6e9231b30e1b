"""The conda recipe and the environment files say what setup.py and the package say."""

import ast
import runpy
import sys
from pathlib import Path

import jinja2
import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parent.parent
RECIPE = PROJECT / "recipe"
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
    "PIL": "pillow", "biom": "biom-format", "matplotlib": "matplotlib-base",
    "q2_sample_classifier": "q2-sample-classifier", "q2_types": "q2-types",
    "skbio": "scikit-bio", "sklearn": "scikit-learn", "torch": "pytorch",
    "vl_convert": "vl-convert-python",
}  # fmt: skip


@pytest.fixture(scope="module")
def package():
    """What setup.py says, as conda-build reads it: by running it."""
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **given: said.update(given))
        runpy.run_path(str(PROJECT / "setup.py"), run_name="__main__")
    return said


@pytest.fixture(scope="module")
def recipe(package):
    """meta.yaml as conda-build renders it."""

    def load_setup_py_data(setup_file, from_recipe_dir):
        assert from_recipe_dir
        assert (RECIPE / setup_file).resolve() == PROJECT / "setup.py"
        return package

    text = jinja2.Template((RECIPE / "meta.yaml").read_text(), undefined=jinja2.StrictUndefined)
    return yaml.safe_load(text.render(load_setup_py_data=load_setup_py_data, PYTHON="python"))


@pytest.fixture(params=sorted(DISTRIBUTIONS))
def environment(request):
    name = request.param
    content = yaml.safe_load((RECIPE / f"environment-{name}.yml").read_text())
    assert content["name"] == name
    return content


def requirements(lines) -> dict[str, SpecifierSet]:
    """Read requirements, of pip or conda, as versions by name."""
    found = [Requirement(line) for line in lines]
    return {one.name: one.specifier for one in found}


def test_the_recipe_has_the_version_of_the_package(recipe):
    import q2_aam

    assert str(recipe["package"]["version"]) == q2_aam.__version__


def test_the_recipe_requires_what_setup_requires(recipe, package):
    run = requirements(recipe["requirements"]["run"])
    needed = requirements(package["install_requires"])
    assert {name: run.get(CONDA_NAMES.get(name, name)) for name in needed} == needed
    assert run["python"] == SpecifierSet(package["python_requires"])


def test_every_requirement_of_the_recipe_has_a_lower_bound(recipe):
    run = requirements(recipe["requirements"]["run"])
    bounds = {name: [one.operator for one in specifier] for name, specifier in run.items()}
    assert {name for name, operators in bounds.items() if operators != [">="]} == set()


def imported_modules() -> set[str]:
    """Name the top-level modules that the package imports anywhere."""
    found = set()
    for path in (PROJECT / "q2_aam").rglob("*.py"):
        if "demo_data" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"q2_aam"}


def test_the_recipe_requires_what_the_package_imports(recipe):
    imported = {PACKAGES.get(name, name) for name in imported_modules()}
    assert imported <= set(requirements(recipe["requirements"]["run"]))
    assert "qiime2" in imported


def test_the_recipe_takes_the_tests_along_and_runs_them(recipe, package):
    assert recipe["test"]["source_files"] == ["tests"]
    assert any("pytest tests" in command for command in recipe["test"]["commands"])
    assert set(package["extras_require"]["test"]) <= set(recipe["test"]["requires"])


def test_files_that_the_recipe_names_exist(recipe):
    assert (RECIPE / recipe["source"]["path"] / recipe["about"]["license_file"]).exists()


def test_there_is_an_environment_file_for_each_distribution():
    found = {path.stem.removeprefix("environment-") for path in RECIPE.glob("environment-*.yml")}
    assert found == set(DISTRIBUTIONS)


def test_an_environment_has_the_channels_of_its_distribution(environment):
    own = DISTRIBUTIONS[environment["name"]]
    assert sorted(environment["channels"]) == sorted([own, "conda-forge", "bioconda"])


def test_an_environment_adds_what_setup_requires(environment, package):
    assert environment["dependencies"][0] == "pip"
    added = requirements(environment["dependencies"][-1]["pip"])
    needed = requirements(package["install_requires"])
    assert {name: added.get(name) for name in needed} == needed
    # all else keeps what the distribution has
    rest = {name: str(added[name]) for name in set(added) - set(needed)}
    assert rest.pop("setuptools", "<81") == "<81"
    assert {"numpy", "click"} <= set(rest)
    assert all(version.startswith("==") for version in rest.values()), rest


def test_the_newest_environment_of_the_tests_is_the_newest_distribution():
    tested = requirements(
        line
        for line in (RECIPE / "newest" / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    newest = sorted(DISTRIBUTIONS, key=lambda name: [*map(int, name.split("-")[-1].split("."))])[-1]
    assert str(tested["rachis"]) == f"=={newest.split('-')[-1]}.0"
    content = yaml.safe_load((RECIPE / f"environment-{newest}.yml").read_text())
    added = requirements(content["dependencies"][-1]["pip"])
    assert {name: tested[name] for name in ("numpy", "click")} == {
        name: added[name] for name in ("numpy", "click")
    }


def test_the_readme_tells_how_to_install_into_each_distribution():
    readme = (PROJECT / "README.md").read_text("utf-8")
    assert not [name for name in DISTRIBUTIONS if name not in readme]
