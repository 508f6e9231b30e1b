"""Every registered action makes a sensible form in Galaxy, and reads well without a manual.

q2galaxy renders the signatures; what it does with them is said at each rule. What can be seen in
the rendered form itself is held by test_galaxy.py.
"""

import re

import pytest
from qiime2.core.type.util import is_metadata_type, is_visualization_type
from qiime2.sdk import PluginManager
from qiime2.sdk.usage import DiagnosticUsage, UsageVariable

LONGEST_NAME = 70


@pytest.fixture(scope="module")
def actions():
    return PluginManager().plugins["aam"].actions


@pytest.fixture(scope="module")
def parameters(actions):
    """All parameters, named by their action, as pytest shows them."""
    return {
        f"{action.id}: {name}": spec
        for action in actions.values()
        for name, spec in action.signature.parameters.items()
    }


def parts_of(tree):
    """Walk the parts of a type as the framework describes it to interfaces."""
    if isinstance(tree, dict):
        yield tree
        for part in tree.values():
            yield from parts_of(part)
    elif isinstance(tree, (list, tuple)):
        for part in tree:
            yield from parts_of(part)


def parts_named(spec, *names):
    return [part for part in parts_of(spec.qiime_type.to_ast()) if part.get("name") in names]


def choices_of(spec) -> list[str]:
    return [one for part in parts_named(spec, "Choices") for one in part["choices"]]


def test_ranges_include_their_bounds(parameters):
    # An exclusive bound is shown 0.000001 off.
    assert not [
        name
        for name, spec in parameters.items()
        for part in parts_named(spec, "Range")
        for bound, inclusive in zip(part["range"], part["inclusive"], strict=True)
        if bound is not None and not inclusive
    ]


def test_numbers_have_a_range(parameters):
    # Without one the form takes anything; numbers from a list of choices are not rendered at all.
    numbers = {name: spec for name, spec in parameters.items() if parts_named(spec, "Int", "Float")}
    assert numbers
    assert not [name for name, spec in numbers.items() if not parts_named(spec, "Range")]
    assert not [
        name
        for name, spec in numbers.items()
        for number in parts_named(spec, "Int", "Float")
        if any(part.get("name") == "Choices" for part in parts_of(number))
    ]


def test_no_default_is_a_list(parameters):
    # The form would show none of it.
    assert not [
        name
        for name, spec in parameters.items()
        if spec.has_default() and isinstance(spec.default, (list, tuple, set, dict))
    ]


def test_no_parameter_is_a_path(parameters):
    # The files of a server are none of its users' business.
    path = re.compile(r"(?i)\b(path|folder|director(y|ies)|file ?names?)\b")
    assert not [
        name
        for name, spec in parameters.items()
        if parts_named(spec, "Str") and not choices_of(spec)
        if path.search(name.replace("_", " ")) or path.search(spec.description)
    ]


def test_choices_are_explained_in_the_help_of_the_parameter(parameters):
    # A list of choices is shown with this alone.
    unexplained = [
        f"{name}: {choice!r}"
        for name, spec in parameters.items()
        for choice in choices_of(spec)
        if f"'{choice}'" not in spec.description
    ]
    assert not unexplained


def test_defaults_can_be_seen(parameters):
    # None is shown as [optional]: the help must say what happens then.
    optional = {
        name: spec
        for name, spec in parameters.items()
        if spec.has_default() and spec.default is None and not is_metadata_type(spec.qiime_type)
    }
    assert not [name for name, spec in optional.items() if "Default:" not in spec.description]
    assert not [
        f"{name}: {spec.default!r}"
        for name, spec in parameters.items()
        if spec.has_default() and len(repr(spec.default)) > 20
    ]


def descriptions(actions):
    """Everything that a form shows as text, by its place."""
    for action in actions.values():
        yield f"{action.id}: description", action.description
        signature = action.signature
        for specs in (signature.inputs, signature.parameters, signature.outputs):
            for name, spec in specs.items():
                if is_visualization_type(spec.qiime_type):
                    continue  # a visualizer cannot describe it
                yield f"{action.id}: {name}", spec.description if spec.has_description() else ""


def test_every_input_parameter_and_output_is_described_in_sentences(actions):
    sentence = re.compile(r"['A-Z0-9].{12,}[.]", re.S)
    assert not [place for place, text in descriptions(actions) if not sentence.fullmatch(text)]


def test_no_description_sends_the_reader_elsewhere(actions):
    elsewhere = re.compile(r"(?i)\b(readme|manual|documentation|see (above|below)|todo)\b")
    assert not [place for place, text in descriptions(actions) if elsewhere.search(text)]


def test_names_of_actions_read_as_titles(actions):
    for action in actions.values():
        assert re.fullmatch(r"[A-Z][^.]+", action.name), action.id
        assert len(action.name) <= LONGEST_NAME, action.id


class AssertedVariable(UsageVariable):
    """Remembers what an example asserts of it."""

    def assert_output_type(self, semantic_type, **_):
        self.use.asserted.add(self.name)

    def assert_has_line_matching(self, path, expression, **_):
        re.compile(expression)
        self.use.asserted.add(self.name)


class AssertionsOnly(DiagnosticUsage):
    """Reads an example without running it."""

    def __init__(self):
        super().__init__()
        self.asserted = set()

    def usage_variable(self, name, factory, var_type):
        return AssertedVariable(name, factory, var_type, self)


def test_every_output_is_asserted_by_a_usage_example(actions):
    # The examples become the tests of the tool. An assertion is looked up by the name of the
    # output: one that the example names otherwise breaks the whole tool.
    for action in actions.values():
        if action.id.startswith("_"):
            continue  # interfaces do not show it
        assert action.examples, f"{action.id} has no usage example"
        asserted = set()
        for example in action.examples.values():
            use = AssertionsOnly()
            example(use)
            asserted |= use.asserted
        assert asserted == set(action.signature.outputs), action.id
