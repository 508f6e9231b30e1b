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
ACTIONS = PluginManager().plugins["aam"].actions
PARAMETERS = {  # named by their action, as pytest shows them
    f"{action.id}: {name}": spec
    for action in ACTIONS.values()
    for name, spec in action.signature.parameters.items()
}


def parts_of(tree):
    """Walk the parts of a type as the framework describes it to interfaces."""
    if isinstance(tree, dict):
        yield tree
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        return
    for part in tree:
        yield from parts_of(part)


def parts_named(spec, *names):
    return [part for part in parts_of(spec.qiime_type.to_ast()) if part.get("name") in names]


def exclusive_bounds(spec) -> bool:
    # An exclusive bound is shown 0.000001 off.
    return any(
        bound is not None and not inclusive
        for part in parts_named(spec, "Range")
        for bound, inclusive in zip(part["range"], part["inclusive"], strict=True)
    )


def numbers_from_a_list(spec) -> bool:
    # They are not rendered at all.
    return any(
        part.get("name") == "Choices"
        for number in parts_named(spec, "Int", "Float")
        for part in parts_of(number)
    )


def default_is_a_list_or_long(spec) -> bool:
    # The form would show none of a list.
    listed = (list, tuple, set, dict)
    return spec.has_default() and (isinstance(spec.default, listed) or len(repr(spec.default)) > 20)


def is_a_path(spec) -> bool:
    # The files of a server are none of its users' business.
    path = r"(?i)\b(path|folder|director(y|ies)|file ?names?)\b"
    free = parts_named(spec, "Str") and not parts_named(spec, "Choices")
    return bool(free and re.search(path, spec.description))


def none_is_not_explained(spec) -> bool:
    # None is shown as [optional]: the help must say what happens then.
    optional = spec.has_default() and spec.default is None
    return optional and not is_metadata_type(spec.qiime_type) and "Default:" not in spec.description


@pytest.mark.parametrize(
    "fault",
    [exclusive_bounds, numbers_from_a_list, default_is_a_list_or_long, is_a_path,
     none_is_not_explained],
)  # fmt: skip
def test_no_parameter_has_a_fault(fault):
    assert not [name for name, spec in PARAMETERS.items() if fault(spec)]


def descriptions():
    """Everything that a form shows as text, by its place."""
    for action in ACTIONS.values():
        yield f"{action.id}: description", action.description
        signature = action.signature
        for specs in (signature.inputs, signature.parameters, signature.outputs):
            for name, spec in specs.items():
                if not is_visualization_type(spec.qiime_type):  # a visualizer cannot describe it
                    yield f"{action.id}: {name}", spec.description if spec.has_description() else ""


def test_everything_is_described_in_sentences_that_send_nobody_elsewhere():
    sentence = re.compile(r"['A-Z0-9].{12,}[.]", re.S)
    elsewhere = re.compile(r"(?i)\b(readme|manual|documentation|see (above|below)|todo)\b")
    assert not [place for place, text in descriptions() if not sentence.fullmatch(text)]
    assert not [place for place, text in descriptions() if elsewhere.search(text)]


def test_names_of_actions_read_as_titles():
    for action in ACTIONS.values():
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


@pytest.mark.parametrize("name", [name for name in ACTIONS if name[0] != "_"])
def test_every_output_is_asserted_by_a_usage_example(name):
    # The examples become the tests of the tool. An assertion is looked up by the name of the
    # output: one that the example names otherwise breaks the whole tool.
    asserted = set()
    for example in ACTIONS[name].examples.values():
        use = AssertionsOnly()
        example(use)
        asserted |= use.asserted
    assert asserted == set(ACTIONS[name].signature.outputs)
