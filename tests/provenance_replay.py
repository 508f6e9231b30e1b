"""Run again what a result recorded: its actions, with the parameters and metadata recorded."""

import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import qiime2
import yaml
from qiime2.sdk import PluginManager


class _MetadataFile(str):
    """The name of a file of metadata that lies beside the record of an action."""


class _Loader(yaml.SafeLoader):
    """Reads QIIME 2's own tags as what they hold."""


def _construct(loader, tag, node):
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    value = loader.construct_scalar(node)
    # "uuid:file" if the metadata was itself an artifact
    return _MetadataFile(value.split(":")[-1]) if tag == "metadata" else value


# The framework registers readers of its tags for all of YAML, which look for files here and now.
_Loader.yaml_constructors = {
    tag: reader
    for tag, reader in yaml.SafeLoader.yaml_constructors.items()
    if not str(tag).startswith("!")
}
_Loader.add_multi_constructor("!", _construct)


class Replay:
    """Makes the results anew that led to a result, a .qza or .qzv file.

    `given`, by UUID, are taken as they are: they were imported, or made by others.
    """

    def __init__(self, path: Path, given: dict[str, qiime2.Artifact]):
        self.archive = zipfile.ZipFile(path)
        self.final = self.archive.namelist()[0].split("/")[0]
        self.given = given
        self.executions = {}

    def read(self, uuid: str, name: str) -> bytes:
        """Read a file beside the record of the action that made a result."""
        place = "" if uuid == self.final else f"artifacts/{uuid}/"
        return self.archive.read(f"{self.final}/provenance/{place}action/{name}")

    def record_of(self, uuid: str) -> SimpleNamespace:
        """Return what was recorded of the action that made a result."""
        content = yaml.load(self.read(uuid, "action.yaml"), Loader=_Loader)
        action = content["action"]
        return SimpleNamespace(
            execution=content["execution"]["uuid"],
            plugin=action["plugin"].split(":")[-1],
            action=action["action"],
            inputs={name: value for one in action["inputs"] for name, value in one.items()},
            parameters={name: value for one in action["parameters"] for name, value in one.items()},
            output=action["output-name"],
        )

    def result_of(self, uuid):
        """Return a result, or a list of them, made anew unless it was given."""
        if isinstance(uuid, list):
            return [self.result_of(one) for one in uuid]
        if uuid is None or uuid in self.given:
            return self.given.get(uuid)
        record = self.record_of(uuid)
        if record.execution not in self.executions:
            self.executions[record.execution] = self.run(uuid, record)
        return getattr(self.executions[record.execution], record.output)

    def run(self, uuid: str, record: SimpleNamespace):
        """Run a recorded action; every parameter is given, so no default has a say."""
        action = PluginManager().plugins[record.plugin].actions[record.action]
        given = {name: self.result_of(value) for name, value in record.inputs.items()}
        for name, value in record.parameters.items():
            if isinstance(value, _MetadataFile):
                value = self.metadata(uuid, value, action.signature.parameters[name])
            given[name] = value
        return action(**given)

    def metadata(self, uuid: str, name: str, spec):
        """Read recorded metadata, as a column if the action takes a column."""
        with tempfile.NamedTemporaryFile(suffix=".tsv") as file:
            file.write(self.read(uuid, name))
            file.flush()
            metadata = qiime2.Metadata.load(file.name)
        if not str(spec.qiime_type).startswith("MetadataColumn"):
            return metadata
        return metadata.get_column(*metadata.columns)


def replay_predictions(page: Path, given: dict) -> tuple[Replay, pd.Series]:
    """Make the predictions anew that an evaluation page shows."""
    replay = Replay(page, given)
    predictions = replay.result_of(replay.record_of(replay.final).inputs["predictions"])
    return replay, predictions.view(pd.Series)
