"""Every registered action makes a sensible form in Galaxy, and reads well without a manual.

q2galaxy, which renders the signatures, cannot be installed here (it is in no package registry):
what it does with them is said at each rule. That defaults are in their ranges and among their
choices is held by QIIME 2 at registration.
"""

import re
from xml.etree import ElementTree

import pytest
from qiime2.core.type.signature import ParameterSpec
from qiime2.core.type.util import is_metadata_type, is_visualization_type
from qiime2.plugin import Choices, Float, Range, Str, Visualization
from qiime2.sdk import PluginManager
from qiime2.sdk.usage import ExecutionUsage

from q2_aam.examples import _EXAMPLES

LONGEST_NAME, LONGEST_HELP, PIPELINE_PARAMETERS = 70, 600, 15
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


def has_no_form(spec) -> bool:
    forms = {"Int", "Float", "Threads", "Bool", "Str", "List", "Metadata", "MetadataColumn"}
    tree = spec.qiime_type.to_ast()
    return not {part["name"] for part in tree.get("members", [tree])} <= forms


def exclusive_bounds(spec) -> bool:
    # An exclusive bound is shown 0.000001 off.
    return any(
        bound is not None and not inclusive
        for part in parts_named(spec, "Range")
        for bound, inclusive in zip(part["range"], part["inclusive"], strict=True)
    )


def no_plain_range(spec) -> bool:
    # Numbers from a list are not rendered at all; threads have a range of their own.
    numbers = parts_named(spec, "Int", "Float")
    return any((part["predicate"] or {}).get("name") != "Range" for part in numbers)


def a_choice_is_not_explained(spec) -> bool:
    choices = [one for part in parts_named(spec, "Choices") for one in part["choices"]]
    return any(f"'{one}'" not in spec.description for one in choices)


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


FAULTS = {  # each with a parameter that has it, and no other
    has_no_form: (Visualization, None, "A page."),
    exclusive_bounds: (Float % Range(0, 1), 0.5, "Share."),
    no_plain_range: (Float, 0.5, "Share."),
    a_choice_is_not_explained: (Str % Choices("a", "b"), "a", "Either 'a', the first, or b."),
    default_is_a_list_or_long: (Str, "x" * 30, "A word."),
    is_a_path: (Str, "here", "The folder to look into."),
    none_is_not_explained: (Str, None, "A word."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_parameter_has_a_fault(fault):
    assert not [name for name, spec in PARAMETERS.items() if fault(spec)]
    assert fault(ParameterSpec(FAULTS[fault][0], None, *FAULTS[fault][1:]))


def descriptions():
    """Everything that a form shows as text, by its place."""
    for action in ACTIONS.values():
        yield f"{action.id}: description", action.description
        signature = action.signature
        for specs in (signature.inputs, signature.parameters, signature.outputs):
            for name, spec in specs.items():
                if not is_visualization_type(spec.qiime_type):  # a visualizer cannot describe it
                    yield f"{action.id}: {name}", spec.description if spec.has_description() else ""


def test_everything_is_described_in_short_sentences_that_send_nobody_elsewhere():
    sentence = re.compile(r"['A-Z0-9].{12,}[.]", re.S)
    elsewhere = re.compile(r"(?i)\b(readme|manual|documentation|see (above|below)|todo)\b")
    assert not [place for place, text in descriptions() if not sentence.fullmatch(text)]
    assert not [place for place, text in descriptions() if elsewhere.search(text)]
    assert not [place for place, text in descriptions() if len(text) > LONGEST_HELP]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_an_action_renders_as_a_tool(action):
    assert re.fullmatch(r"[A-Z][^.]+", action.name), "it reads as a title"
    assert len(action.name) <= LONGEST_NAME
    if action.id in ("regress_samples", "classify_samples"):
        assert len(action.signature.parameters) <= PIPELINE_PARAMETERS
    # Galaxy reads all texts from one file
    tool = ElementTree.Element("tool", name=action.name)
    for place, text in descriptions():
        if place.startswith(f"{action.id}:"):
            ElementTree.SubElement(tool, "param", name=place, help=text)
    read = ElementTree.fromstring(ElementTree.tostring(tool, encoding="unicode"))
    names = [one.get("name") for one in read]
    assert len(names) > 1
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [name for name in ACTIONS if name[0] != "_"])
def test_an_example_runs_and_asserts_something_of_every_output(name):
    # The examples become the tests of the tool. An assertion is looked up by the name of the
    # output: one that the example names otherwise breaks the whole tool.
    assert set(_EXAMPLES[name].outputs) == set(ACTIONS[name].signature.outputs)
    for example in ACTIONS[name].examples.values():
        example(ExecutionUsage())
