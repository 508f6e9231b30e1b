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


def faults_of(spec):
    """Yield what a form would not show, or not show well."""
    tree, text = spec.qiime_type.to_ast(), spec.description
    default = spec.default if spec.has_default() else "none"
    parts = {}
    for part in parts_of(tree):
        parts.setdefault(part.get("name"), []).append(part)
    if not {part["name"] for part in tree.get("members", [tree])} <= FORMS:
        yield "no form"
    for part in parts.get("Range", []):
        ends = zip(part["range"], part["inclusive"], strict=True)
        if any(end is not None and not inclusive for end, inclusive in ends):
            yield "exclusive bounds"  # they are shown 0.000001 off
    for part in parts.get("Int", []) + parts.get("Float", []):
        if (part["predicate"] or {}).get("name") != "Range":
            yield "no plain range"  # numbers from a list are not rendered at all
    for part in parts.get("Choices", []):
        if any(f"'{one}'" not in text for one in part["choices"]):
            yield "a choice that is not explained"
    if isinstance(default, (list, tuple, set, dict)) or len(repr(default)) > 20:
        yield "a default that is long or a list"  # the form would show none of a list
    if "Str" in parts and "Choices" not in parts and PATH.search(text):
        yield "a path"  # the files of a server are none of its users' business
    if default is None and not is_metadata_type(spec.qiime_type) and "Default:" not in text:
        yield "none is not explained"  # it is shown as [optional]: the help must say what happens


FORMS = {"Int", "Float", "Threads", "Bool", "Str", "List", "Metadata", "MetadataColumn"}
PATH = re.compile(r"(?i)\b(path|folder|director(y|ies)|file ?names?)\b")
FAULTS = {  # each with a parameter that has it
    "no form": (Visualization, None, "A page. Default:"),
    "exclusive bounds": (Float % Range(0, 1), 0.5, "Share."),
    "no plain range": (Float, 0.5, "Share."),
    "a choice that is not explained": (Str % Choices("a", "b"), "a", "Either 'a', or b."),
    "a default that is long or a list": (Str, "x" * 30, "A word."),
    "a path": (Str, "here", "The folder to look into."),
    "none is not explained": (Str, None, "A word."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_parameter_has_a_fault(fault):
    assert {name: found for name, spec in PARAMETERS.items() if (found := [*faults_of(spec)])} == {}
    qiime_type, default, text = FAULTS[fault]
    assert set(faults_of(ParameterSpec(qiime_type, None, default, text))) == {fault}


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
    assert set(_EXAMPLES[name][1]) == set(ACTIONS[name].signature.outputs)
    for example in ACTIONS[name].examples.values():
        example(ExecutionUsage())
