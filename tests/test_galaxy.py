"""Every action renders as a Galaxy tool that is well-formed and can be filled in without a manual.

q2galaxy cannot be installed here (it is in no package registry), so the form is written as q2galaxy
writes it: inputs and required parameters first, all others in one section; a default of None is
"[optional]". That ranges include their bounds is held by test_signatures.py.
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import pytest
from qiime2.core.type.signature import ParameterSpec
from qiime2.core.type.util import (
    is_metadata_column_type,
    is_metadata_type,
    is_semantic_type,
    is_union,
    is_visualization_type,
)
from qiime2.plugin import Choices, Float, Range, Str
from qiime2.sdk import PluginManager

ACTIONS = PluginManager().plugins["aam"].actions
LONGEST_HELP = 600
PIPELINE_PARAMETERS = 15
NUMBERS = {"Int": "integer", "Threads": "integer", "Float": "float"}  # Threads: of newer QIIME 2


def render(action) -> Element:
    """Write an action as q2galaxy does, and read it as Galaxy does: as text."""
    tool = Element("tool", name=action.id.replace("_", "-"))
    SubElement(tool, "description").text = action.name
    inputs = SubElement(tool, "inputs")
    later = Element("section", name="extra_opts", title="Click here for additional options")
    signature = action.signature
    for name, spec in {**signature.inputs, **signature.parameters}.items():
        (later if spec.has_default() else inputs).append(render_one(name, spec))
    if len(later):
        inputs.append(later)
    outputs = SubElement(tool, "outputs")
    for name, spec in signature.outputs.items():
        kind = "qzv" if is_visualization_type(spec.qiime_type) else "qza"
        SubElement(outputs, "data", name=name, format=kind)
    SubElement(tool, "help").text = action.description
    return ElementTree.fromstring(ElementTree.tostring(tool, encoding="unicode"))


def render_one(name: str, spec: ParameterSpec) -> Element:
    """Write one input or parameter."""
    qiime_type = spec.qiime_type
    if is_semantic_type(qiime_type):
        item = Element("param", type="data", format="qza")
    elif is_metadata_column_type(qiime_type):
        item = Element("param", type="data_column")
    elif is_metadata_type(qiime_type) or qiime_type.name == "List":
        item = Element("repeat")
    elif qiime_type.name == "Bool":
        item = Element("param", type="boolean")
    elif is_union(qiime_type):
        item = render_union(qiime_type, spec)
    elif qiime_type.name == "Str":
        item = Element("param", type="text")
        if qiime_type.predicate is not None:
            item = render_choices([qiime_type], spec)
    else:
        item = render_number(qiime_type, spec)
    item.set("name", name)
    item.set("label", f"{name}: {qiime_type}")
    item.set("help", f"{state(spec)}  {spec.description if spec.has_description() else ''}")
    return item


def state(spec: ParameterSpec) -> str:
    """Say whether a parameter must be given, as the form does in front of its help."""
    if not spec.has_default():
        return "[required]"
    return "[optional]" if spec.default is None else f"[default: {spec.default!r}]"


def render_number(qiime_type, spec: ParameterSpec) -> Element:
    """Write a number with its range."""
    item = Element("param", type=NUMBERS[qiime_type.name])
    if spec.has_default() and isinstance(spec.default, (int, float)):
        item.set("value", str(spec.default))
    if qiime_type.name == "Threads":
        item.set("min", "0")  # of the type itself
    if qiime_type.predicate is not None:
        for bound, value in zip(
            ("min", "max"), qiime_type.predicate.to_ast()["range"], strict=True
        ):
            if value is not None:
                item.set(bound, str(value))
    return item


def render_choices(types, spec: ParameterSpec) -> Element:
    """Write a list of choices, with the default selected."""
    item = Element("param", type="select")
    if spec.has_default() and spec.default is None:
        SubElement(item, "option", value="", selected="true").text = "None (Use default behavior)"
    for qiime_type in types:
        for choice in qiime_type.predicate.template.choices:
            option = SubElement(item, "option", value=choice)
            option.text = choice
            if spec.has_default() and spec.default == choice:
                option.set("selected", "true")
    return item


def render_union(qiime_type, spec: ParameterSpec) -> Element:
    """Write a choice between words and numbers."""
    item = render_choices([one for one in qiime_type if one.name == "Str"], spec)
    for number in (one for one in qiime_type if one.name != "Str"):
        option = SubElement(item, "option", value=str(number))
        option.text = f"Provide a value ({number})"
        option.append(render_number(number, spec))
        if "value" in option[0].attrib:
            option.set("selected", "true")
    return item


def faults(tool: Element) -> list[str]:
    """Name what would mislead or stop somebody who fills in the form."""
    found = [f"{tag}: empty" for tag in ("description", "help") if not tool.findtext(tag)]
    items = [one for one in tool.iter() if one.tag in ("param", "repeat") and "name" in one.attrib]
    for item in items:
        name, help_text = item.get("name"), item.get("help")
        if len(help_text.partition("]")[2].strip()) < 10:
            found.append(f"{name}: no help")
        if len(help_text) > LONGEST_HELP:
            found.append(f"{name}: help of {len(help_text)} characters")
        found += [f"{name}: {fault}" for fault in faults_of_choices(item)]
        for number in item.iter("param"):
            found += [f"{name}: {fault}" for fault in faults_of_number(number)]
    names = [one.get("name") for one in items]
    return found + [f"{name}: twice" for name in set(names) if names.count(name) > 1]


def faults_of_choices(item: Element) -> list[str]:
    """Name choices without a meaning, and a default that is no choice."""
    options = item.findall("option")
    if not options:
        return []
    found = [
        f"choice {one.text!r} is not explained"
        for one in options
        if one.text == one.get("value") and f"'{one.text}'" not in item.get("help")
    ]
    selected = [one for one in options if one.get("selected")]
    wanted = 0 if item.get("help").startswith("[required]") else 1
    return found + ([f"{len(selected)} defaults"] if len(selected) != wanted else [])


def faults_of_number(item: Element) -> list[str]:
    """Name a missing range, and a default outside of it."""
    if item.get("type") not in ("integer", "float"):
        return []
    bounds = {key: float(item.get(key)) for key in ("min", "max") if key in item.attrib}
    found = [] if bounds else ["no range"]
    value = item.get("value")
    if value is not None:
        low, high = bounds.get("min", float("-inf")), bounds.get("max", float("inf"))
        found += [] if low <= float(value) <= high else [f"default {value} outside of its range"]
    return found


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_an_action_renders_as_a_tool(action):
    tool = render(action)
    assert faults(tool) == []
    shown = {one.get("name") for one in tool.find("inputs").iter() if "label" in one.attrib}
    assert shown == {*action.signature.inputs, *action.signature.parameters}


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (ParameterSpec(Float % Range(0, 1), float, 2.0, "How much of it is taken."), "outside"),
        (ParameterSpec(Float, float, 2.0, "How much of it is taken."), "no range"),
        (ParameterSpec(Float % Range(0, 1), float, 0.5, ""), "no help"),
        (ParameterSpec(Str, str, None, "Too long. " * LONGEST_HELP), "characters"),
        (ParameterSpec(Str % Choices("a", "b"), str, "a", "Either 'a', the first, or b."), "'b'"),
        (ParameterSpec(Str % Choices("a"), str, "c", "Only 'a' can be chosen here."), "0 defaults"),
    ],
)
def test_a_fault_is_seen(spec, fault):
    tool = Element("tool")
    SubElement(tool, "description").text = SubElement(tool, "help").text = "Some words."
    tool.append(render_one("amount", spec))
    (found,) = faults(tool)
    assert found.startswith("amount: ")
    assert fault in found


@pytest.mark.parametrize("pipeline", ["regress_samples", "classify_samples"])
def test_a_pipeline_asks_for_little(pipeline):
    assert len(ACTIONS[pipeline].signature.parameters) <= PIPELINE_PARAMETERS
